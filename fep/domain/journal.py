"""The journal: an SM3 chain over everything that changed. The format is fixed for ever.

hash_n = SM3(hash_{n-1} ‖ line_n), hash_0 = 32 zero bytes; a line is canonical JSON in UTF-8
with the members at, body, op, ref, seq in this order. See docs/en/journal.md.
"""

from __future__ import annotations

import msgspec

GENESIS = bytes(32)
# Sorted members, no white space, nothing escaped that need not be: what json.dumps writes with
# sort_keys, these separators and ensure_ascii off, at a tenth of the price.
_encode = msgspec.json.Encoder(order="deterministic").encode


def line(seq: int, at_ms: int, op: str, ref: str, body: dict[str, object]) -> bytes:
    """Return the canonical bytes of one record."""
    return _encode({"at": at_ms, "body": body, "op": op, "ref": ref, "seq": seq})
