"""fep: an on-premises front-end processor for Chinese fiscal e-receipts."""

__version__ = "0.1.0"
