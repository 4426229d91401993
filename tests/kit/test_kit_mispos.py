"""Payment terminals keep the promises of the device kit."""

from __future__ import annotations

from tests.kit.tills import MisposOverSerial, MisposOverTcp


class TestMisposOverTcp(MisposOverTcp):
    """Over TCP."""


class TestMisposOverSerial(MisposOverSerial):
    """Over a terminal line."""
