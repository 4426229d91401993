"""Receipt printers keep the promises of the device kit, over TCP and over a serial line."""

from __future__ import annotations

from tests.kit.cases import EscposOverSerial, EscposOverTcp


class TestEscposOverTcp(EscposOverTcp):
    """Over TCP, with process ids."""


class TestEscposOverSerial(EscposOverSerial):
    """Over a terminal, with GS r."""
