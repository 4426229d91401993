"""Bytes to characters: GBK pairs, GB18030 quadruples, western code pages."""

from __future__ import annotations

from dataclasses import dataclass, field

# n of ESC t; what is not listed prints as page 0.
CODE_PAGES = {
    0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 16: "cp1252", 17: "cp866",
    18: "cp852", 19: "cp858",
}  # fmt: skip
# What stands on paper where there is no such character.
WRONG = "□"


@dataclass(frozen=True, slots=True)
class Letter:
    """A character; `han` is a full cell. `broken` holds bytes that are none, else empty."""

    char: str
    han: bool = False
    broken: bytes = b""


@dataclass(slots=True)
class Letters:
    """Pairs bytes up. `gb18030` says that four-byte characters are known."""

    gb18030: bool
    _held: bytearray = field(default_factory=bytearray)

    def feed(self, byte: int, *, chinese: bool, code_page: int) -> list[Letter]:
        """Take a byte that is no control; return the characters that are complete now."""
        if not chinese:
            return [_western(byte, code_page)]
        held = self._held
        if not held:
            if byte < 0x7F:
                return [Letter(chr(byte))]
            if byte in (0x7F, 0x80, 0xFF):
                return [Letter(WRONG, broken=bytes((byte,)))]
            held.append(byte)
            return []
        held.append(byte)
        if len(held) == 2 and not 0x40 <= byte <= 0xFE:
            if self.gb18030 and 0x30 <= byte <= 0x39:
                return []
            return self._split()
        if len(held) == 3 and 0x81 <= byte <= 0xFE:
            return []
        if len(held) == 3:
            return self._split()
        return [self._han()]

    def flush(self) -> list[Letter]:
        """Give up on bytes that no partner came for."""
        held = bytes(self._held)
        self._held.clear()
        return [Letter(WRONG, han=True, broken=held)] if held else []

    def _han(self) -> Letter:
        raw = bytes(self._held)
        self._held.clear()
        try:
            return Letter(raw.decode("gb18030"), han=True)
        except UnicodeDecodeError:
            return Letter(WRONG, han=True, broken=raw)

    def _split(self) -> list[Letter]:
        """Return a lead byte without its partner, then the byte that was none."""
        raw = bytes(self._held)
        self._held.clear()
        last = [Letter(chr(raw[-1]))] if raw[-1] < 0x80 else []
        lead = raw[:-1] if last else raw
        return [Letter(WRONG, han=True, broken=lead), *last]


def _western(byte: int, code_page: int) -> Letter:
    try:
        return Letter(bytes((byte,)).decode(CODE_PAGES.get(code_page, "cp437")))
    except UnicodeDecodeError:
        return Letter(WRONG, broken=bytes((byte,)))
