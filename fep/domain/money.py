"""Money as integers. Totals, items and channels are fen; unit prices and quantities are
scaled by 10^6, detail amounts by 10^4. There is no float in this house.
"""

from __future__ import annotations

import re

Fen = int

# 10^11 yuan is beyond any receipt; the bound keeps sums far inside 64 bits.
LIMIT_FEN = 10**13
_PLAIN_MAX = 14  # eleven digits, a point, two digits
_MONEY = re.compile(r"(-?)(\d{1,11})(?:\.(\d{1,2}))?", re.ASCII)
_SCALED = re.compile(r"(-?)(\d{1,11})(?:\.(\d{1,6}))?", re.ASCII)


class NotMoney(ValueError):
    """The text is not an amount; the argument is the text."""


def parse_fen(text: str) -> Fen:
    """Return fen of a decimal text such as "12.30", "-5" or "0.5".

    Raises NotMoney for anything else: exponents, more than two decimals, spaces.
    """
    if text[-3:-2] == "." and text.isascii() and len(text) <= _PLAIN_MAX:
        digits = text[:-3] + text[-2:]  # "453.34", as nearly every amount is written
        if digits.isdigit() and len(digits) > 2:
            return int(digits)
    match = _MONEY.fullmatch(text)
    if match is None:
        raise NotMoney(text)
    sign, whole, part = match.groups()
    fen = int(whole) * 100 + int((part or "").ljust(2, "0"))
    return -fen if sign else fen


def format_fen(fen: Fen) -> str:
    """Return the amount in yuan with exactly two decimals."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def parse_scaled(text: str, digits: int) -> int:
    """Return a decimal text as an integer scaled by 10^digits.

    Raises NotMoney when it has more decimals than that, or is no decimal at all.
    """
    match = _SCALED.fullmatch(text)
    if match is None or len(match.group(3) or "") > digits:
        raise NotMoney(text)
    sign, whole, part = match.groups()
    value: int = int(whole) * 10**digits + int((part or "").ljust(digits, "0") or "0")
    return -value if sign else value
