"""What a receipt printer says, read from its one shared stream of replies.

`Parser.feed(bytes) -> [events]`: any split of the stream gives the same events, memory is
bounded, nothing is guessed. The rule that tells replies apart is facts/devices 1.3; a
`DLE EOT` reply carries no number, so the asker keeps one question open at a time. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

XON, XOFF = 0x11, 0x13
MAX_BLOCK = 256
_HEADERS = frozenset((0x35, 0x37, 0x3B, 0x3D, 0x5F))
PROCESS_ID_HEAD = b"\x37\x22"
CLEARED = b"\x37\x25"


@dataclass(frozen=True, slots=True)
class Flow:
    """XON (`go`) or XOFF."""

    go: bool


@dataclass(frozen=True, slots=True)
class Realtime:
    """The reply to the one `DLE EOT n` that is open."""

    byte: int


@dataclass(frozen=True, slots=True)
class Asb:
    """Automatic status back: four bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block reply: its header byte and payload, without the closing NUL."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Inband:
    """One byte that answers `GS r` or `GS I`, in the order of the data."""

    byte: int


@dataclass(frozen=True, slots=True)
class Noise:
    """A byte that fits nothing."""

    byte: int


Event = Flow | Realtime | Asb | Block | Inband | Noise


class Parser:
    """Takes bytes as they come, gives events in order."""

    def __init__(self) -> None:
        self._open = bytearray()

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes."""
        events: list[Event] = []
        for byte in data:
            self._byte(byte, events)
        return events

    def give_up(self) -> list[Event]:
        """Return what was begun as noise: after a silence its end will not come any more."""
        events: list[Event] = [Noise(lost) for lost in self._open]
        self._open.clear()
        return events

    def _byte(self, byte: int, events: list[Event]) -> None:
        if byte in (XON, XOFF):
            events.append(Flow(byte == XON))
        elif self._open and self._open[0] in _HEADERS:
            self._block(byte, events)
        elif self._open:
            self._asb(byte, events)
        else:
            self._first(byte, events)

    def _first(self, byte: int, events: list[Event]) -> None:
        if byte in _HEADERS or (byte & 0x93) == 0x10:
            self._open.append(byte)
        elif (byte & 0x93) == 0x12:
            events.append(Realtime(byte))
        elif (byte & 0x90) == 0:
            events.append(Inband(byte))
        else:
            events.append(Noise(byte))

    def _block(self, byte: int, events: list[Event]) -> None:
        if byte == 0:
            events.append(Block(bytes(self._open)))
            self._open.clear()
        elif len(self._open) >= MAX_BLOCK:
            events.extend(Noise(lost) for lost in self._open)
            self._open.clear()
            self._first(byte, events)
        else:
            self._open.append(byte)

    def _asb(self, byte: int, events: list[Event]) -> None:
        if byte & 0x90:
            events.extend(Noise(lost) for lost in self._open)
            self._open.clear()
            self._first(byte, events)
            return
        self._open.append(byte)
        if len(self._open) == 4:
            events.append(Asb(bytes(self._open)))
            self._open.clear()


# Bits of the reply to DLE EOT n: (n, mask, value under the mask, fault).
_REALTIME_BITS: tuple[tuple[int, int, int, str], ...] = (
    (2, 0x04, 0x04, "PRN_COVER_OPEN"),
    (2, 0x20, 0x20, "PRN_PAPER_END"),
    (3, 0x08, 0x08, "PRN_CUTTER"),
    (3, 0x20, 0x20, "PRN_FATAL"),
    (3, 0x40, 0x40, "PRN_OVERHEAT"),
    (4, 0x60, 0x60, "PRN_PAPER_END"),
    (4, 0x0C, 0x0C, "PRN_PAPER_NEAR_END"),
)
# Bits of the four ASB bytes: (index, mask, value, fault).
_ASB_BITS: tuple[tuple[int, int, int, str], ...] = (
    (0, 0x20, 0x20, "PRN_COVER_OPEN"),
    (1, 0x08, 0x08, "PRN_CUTTER"),
    (1, 0x20, 0x20, "PRN_FATAL"),
    (1, 0x40, 0x40, "PRN_OVERHEAT"),
    (2, 0x0C, 0x0C, "PRN_PAPER_END"),
    (2, 0x03, 0x03, "PRN_PAPER_NEAR_END"),
)
WARNINGS = frozenset({"PRN_PAPER_NEAR_END"})
# With one of these the rest of a job will not come out without a person.
STOPPING = frozenset({"PRN_PAPER_END", "PRN_COVER_OPEN", "PRN_CUTTER", "PRN_FATAL"})


def realtime_faults(replies: tuple[tuple[int, int], ...]) -> tuple[str, ...]:
    """Return the faults in replies given as (n, byte); offline without a cause is one too."""
    found = tuple(
        dict.fromkeys(
            fault
            for n, byte in replies
            for at, mask, value, fault in _REALTIME_BITS
            if n == at and byte & mask == value
        )
    )
    offline = any(n == 1 and byte & 0x08 for n, byte in replies)
    if offline and not set(found) - WARNINGS:
        return ("PRN_OFFLINE", *found)
    return found


def asb_faults(asb: Asb) -> tuple[str, ...]:
    """Return the faults in an ASB block."""
    found = tuple(fault for at, mask, value, fault in _ASB_BITS if asb.data[at] & mask == value)
    if asb.data[0] & 0x08 and not set(found) - WARNINGS:
        return ("PRN_OFFLINE", *found)
    return found


def inband_paper_faults(byte: int) -> tuple[str, ...]:
    """Return the faults in the reply to `GS r 1`."""
    if byte & 0x0C == 0x0C:
        return ("PRN_PAPER_END",)
    return ("PRN_PAPER_NEAR_END",) if byte & 0x03 == 0x03 else ()


def blocking(faults: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `faults` that keep a job from being started."""
    return tuple(fault for fault in faults if fault not in WARNINGS)
