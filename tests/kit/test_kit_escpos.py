"""Receipt printers keep the promises of the device kit, over every transport."""

from __future__ import annotations

from tests.kit.cases import EscposOverLpd, EscposOverSerial, EscposOverTcp, EscposOverUsblp


class TestEscposOverTcp(EscposOverTcp):
    """Over TCP, with process ids."""


class TestEscposOverSerial(EscposOverSerial):
    """Over a terminal, with GS r."""


class TestEscposOverUsblp(EscposOverUsblp):
    """Over a USB printer port, with process ids."""


class TestEscposOverLpd(EscposOverLpd):
    """Through a print server, without any proof."""
