"""Turns commands into actions. No I/O, no clock, no state of the mechanism.

Rules: every command that is not understood becomes a Remark, never silence; text is set in
cells on the dot grid; nothing is printed before its line is complete.
Source: the public ESC/POS command descriptions; Han style as FS ! of the Epson models.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from fep.sim.printer import bitmap
from fep.sim.printer.actions import (
    Action,
    Band,
    Buzz,
    Cut,
    Pulse,
    Remark,
    SetAutomatic,
    TellDrawer,
    TellIdentity,
    TellPaper,
    TellProcess,
)
from fep.sim.printer.commands import Command
from fep.sim.printer.glyphs import ASCII_WIDTH
from fep.sim.printer.letters import Letter, Letters
from fep.sim.printer.line import Line, Modes, shift_of
from fep.sim.printer.profiles import Profile
from fep.sim.printer.symbol import QR_CODE, Symbol

Obey = Callable[[bytes], list[Action]]

# Obeyed without a trace on this paper: character sets, sizes of bar codes, motion units …
_SILENT = {
    b"\x1bR", b"\x1b=", b"\x1bT", b"\x1bc", b"\x1br", b"\x1cS", b"\x1cC",
    b"\x1dH", b"\x1df", b"\x1dh", b"\x1dw", b"\x1db", b"\x1dP", b"\x10\x04", b"\x10\x05",
    b"\x10\x14", b"\x00", b"\r", b"\x11", b"\x13",
}  # fmt: skip
# They change the paper, but this printer does not draw them.
_NOT_DRAWN = {b"\x1dk", b"\x1cp", b"\x1d/", b"\x1d*", b"\x1c2", b"\x1d8"}
# Turned and upside-down text: silent only when it is switched off.
_NOT_TURNED = {b"\x1bV", b"\x1b{"}


class Interpreter:
    """The text side of the printer: modes, the line being set, stored symbols."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._table = self._commands()
        self.power_on()

    def power_on(self) -> None:
        """Begin as after switching on."""
        profile = self._profile
        self._modes = Modes(
            chinese=profile.boots_in_chinese,
            width=profile.width_dots,
            spacing=profile.line_spacing_dots,
        )
        self._line = Line(profile.width_dots)
        self._letters = Letters(profile.gb18030)
        self._symbol = Symbol()

    def clear(self) -> None:
        """Throw the line away; the modes stay."""
        self._line.clear()
        self._letters.flush()

    def obey(self, command: Command) -> list[Action]:
        """Return what is to be done."""
        name, args = command.name, command.args
        if len(name) == 1 and name[0] >= 0x20:
            return self._text(name[0])
        cut_short = self._set_all(self._letters.flush())
        act = self._table.get(name)
        if act is not None and command.known:
            return cut_short + act(args)
        off = name in _NOT_TURNED and args in (b"\x00", b"0")
        if off or name in _SILENT:
            return cut_short
        event = "command.not_drawn" if name in _NOT_DRAWN | _NOT_TURNED else "command.unknown"
        return [*cut_short, Remark(event, command.raw)]

    # text
    def _text(self, byte: int) -> list[Action]:
        modes = self._modes
        letters = self._letters.feed(byte, chinese=modes.chinese, code_page=modes.code_page)
        return self._set_all(letters)

    def _set_all(self, letters: list[Letter]) -> list[Action]:
        actions: list[Action] = []
        for letter in letters:
            if letter.broken:
                actions.append(Remark("character.unknown", letter.broken))
            if not self._line.fits(letter.char, self._modes, han=letter.han):
                actions += self._feed(self._modes.spacing)
            self._line.put(letter.char, self._modes, han=letter.han)
        return actions

    def _feed(self, rows: int) -> list[Action]:
        """Print the line and move the paper `rows` in all, further if the line is higher."""
        band = self._line.take(self._modes)
        if band is None:
            return [Band(rows, text="")] if rows else []
        rest = rows - band.rows
        return [band, Band(rest)] if rest > 0 else [band]

    def _finish_line(self) -> list[Action]:
        return self._feed(self._modes.spacing) if self._line.cells else []

    # commands
    def _commands(self) -> dict[bytes, Obey]:
        return {
            b"\n": lambda args: self._feed(self._modes.spacing),
            b"\t": self._tab,
            b"\x1b@": self._initialise,
            b"\x1bd": self._feed_lines,
            b"\x1bJ": lambda args: self._feed(args[0]),
            b"\x1b$": lambda args: self._move_to(_word(args)),
            b"\x1b\\": lambda args: self._move_to(self._line.x + _signed(args)),
            b"\x1b2": lambda args: self._set(spacing=self._profile.line_spacing_dots),
            b"\x1b3": lambda args: self._set(spacing=args[0]),
            b"\x1b ": lambda args: self._set(right_space=args[0]),
            b"\x1b!": self._style,
            b"\x1bE": lambda args: self._set(bold=bool(args[0] & 1)),
            b"\x1bG": lambda args: self._set(bold=bool(args[0] & 1)),
            b"\x1bM": lambda args: self._set(small=args[0] in (1, 49)),
            b"\x1b-": lambda args: self._set(underline=_choice(args, 3)),
            b"\x1ba": self._align,
            b"\x1bt": lambda args: self._set(code_page=args[0]),
            b"\x1bD": self._set_tabs,
            b"\x1b*": self._columns,
            b"\x1bp": lambda args: [Pulse(args[0] & 1)],
            b"\x1bB": lambda args: [Buzz(args[0])],
            b"\x1bv": lambda args: [TellPaper()],
            b"\x1bu": lambda args: [TellDrawer()],
            b"\x1bi": lambda args: [*self._finish_line(), Cut(full=True)],
            b"\x1bm": lambda args: [*self._finish_line(), Cut(full=False)],
            b"\x1c&": lambda args: self._set(chinese=True),
            b"\x1c.": lambda args: self._set(chinese=False),
            b"\x1c!": self._han_style,
            b"\x1c-": lambda args: self._set(han_underline=_choice(args, 3)),
            b"\x1cW": lambda args: self._set(han_scale=(2, 2) if args[0] & 1 else (1, 1)),
            b"\x1d!": self._size,
            b"\x1dB": lambda args: self._set(reverse=bool(args[0] & 1)),
            b"\x1dL": lambda args: self._set(left=min(_word(args), self._line.paper_width)),
            b"\x1dW": lambda args: self._set(width=_word(args)),
            b"\x1dI": lambda args: [TellIdentity(args[0])],
            b"\x1da": lambda args: [SetAutomatic(args[0])],
            b"\x1dr": self._tell,
            b"\x1dv": self._raster,
            b"\x1dV": self._cut,
            b"\x1d(": self._extended,
        }

    def _initialise(self, args: bytes) -> list[Action]:
        self.power_on()
        return [SetAutomatic(None)]

    def _set(self, **values: object) -> list[Action]:
        for name, value in values.items():
            setattr(self._modes, name, value)
        return []

    def _tab(self, args: bytes) -> list[Action]:
        column = self._line.x // ASCII_WIDTH
        stop = next((tab for tab in self._modes.tabs if tab > column), column)
        return self._move_to(stop * ASCII_WIDTH)

    def _set_tabs(self, args: bytes) -> list[Action]:
        return self._set(tabs=tuple(args[:-1]))

    def _feed_lines(self, args: bytes) -> list[Action]:
        if not args[0]:
            return self._feed(0)
        actions = self._feed(self._modes.spacing)
        return actions + [Band(self._modes.spacing, text="")] * (args[0] - 1)

    def _move_to(self, x: int) -> list[Action]:
        if 0 <= x <= self._line.paper_width:
            self._line.x = x
        return []

    def _style(self, args: bytes) -> list[Action]:
        n = args[0]
        scale = (2 if n & 0x20 else 1, 2 if n & 0x10 else 1)
        small, bold = bool(n & 0x01), bool(n & 0x08)
        return self._set(small=small, bold=bold, scale=scale, underline=1 if n & 0x80 else 0)

    def _han_style(self, args: bytes) -> list[Action]:
        n = args[0]
        scale = (2 if n & 0x04 else 1, 2 if n & 0x08 else 1)
        return self._set(han_scale=scale, han_underline=1 if n & 0x80 else 0)

    def _size(self, args: bytes) -> list[Action]:
        scale = ((args[0] >> 4 & 7) + 1, (args[0] & 7) + 1)
        return self._set(scale=scale, han_scale=scale)

    def _align(self, args: bytes) -> list[Action]:
        # It takes effect at the beginning of a line only.
        return [] if self._line.cells else self._set(align=_choice(args, 3))

    def _tell(self, args: bytes) -> list[Action]:
        if args[0] in (1, 49):
            return [TellPaper()]
        if args[0] in (2, 50):
            return [TellDrawer()]
        return [Remark("command.unknown", b"\x1dr" + args)]

    def _cut(self, args: bytes) -> list[Action]:
        mode, rows = args[0], args[1] if len(args) > 1 else 0
        if mode not in (0, 1, 48, 49, 65, 66, 97, 98, 103, 104):
            return [Remark("command.unknown", b"\x1dV" + args)]
        feed: list[Action] = [Band(rows)] if rows else []
        return [*self._finish_line(), *feed, Cut(full=mode in (0, 48, 65, 97, 103))]

    # pictures
    def _picture(self, image: Image.Image, *, qr: str | None = None) -> list[Action]:
        width = self._line.paper_width
        spot = shift_of(self._modes, width, image.width)
        whole = Image.new("1", (width, image.height), 0)
        whole.paste(image, (spot, 0))
        return [*self._finish_line(), Band(image.height, whole, qr=qr, picture=qr is None)]

    def _raster(self, args: bytes) -> list[Action]:
        image = bitmap.raster(args)
        if args[:1] != b"0" or image is None:
            return [Remark("command.unknown", b"\x1dv" + args[:6])]
        return self._picture(image)

    def _columns(self, args: bytes) -> list[Action]:
        image = bitmap.columns(args)
        if image is None:
            return [Remark("command.unknown", b"\x1b*" + args[:3])]
        self._line.put_picture(image)
        return []

    def _extended(self, args: bytes) -> list[Action]:
        """Obey GS ( x: function groups of which H (replies) and k (symbols) are known."""
        group, body = args[:1], args[3:]
        if group == b"H" and body[:2] == b"00" and len(body) == 6:
            return [TellProcess(body[2:])]
        if group == b"k" and len(body) >= 2 and body[0] == QR_CODE:
            return self._qr(body[1], body[2:], args)
        known = group in (b"k", b"L", b"D", b"E", b"K")
        event = "command.not_drawn" if known else "command.unknown"
        return [Remark(event, b"\x1d(" + args)]

    def _qr(self, function: int, data: bytes, args: bytes) -> list[Action]:
        if function != 81:
            done = self._symbol.obey(function, data)
            return [] if done else [Remark("command.unknown", b"\x1d(" + args)]
        image = self._symbol.draw()
        if image is None or image.width > self._line.paper_width:
            return [Remark("symbol.not_printable", self._symbol.content)]
        return self._picture(image, qr=self._symbol.text)


def _word(args: bytes) -> int:
    return int.from_bytes(args[:2], "little")


def _signed(args: bytes) -> int:
    return int.from_bytes(args[:2], "little", signed=True)


def _choice(args: bytes, count: int) -> int:
    """Return n for 0, 1, … or the digits '0', '1', …; 0 for anything else."""
    n = args[0] - 48 if args[0] >= 48 else args[0]
    return n if 0 <= n < count else 0
