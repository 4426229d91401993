"""Form printers keep the promises of the device kit."""

from __future__ import annotations

from tests.kit.forms import EscpOverTcp


class TestEscpOverTcp(EscpOverTcp):
    """Over TCP, to a device that never answers."""
