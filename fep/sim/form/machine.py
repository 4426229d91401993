"""The mechanism: where the head is, where the paper is, what got ink on which sheet.

All positions are whole 1/3600 inch, so that nothing is rounded here. The paper is an endless
band of sheets `sheet` long; the printer does not know where they begin: ESC @ says "here", and
FF goes on by the page length it was told. If that is not the sheet's, the print drifts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fep.sim.form.commands import CONTROL, Command, Cutter

INCH = 3600
DOT = INCH // 180
HAN_DOTS = 24
FF, LF, CR = 0x0C, 0x0A, 0x0D
_PITCH = {b"\x1bP": INCH // 10, b"\x1bM": INCH // 12, b"\x1bg": INCH // 15}
MM = 25.4 / INCH


@dataclass(frozen=True, slots=True)
class Mark:
    """Ink: a glyph, or the dots of an image (`char` empty); its place on its sheet in mm."""

    char: str
    x: float
    y: float
    w: float
    h: float
    bold: bool = False
    dots: tuple[int, ...] = ()

    def facts(self) -> dict[str, object]:
        """Return it for a sheet's JSON."""
        shown: dict[str, object] = {
            "char": self.char, "x": round(self.x, 3), "y": round(self.y, 3),
            "w": round(self.w, 3), "h": round(self.h, 3),
        }  # fmt: skip
        if self.bold:
            shown["bold"] = True
        if self.dots:
            shown["image"] = True
        return shown


@dataclass(frozen=True, slots=True)
class Make:
    """What a make of printer knows. `brackets`: ESC ( U, C, V, v; `unit`: default of ESC $."""

    name: str
    brackets: bool = True
    vertical: bool = True
    gb18030: bool = True
    # Space that FS & leaves right of a Han glyph until FS S says otherwise.
    han_space: int = 3


MAKES = {
    make.name: make
    for make in (
        Make("lq"),
        Make("dascom", vertical=False),
        Make("lq1600k", brackets=False, vertical=False, gb18030=False),
    )
}


@dataclass(slots=True)
class _Modes:
    """What ESC @ sets back."""

    unit: int = 0  # 0: the defaults of each command
    page: int = 11 * INCH
    spacing: int = INCH // 6
    pitch: int = INCH // 10
    space: tuple[int, int] = (0, 3)
    bold: bool = False


@dataclass(slots=True)
class Band:
    """What got ink on a sheet that is not away yet."""

    marks: list[Mark] = field(default_factory=list)


