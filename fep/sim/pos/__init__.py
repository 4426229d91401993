"""A MISPOS payment terminal and its acquirer, with a money ledger of its own."""
