"""UMS terminals keep the promises of the device kit."""

from __future__ import annotations

from tests.kit.ums import UmsOverBridge


class TestUmsOverBridge(UmsOverBridge):
    """Behind a bridge."""
