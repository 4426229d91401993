"""The record of `bankall`: fixed widths in bytes, text in GBK (facts/devices 3.2).

Pure. Rules: fields are cut by bytes and decoded after, a Chinese sign is two; the last three
bytes are no checksum but a number of ours that comes back; a day comes without its year.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from fep.domain.payment import Record, Totals, mask_pan

REQUEST_SIZE, INFO_SIZE, REPLY_SIZE = 59, 100, 148
_DIGITS = re.compile(r"\d*")


class BadRecord(Exception):
    """What came is no record, or what is to be sent does not fit into one."""


@dataclass(frozen=True, slots=True)
class Request:
    """One command. `original_day` is yyyymmdd; `nonce` comes back in the reply."""

    terminal: str
    operator: str
    type: str
    amount_fen: int
    nonce: int
    original_day: str = ""
    original_ref: str = ""
    original_trace: str = ""
    info: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the library answers; `at` is MMDDHHMMSS, `slip` the text it printed."""

    code: str
    bank: str
    card: str
    trace: str
    amount_fen: int
    text: str
    merchant: str
    terminal: str
    batch: str
    at: str
    ref: str
    auth: str
    settles_on: str
    nonce: str
    slip: str


def request(asked: Request) -> bytes:
    """Return the record, 59 bytes, or 159 with the payer's code. Raises BadRecord."""
    if not 0 <= asked.amount_fen < 10**12:
        raise BadRecord(f"amount {asked.amount_fen} fen")
    record = b"".join(
        (
            _left(asked.terminal, 8), _left(asked.operator, 8), _left(asked.type, 2),
            b"%012d" % asked.amount_fen, _left(asked.original_day, 8),
            _left(asked.original_ref, 12), _left(asked.original_trace, 6),
            b"%03d" % (asked.nonce % 1000),
        )
    )  # fmt: skip
    assert len(record) == REQUEST_SIZE, len(record)
    return record + _left(asked.info, INFO_SIZE) if asked.info else record


def reply(raw: bytes) -> Reply:
    """Return the fields of an answer. Raises BadRecord."""
    if len(raw) < REPLY_SIZE:
        raise BadRecord(f"{len(raw)} bytes instead of {REPLY_SIZE}")
    amount = _text(raw, 32, 12)
    if not _DIGITS.fullmatch(amount):
        raise BadRecord("the amount is no number")
    return Reply(
        code=_text(raw, 0, 2), bank=_text(raw, 2, 4), card=_text(raw, 6, 20),
        trace=_text(raw, 26, 6), amount_fen=int(amount or 0), text=_text(raw, 44, 40),
        merchant=_text(raw, 84, 15), terminal=_text(raw, 99, 8), batch=_text(raw, 107, 6),
        at=_text(raw, 113, 10), ref=_text(raw, 123, 12), auth=_text(raw, 135, 6),
        settles_on=_text(raw, 141, 4), nonce=_text(raw, 145, 3), slip=_text(raw, 148, len(raw)),
    )  # fmt: skip


def record(told: Reply, serial: str, today: date) -> Record:
    """Return what the terminal has on record, its card masked, its day with a year."""
    return Record(
        serial=serial, amount_fen=told.amount_fen, pan=mask_pan(told.card), batch=told.batch,
        trace=told.trace, ref=told.ref, auth=told.auth, at=moment(told.at, today),
        host_code=told.code, text=told.text,
    )  # fmt: skip


def moment(at: str, today: date) -> str:
    """Return yyyymmddHHMMSS of MMDDHHMMSS: the year in which that day is nearest to today."""
    if not (len(at) == 10 and at.isascii() and at.isdigit()):
        return ""
    days = []
    for year in (today.year - 1, today.year, today.year + 1):
        try:
            days.append(date(year, int(at[:2]), int(at[2:4])))
        except ValueError:  # not a day, or no 29th of February in that year
            continue
    if not days:
        return ""
    nearest = min(days, key=lambda day: abs((day - today).days))
    return f"{nearest:%Y%m%d}{at[4:]}"


def totals(told: Reply, sales: str, refunds: str) -> Totals | None:
    """Return what the slip of a settlement says, None when it does not say it."""
    sold, back = re.search(sales, told.slip), re.search(refunds, told.slip)
    if sold is None or not told.batch:
        return None
    return Totals(
        told.batch, int(sold[1]), _fen(sold[2]),
        int(back[1]) if back else 0, _fen(back[2]) if back else 0,
    )  # fmt: skip


def _fen(yuan: str) -> int:
    whole, _, rest = yuan.partition(".")
    return int(whole) * 100 + int(rest)


def _left(text: str, width: int) -> bytes:
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError as error:
        raise BadRecord(f"{text!r} is not ASCII") from error
    if len(raw) > width or any(byte < 0x20 for byte in raw):
        raise BadRecord(f"{text!r} does not fit into {width} bytes")
    return raw.ljust(width)


def _text(raw: bytes, start: int, width: int) -> str:
    cut = raw[start : start + width].replace(b"\0", b" ")
    return cut.decode("gbk", "replace").strip()
