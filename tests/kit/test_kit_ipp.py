"""Page printers keep the promises of the device kit."""

from __future__ import annotations

from tests.kit.cases import IppOverTcp


class TestIppOverTcp(IppOverTcp):
    """Through ippeveprinter."""
