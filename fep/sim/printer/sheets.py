"""The paper that comes out: a piece that grows, and the tray of sheets that were cut.

Rules: a sheet is there when its .json is there, which is written last; every file appears
whole or not at all; numbers go on where the directory ends.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from fep.sim import sm
from fep.sim.printer import look
from fep.sim.printer.actions import Band

_NAME = re.compile(r"sheet-(\d{6,})\.json")


@dataclass(slots=True)
class Piece:
    """Paper since the last cut. `raw` holds the bytes that were obeyed since then."""

    rows: int = 0
    bands: list[tuple[int, Image.Image]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    transcript: list[str] = field(default_factory=list)
    qr: list[str] = field(default_factory=list)
    images: int = 0
    raw: bytearray = field(default_factory=bytearray)
    _in_picture: bool = False

    def add(self, band: Band) -> None:
        """Print a band at the end of the piece."""
        if band.image is not None:
            self.bands.append((self.rows, band.image))
        self.rows += band.rows
        if band.text is not None:
            self.lines.append(band.text)
            self.transcript.append(band.text)
        if band.qr is not None:
            self.qr.append(band.qr)
            self.transcript.append(f"[QR {band.qr}]")
        if band.picture and not self._in_picture:
            # Slices that touch each other are one picture.
            self.images += 1
            self.transcript.append("[图]")
        self._in_picture = band.picture


class Tray:
    """Writes sheets into a directory."""

    def __init__(
        self, directory: Path, width_dots: int, now_ms: Callable[[], int], *, png: bool = True
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._width = width_dots
        self._now_ms = now_ms
        self._png = png
        found = (_NAME.fullmatch(path.name) for path in directory.iterdir())
        self.last = max((int(match.group(1)) for match in found if match), default=0)

    def put(self, piece: Piece, *, cut: bool) -> int:
        """Write a piece as the next sheet and return its number. Raises OSError."""
        number = self.last + 1
        stem = f"sheet-{number:06d}"
        lines = _without_tail(piece.lines)
        facts = {
            "sheet": number,
            "cut": cut,
            "at": self._now_ms(),
            "lines": lines,
            "qr": piece.qr,
            "images": piece.images,
            "raw_sm3": sm.sm3(bytes(piece.raw)).hex(),
            "rows": piece.rows,
        }
        if self._png:
            self._write(f"{stem}.png", self._picture(piece, cut=cut))
        text = "\n".join(_without_tail(piece.transcript))
        self._write(f"{stem}.txt", f"{text}\n".encode())
        self._write(f"{stem}.json", json.dumps(facts, ensure_ascii=False).encode() + b"\n")
        self.last = number
        return number

    def _picture(self, piece: Piece, *, cut: bool) -> bytes:
        file = io.BytesIO()
        ink = look.inked(piece.bands, self._width, piece.rows)
        dpi = (look.DPI, look.DPI)
        look.photograph(ink, straight=cut).save(file, "PNG", dpi=dpi)
        return file.getvalue()

    def _write(self, name: str, content: bytes) -> None:
        temporary = self.directory / f".{name}.part"
        temporary.write_bytes(content)
        temporary.rename(self.directory / name)


def _without_tail(lines: list[str]) -> list[str]:
    """Return the lines without the blank ones at the end."""
    end = len(lines)
    while end and not lines[end - 1]:
        end -= 1
    return lines[:end]
