"""Bytes of MISPOS, both ways (facts/devices 3.3). No I/O.

Frame: STX, LEN (2, big-endian, PATH to CONT), PATH, TYPE, ID (6 digits), CONT, ETX, LRC. Rules:
a frame is found by LEN, for ETX may stand inside; LRC is the XOR from LEN through ETX; whatever
arrives, at most one frame is kept; track data is never read, a card number only masked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor

from fep.domain.payment import Order, Record, Totals, mask_pan

STX, ETX, FS = 0x02, 0x03, b"\x1c"
ACK, NAK = 0x06, 0x15
FRAME_MAX = 4096
ID_MAX = 999_999
ASK, ANSWER, RELAY, RELAYED, NOTICE, NOTICED = range(0x03, 0x09)
_LONG = re.compile(r"\d{12,}")
_HEAD = 8  # PATH, TYPE and ID
_PATHS = frozenset(range(1, 9))
# Fields of a record, from 1 as the vendor counts them.
_PAN, _BATCH, _TRACE, _AT, _AUTH, _REF, _AMOUNT = 9, 13, 14, 15, 16, 17, 18
_SERIAL, _STATE = 38, 50


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `id` pairs a reply with its request."""

    path: int
    id: int
    content: bytes
    type: int = 1


@dataclass(frozen=True, slots=True)
class Damaged:
    """A frame whose LRC is wrong."""


@dataclass(frozen=True, slots=True)
class Word:
    """An acknowledgement or a refusal, with the code and the words of the terminal."""

    good: bool
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Data:
    """A reply that begins with the code of its command."""

    fields: tuple[str, ...]

    @property
    def code(self) -> str:
        """Return the command it answers."""
        return self.fields[0]

    def field(self, number: int) -> str:
        """Return a field by the vendor's number, empty when it is not there."""
        return self.fields[number - 1].strip() if number <= len(self.fields) else ""


@dataclass(frozen=True, slots=True)
class Status:
    """Reply to SQ: who the terminal is, whether it is busy, signed in, and its batch."""

    terminal: str
    busy: bool
    signed_in: bool
    full: bool
    batch: str


@dataclass(frozen=True, slots=True)
class Merchant:
    """The head of every request."""

    merchant: str
    terminal: str
    name: str = ""
    name_en: str = ""


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame. Raises ValueError when it is too long."""
    inner = bytes((frame.path, frame.type)) + b"%06d" % frame.id + frame.content
    if len(inner) + 5 > FRAME_MAX:
        raise ValueError(f"frame of {len(inner) + 5} bytes")
    body = len(inner).to_bytes(2, "big") + inner + bytes((ETX,))
    return bytes((STX,)) + body + bytes((lrc(body),))


def lrc(body: bytes) -> int:
    """Return the XOR of all bytes from LEN through ETX."""
    return reduce(xor, body, 0)


class Reader:
    """Cuts a stream into frames; any split of the stream gives the same ones."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def waiting(self) -> bool:
        """Say whether a frame has begun whose rest is not there."""
        return bool(self._data)

    def feed(self, data: bytes) -> list[Frame | Damaged]:
        """Take bytes in; returns the frames that are complete now."""
        found: list[Frame | Damaged] = []
        self._data += data
        while True:
            start = self._data.find(STX)
            if start < 0:
                self._data.clear()
                return found
            del self._data[:start]
            whole = self._whole()
            if whole is None:
                return found
            if whole == 0:
                del self._data[0]
                continue
            found.append(_cut(bytes(self._data[:whole])))
            del self._data[:whole]

    def stale(self) -> list[Frame | Damaged]:
        """Give a frame up whose rest did not come; what follows its first byte is looked at."""
        if not self._data:
            return []
        rest = bytes(self._data[1:])
        self._data.clear()
        return self.feed(rest)

    def _whole(self) -> int | None:
        """Return the frame's length, 0 for no frame here, None while it may still become one."""
        data = self._data
        if len(data) < 3:
            return None
        length = int.from_bytes(data[1:3], "big")
        if not _HEAD <= length <= FRAME_MAX - 5:
            return 0
        if len(data) > 3 and data[3] not in _PATHS:
            return 0
        if len(data) > 5 and not bytes(data[5 : 3 + _HEAD]).isdigit():
            return 0
        whole = length + 5
        if len(data) < whole:
            return None
        return whole if data[whole - 2] == ETX else 0


