"""Cuts the buffered stream into commands. It knows lengths, not meanings; no I/O.

Rules: bytes leave the buffer as soon as a command has begun, as they do in a printer, so a
raster image larger than the buffer passes through it; any splitting of the stream gives the
same commands; what has no known length is `unknown`, two bytes long, and never dropped
silently.
"""

from __future__ import annotations

from dataclasses import dataclass

from fep.sim.printer import realtime

ESC, FS, GS = 0x1B, 0x1C, 0x1D
# A command that claims more than this is taken for noise: 16 pages of raster.
MAX_COMMAND_BYTES = 1 << 20

# Commands with a fixed number of bytes after their two-byte name.
FIXED: dict[bytes, int] = {
    **dict.fromkeys((b"\x1b@", b"\x1b2", b"\x1bv", b"\x1bi", b"\x1bm", b"\x1c&", b"\x1c."), 0),
    **dict.fromkeys((b"\x1b\x20", b"\x1b!", b"\x1b-", b"\x1b3", b"\x1b="), 1),
    **dict.fromkeys((b"\x1bE", b"\x1bG", b"\x1bJ", b"\x1bM", b"\x1bR", b"\x1bT"), 1),
    **dict.fromkeys((b"\x1bV", b"\x1ba", b"\x1bd", b"\x1br", b"\x1bt", b"\x1bu"), 1),
    **dict.fromkeys((b"\x1b{", b"\x1c!", b"\x1c-", b"\x1cW", b"\x1cC"), 1),
    **dict.fromkeys((b"\x1d!", b"\x1dB", b"\x1dH", b"\x1dI", b"\x1da", b"\x1db"), 1),
    **dict.fromkeys((b"\x1df", b"\x1dh", b"\x1dr", b"\x1dw", b"\x1d/"), 1),
    **dict.fromkeys((b"\x1b$", b"\x1b\\", b"\x1bB", b"\x1bc", b"\x1cS", b"\x1cp"), 2),
    **dict.fromkeys((b"\x1dL", b"\x1dW", b"\x1dP", b"\x1d\\", b"\x1d$"), 2),
    b"\x1bp": 3,
    b"\x1c2": 74,
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `name` is its first two bytes (one for text and control bytes)."""

    name: bytes
    args: bytes = b""
    known: bool = True

    @property
    def raw(self) -> bytes:
        """Return the bytes as they came."""
        return self.name + self.args


class Cutter:
    """Takes bytes out of a receive buffer and hands out complete commands."""

    def __init__(self) -> None:
        self._head = bytearray()

    @property
    def waiting(self) -> int:
        """Return how many bytes of an incomplete command are held."""
        return len(self._head)

    def reset(self) -> None:
        """Forget an incomplete command."""
        self._head.clear()

    def next(self, buffer: bytearray) -> Command | None:
        """Return the next command and remove its bytes; None when more bytes are needed."""
        head = self._head
        need = total(head)
        while len(head) < need:
            take = min(need - len(head), len(buffer))
            if not take:
                return None
            head += buffer[:take]
            del buffer[:take]
            need = total(head)
        raw = bytes(head)
        head.clear()
        return _command(raw)


def total(head: bytes | bytearray) -> int:
    """Return how many bytes the command has, as far as `head` tells; it only ever grows."""
    if not head:
        return 1
    first = head[0]
    if first == realtime.DLE:
        return realtime.length(head) or len(head)
    if first not in (ESC, FS, GS):
        return 1
    if len(head) < 2:
        return 2
    name = bytes(head[:2])
    if name in FIXED:
        return 2 + FIXED[name]
    need = _variable(name, head)
    return need if need <= MAX_COMMAND_BYTES else 2


def _variable(name: bytes, head: bytes | bytearray) -> int:
    """Return the length of a command whose arguments say how many there are; 2 if unknown."""
    if name[1:] == b"(":
        return _counted(head, 3, 2)
    if name == b"\x1d8":
        return _counted(head, 3, 4)
    if name == b"\x1dv":
        return 8 + _word(head, 4) * _word(head, 6) if len(head) >= 8 else 8
    if name == b"\x1b*":
        columns = 3 if len(head) > 2 and head[2] >= 32 else 1
        return 5 + columns * _word(head, 3) if len(head) >= 5 else 5
    if name == b"\x1dV":
        return 4 if len(head) > 2 and head[2] in (65, 66, 97, 98, 103, 104) else 3
    if name == b"\x1d*":
        return 4 + head[2] * head[3] * 8 if len(head) >= 4 else 4
    if name == b"\x1bD":
        return len(head) if len(head) > 2 and not head[-1] else len(head) + 1
    if name == b"\x1dk":
        return _barcode(head)
    return 2


def _counted(head: bytes | bytearray, at: int, size: int) -> int:
    """Return the length when `size` little-endian bytes at `at` count what follows them."""
    start = at + size
    return start + int.from_bytes(head[at:start], "little") if len(head) >= start else start


def _barcode(head: bytes | bytearray) -> int:
    if len(head) < 4:
        return 4
    if head[2] >= 65:
        return 4 + head[3]
    # The old form ends with NUL.
    return len(head) if not head[-1] else len(head) + 1


def _word(head: bytes | bytearray, at: int) -> int:
    return int.from_bytes(head[at : at + 2], "little")


def _command(raw: bytes) -> Command:
    if raw[0] == realtime.DLE:
        return Command(raw[:2], raw[2:], known=len(raw) > 2)
    if raw[0] not in (ESC, FS, GS):
        return Command(raw)
    name = raw[:2]
    return Command(name, raw[2:], known=len(raw) > 2 or name in FIXED)
