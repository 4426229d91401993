"""A printer on a bench: a fake clock, no socket, paper in a temporary directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from fep.sim.printer.build import make_printer
from fep.sim.printer.knobs import Knobs

AT_MS = 1_700_000_000_000
CUT = b"\x1dV\x00"
INIT = b"\x1b@\x1c&"


class Bench:
    """One printer and what it said; `heard` grows with every reply."""

    def __init__(self, paper: Path, profile: str = "epson_full", *, png: bool = False,
                 **knobs: Any) -> None:  # fmt: skip
        self.paper = paper
        self.clock = Clock()
        self.printer = make_printer(
            self.clock, paper, profile=profile, knobs=Knobs(**knobs), png=png,
            now_ms=lambda: AT_MS,
        )  # fmt: skip
        self.heard: list[bytes] = []
        self.printer.attach(self.heard.append)

    def feed(self, data: bytes, size: int = 0) -> int:
        """Send like a host on TCP: no more than there is room for; return what was taken."""
        taken = 0
        while taken < len(data):
            room = self.printer.room
            if not room:
                break
            step = min(room, size or room)
            self.printer.receive(data[taken : taken + step])
            taken += len(data[taken : taken + step])
        return taken

    def sheets(self) -> list[dict[str, Any]]:
        """Return the sheets in order."""
        return [json.loads(p.read_text()) for p in sorted(self.paper.glob("sheet-*.json"))]

    def lines(self) -> list[list[str]]:
        """Return the lines of every sheet."""
        return [sheet["lines"] for sheet in self.sheets()]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the journal's events of one name."""
        journal = (self.paper / "journal.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in journal]
        return [event for event in found if event["event"] == name]


def han(text: str) -> bytes:
    """Return text as the two-byte characters of a Chinese printer."""
    return text.encode("gb18030")


def qr(content: bytes, size: int = 6, level: bytes = b"1") -> bytes:
    """Return the commands that print a QR code."""
    stored = (len(content) + 3).to_bytes(2, "little") + b"1P0" + content
    return b"".join((
        b"\x1d(k\x04\x001A2\x00", b"\x1d(k\x03\x001C" + bytes((size,)),
        b"\x1d(k\x03\x001E" + level, b"\x1d(k" + stored, b"\x1d(k\x03\x001Q0",
    ))  # fmt: skip


def fence(mark: bytes) -> bytes:
    """Return GS ( H fn 48 with a process id of four characters."""
    return b"\x1d(H\x06\x0000" + mark


def fenced(mark: bytes) -> bytes:
    """Return the reply to it."""
    return b"\x37\x22" + mark + b"\x00"


def raster(across: int, rows: int, fill: int = 0xFF) -> bytes:
    """Return GS v 0 with a solid picture of `across` bytes by `rows`."""
    size = across.to_bytes(2, "little") + rows.to_bytes(2, "little")
    return b"\x1dv0\x00" + size + bytes((fill,)) * (across * rows)
