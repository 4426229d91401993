"""A simulated UKEY: the token behind the stub of a vendor's SKF library (GM/T 0016)."""