class Machine:
    """A form printer. Bytes go in by `receive`; whole sheets come out by `on_sheet`."""

    def __init__(self, make: Make, sheet: int, on_sheet: Callable[[int, Band], None]) -> None:
        assert sheet > 0, sheet
        self.make = make
        self.sheet = sheet
        self.x = 0
        self.paper = 0  # how far the band has moved, never back
        self.top = 0  # where the printer believes the sheet to begin
        self.unknown: list[bytes] = []
        self.backward = 0  # how often the paper was asked to move back
        self.away = 0  # sheets that have left
        self._on_sheet = on_sheet
        self._modes = _Modes()
        self._cutter = Cutter(brackets=make.brackets)
        self._bands: dict[int, Band] = {}
        self._reset()

    # from the line
    def receive(self, data: bytes) -> None:
        """Take bytes as they come."""
        for command in self._cutter.feed(data):
            self._obey(command)

    # from a person
    def restart(self) -> None:
        """Switch off and on: what was half received is gone, the paper is where it was."""
        self._cutter.reset()
        self._reset()

    def load(self) -> None:
        """Tear a begun sheet off and load the next one at its top, as a person does."""
        self.paper = -(-self.paper // self.sheet) * self.sheet
        self._roll()

    def align(self) -> None:
        """Load the next sheet, and switch off and on."""
        self.load()
        self.restart()

    def put_away(self) -> None:
        """Tear off what hangs out."""
        for number in sorted(self._bands):
            self._on_sheet(number, self._bands[number])
        self._bands.clear()

    @property
    def drift_mm(self) -> float:
        """Return how far the printer's top of form is off the sheet's."""
        off = self.top % self.sheet
        return (off if off * 2 <= self.sheet else off - self.sheet) * MM

    @property
    def waiting(self) -> int:
        """Return how many bytes of an incomplete command are held."""
        return self._cutter.waiting

    # commands
    def _reset(self) -> None:
        self._modes = _Modes(space=(0, self.make.han_space))
        self._cutter.chinese = True
        self.x, self.top = 0, self.paper

    def _obey(self, command: Command) -> None:
        name, args = command.name, command.args
        if name[0] not in (0x1B, 0x1C):
            self._text(name)
        elif name == b"\x1b@":
            self._reset()
        elif name in _PITCH:
            self._modes.pitch = _PITCH[name]
        elif name in (b"\x1bE", b"\x1bF"):
            self._modes.bold = name == b"\x1bE"
        elif name == b"\x1cS":
            self._modes.space = (args[0], args[1])
        elif name == b"\x1b*":
            self._image(args)
        elif not self._move(name, args) and not command.known:
            self.unknown.append(name)

    def _move(self, name: bytes, args: bytes) -> bool:
        """Obey a command of position or page; False when it is none."""
        modes, number = self._modes, int.from_bytes(args[:2], "little")
        if name == b"\x1b$":
            self.x = number * (modes.unit or INCH // 60)
        elif name == b"\x1b\\":
            signed = number - 65536 if number >= 32768 else number
            self.x = max(0, self.x + signed * (modes.unit or DOT))
        elif name == b"\x1bJ":
            self._advance(args[0] * DOT)
        elif name == b"\x1b3":
            modes.spacing = args[0] * DOT
        elif name == b"\x1b+":
            modes.spacing = args[0] * (INCH // 360)
        elif name in (b"\x1b2", b"\x1b0"):
            modes.spacing = INCH // (6 if name == b"\x1b2" else 8)
        elif name == b"\x1bC":
            self._page(args[1] * INCH if args[0] == 0 else args[0] * modes.spacing)
        else:
            return name[:2] == b"\x1b(" and self._bracket(name[2:3], args, number)
        return True

    def _bracket(self, which: bytes, args: bytes, number: int) -> bool:
        unit = self._modes.unit or INCH // 360
        if which == b"U" and args:
            self._modes.unit = args[0]
        elif which == b"C":
            self._page(number * unit)
        elif which == b"V" and self.make.vertical:
            self._advance(self.top + number * unit - self.paper)
        elif which == b"v" and self.make.vertical:
            self._advance(number * unit)
        else:
            self.unknown.append(b"\x1b(" + which)
        return True

    def _page(self, length: int) -> None:
        """Take a page length; one of nothing is ignored, as printers do."""
        if length:
            self._modes.page, self.top = length, self.paper

    def _advance(self, by: int) -> None:
        if by < 0:
            self.backward += 1
            return
        self.paper += by
        self._roll()

    def _roll(self) -> None:
        """Let sheets that are past the head for good leave."""
        now = self.paper // self.sheet
        for number in range(self.away, now):
            self._on_sheet(number, self._bands.pop(number, Band()))
        self.away = max(self.away, now)

    # ink
    def _text(self, raw: bytes) -> None:
        if raw[0] in CONTROL:
            if raw[0] == FF:
                gone = self.paper - self.top
                self._advance((gone // self._modes.page + 1) * self._modes.page - gone)
                self.x, self.top = 0, self.paper
            elif raw[0] == LF:
                self._advance(self._modes.spacing)
                self.x = 0
            elif raw[0] == CR:
                self.x = 0
            elif raw[0]:
                self.unknown.append(raw)
            return
        if len(raw) == 1:
            wide, left, right = self._modes.pitch, 0, 0
        else:
            wide, (left, right) = HAN_DOTS * DOT, self._modes.space
        if len(raw) == 4 and not self.make.gb18030:
            for half in (raw[:2], raw[2:]):  # two wrong glyphs
                self._ink(half.decode("gbk", "replace")[:1] or "\ufffd", wide)
                self.x += wide
            return
        self.x += left * DOT
        self._ink(raw.decode("gb18030", "replace"), wide)
        self.x += wide + right * DOT

    def _ink(self, char: str, wide: int, dots: tuple[int, ...] = ()) -> None:
        if char in (" ", "\u3000"):
            return
        number, y = divmod(self.paper, self.sheet)
        mark = Mark(char, self.x * MM, y * MM, wide * MM, HAN_DOTS * DOT * MM,
                    self._modes.bold and not dots, dots)  # fmt: skip
        self._bands.setdefault(number, Band()).marks.append(mark)

    def _image(self, args: bytes) -> None:
        """Print `m nL nH d…`; only the 24-pin mode at 180 dpi is known (39)."""
        if args[0] != 39:
            self.unknown.append(b"\x1b*" + args[:1])
            return
        pins = args[3:]
        dots = tuple(int.from_bytes(pins[at : at + 3], "big") for at in range(0, len(pins), 3))
        if any(dots):
            self._ink("", len(dots) * DOT, dots)
        self.x += len(dots) * DOT
