"""A simulated UMS terminal behind a POS library: record, terminal, ledger, server, control."""
