"""Ledgers, checkers and processes shared by the tests, scripts/demo and scripts/soak.

Nothing here imports the product, except the simulators' own SM2 binding: a mistake in the
product must not be able to hide itself.
"""
