"""A printer behind a bridge keeps the promises of the device kit."""

from __future__ import annotations

from tests.kit.bridged import EscposOverBridge


class TestEscposOverBridge(EscposOverBridge):
    """Through a bridge to a serial line."""
