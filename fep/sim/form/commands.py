"""Cuts the stream into ESC/P commands. It knows lengths, not meanings; no I/O.

Rules: any splitting of the stream gives the same commands; what has no known length is
`unknown`, two bytes long, and never dropped silently.
"""

from __future__ import annotations

from dataclasses import dataclass

ESC, FS = 0x1B, 0x1C
MAX_COMMAND_BYTES = 1 << 16
# Commands with a fixed number of bytes after their two-byte name.
FIXED: dict[bytes, int] = {
    **dict.fromkeys((b"\x1b@", b"\x1bg", b"\x1bP", b"\x1bM", b"\x1bE", b"\x1bF"), 0),
    **dict.fromkeys((b"\x1b0", b"\x1b2", b"\x1bO", b"\x1bG", b"\x1bH"), 0),
    **dict.fromkeys((b"\x1c&", b"\x1c.", b"\x1cJ", b"\x1cK", b"\x1c\x0e", b"\x1c\x14"), 0),
    **dict.fromkeys((b"\x1bx", b"\x1b3", b"\x1b+", b"\x1bJ", b"\x1bN", b"\x1bU"), 1),
    **dict.fromkeys((b"\x1b\x19", b"\x1bk", b"\x1bR", b"\x1bt", b"\x1cW"), 1),
    **dict.fromkeys((b"\x1b$", b"\x1b\\", b"\x1cS"), 2),
}
CONTROL = frozenset(range(0x20)) - {ESC, FS}


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `name` is its first two bytes, three of ESC ( x; one of text and control."""

    name: bytes
    args: bytes = b""
    known: bool = True


class Cutter:
    """Takes bytes and hands out complete commands."""

    def __init__(self, *, brackets: bool = True) -> None:
        # A printer that knows no ESC ( takes what follows it for text.
        self._brackets = brackets
        self._held = bytearray()
        self.chinese = True

    @property
    def waiting(self) -> int:
        """Return how many bytes of an incomplete command are held."""
        return len(self._held)

    def reset(self) -> None:
        """Forget an incomplete command."""
        self._held.clear()

    def feed(self, data: bytes) -> list[Command]:
        """Take bytes; return the commands they complete."""
        self._held += data
        done: list[Command] = []
        while self._held:
            size = self._size()
            if size > len(self._held):
                break
            raw = bytes(self._held[:size])
            del self._held[:size]
            done.append(self._command(raw))
            # Whether two bytes are one glyph depends on what came just before.
            if raw in (b"\x1c&", b"\x1b@"):
                self.chinese = True
            elif raw == b"\x1c.":
                self.chinese = False
        return done

    def _size(self) -> int:
        held = self._held
        first = held[0]
        if first not in (ESC, FS):
            if first < 0x80 or not self.chinese:
                return 1
            # A second byte of a digit is the four-byte form of GB18030.
            return 4 if len(held) > 1 and 0x30 <= held[1] <= 0x39 else 2
        if len(held) < 2:
            return 2
        name = bytes(held[:2])
        if name == b"\x1b(" and self._brackets:
            return 5 if len(held) < 5 else 5 + int.from_bytes(held[3:5], "little")
        if name == b"\x1b*":
            if len(held) < 5:
                return 5
            depth = 3 if held[2] >= 32 else 1
            return min(5 + int.from_bytes(held[3:5], "little") * depth, MAX_COMMAND_BYTES)
        if name == b"\x1bC":
            return 3 if len(held) < 3 or held[2] else 4
        return 2 + FIXED.get(name, 0)

    def _command(self, raw: bytes) -> Command:
        if raw[0] not in (ESC, FS):
            return Command(raw)
        if raw[:2] == b"\x1b(" and self._brackets:
            return Command(raw[:3], raw[5:])
        known = raw[:2] in FIXED or raw[:2] in (b"\x1b*", b"\x1bC")
        return Command(raw[:2], raw[2:], known)