def _cut(data: bytes) -> Frame | Damaged:
    if lrc(data[1:-1]) != data[-1]:
        return Damaged()
    return Frame(data[3], int(data[5:11]), data[11:-2], data[4])


# requests
def request(code: str, merchant: Merchant, *fields: str) -> bytes:
    """Return the content of a request: the command, the merchant, its own fields."""
    head = (code, merchant.merchant, merchant.terminal, merchant.name, merchant.name_en)
    return b"".join(_plain(text) + FS for text in (*head, *fields))


def _plain(text: str) -> bytes:
    return bytes(byte for byte in text.encode("gbk", "replace") if byte >= 0x20)


def money(order: Order) -> str:
    """Return the amount as 12 digits of fen."""
    assert 0 < order.amount_fen < 10**12, order.amount_fen
    return f"{order.amount_fen:012d}"


def card_fields(order: Order) -> tuple[str, ...]:
    """Return the fields of a card payment: the terminal reads the tracks itself."""
    return money(order), "1", "", "", "", "", order.operator, order.serial


def code_fields(order: Order) -> tuple[str, ...]:
    """Return the fields of a payment by code; `code` is empty where the payer scans ours."""
    return money(order), order.code, order.operator, order.serial


def back_fields(order: Order) -> tuple[str, ...]:
    """Return the fields of a void or refund."""
    return (
        money(order), order.original_trace, order.original_ref, order.original_day,
        order.operator, order.serial,
    )  # fmt: skip


def word(good: bool, code: str = "00") -> bytes:
    """Return the content of our own acknowledgement."""
    return bytes((ACK if good else NAK,)) + FS + code.encode() + FS + FS


# replies
def read(content: bytes) -> Word | Data | None:
    """Return what a reply says, None for one that is neither."""
    if not content:
        return None
    parts = content.split(FS)
    if content[0] in (ACK, NAK):
        said = [part.decode("gbk", "replace").strip() for part in parts[1:]] + ["", ""]
        return Word(content[0] == ACK, said[0][:8], _masked(said[1])[:60])
    fields = tuple(part.decode("gbk", "replace") for part in parts)
    return Data(fields) if len(fields[0]) == 2 else None


def notice(content: bytes) -> str:
    """Return what the terminal wants shown, without its command code and card numbers."""
    parts = [part.decode("gbk", "replace").strip() for part in content.split(FS)]
    told = " ".join(part for part in parts[1:] if part)
    return _masked("".join(char for char in told if char.isprintable()))[:512]


def _masked(text: str) -> str:
    """Mask what could be a card number; in an address it is an order's and stays."""
    if "://" in text:
        return text
    return _LONG.sub(lambda found: mask_pan(found[0]), text)


def _batch(text: str) -> str:
    """Return a batch number as all commands tell it: six digits at least."""
    return text[:12].zfill(6) if text.isdigit() else text[:12]


def record(data: Data) -> Record | None:
    """Return the terminal's record of a payment, None when it has no amount."""
    amount = data.field(_AMOUNT)
    if not (amount.isascii() and amount.isdigit()):
        return None
    return Record(
        data.field(_SERIAL), int(amount), mask_pan(data.field(_PAN)), _batch(data.field(_BATCH)),
        data.field(_TRACE)[:12], data.field(_REF)[:24], data.field(_AUTH)[:12],
        data.field(_AT)[:20],
    )  # fmt: skip


def record_state(data: Data) -> str:
    """Return the state of a record as the vendor codes it."""
    return data.field(_STATE)


def status(data: Data) -> Status:
    """Return the reply to SQ."""
    return Status(
        data.field(2), data.field(3) == "1", data.field(4) == "1", data.field(5) == "1",
        _batch(data.field(6)),
    )  # fmt: skip


def totals(data: Data) -> Totals | None:
    """Return a settlement's totals, None when they are not numbers."""
    numbers = [data.field(number) for number in range(3, 7)]
    if not all(text.isascii() and text.isdigit() for text in numbers):
        return None
    count, fen, refunds, refunds_fen = map(int, numbers)
    return Totals(_batch(data.field(2)), count, fen, refunds, refunds_fen)
