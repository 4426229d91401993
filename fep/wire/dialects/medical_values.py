"""Values of the medical dialect, read as the field writes them and written one way.

Rules: null, absent and empty are the same; a number may be a text and a text a number; an
amount keeps every digit or is refused, never rounded; both date forms are one. No float.
"""

from __future__ import annotations

import re
from typing import Any

from fep.domain.faults import refuse
from fep.domain.text import ForbiddenText, clean
from fep.wire.fields import MOMENT, is_moment

_NUMBER = re.compile(
    r"([+-]?)([0-9]{0,20})(?:\.([0-9]{0,20}))?(?:[eE]([+-]?[0-9]{1,2}))?", re.ASCII
)
PLAIN = re.compile(r"(?:0|-?[1-9][0-9]{0,10})(?:\.([0-9]{1,6}))?", re.ASCII)
"""A price or quantity as nearly every one is written; its decimals are group 1."""
MONEY = re.compile(r"(?:0|-?[1-9][0-9]{0,10})\.[0-9]{2}", re.ASCII)
"""An amount that is written as it is kept."""
_DIGITS_MAX = 24
_DAY = re.compile(r"([0-9]{4})[-/.]?([0-9]{1,2})[-/.]?([0-9]{1,2})(?:\D.*|\d{4,9})?", re.ASCII)
_WRITTEN_OUT = re.compile(r"[-/:. T]")
_SHORT = re.compile(r"(?<![0-9])([0-9])(?=[-/: T]|$)", re.ASCII)  # 2026-1-5 8:00


def text(value: Any, name: str, limit: int) -> str:
    """Return a scalar as text without blanks around it.

    Raises Refused REQ_FIELD_TYPE, REQ_FIELD_LENGTH, REQ_FIELD_TEXT.
    """
    if type(value) is str and len(value) <= limit and value.isprintable():
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        if abs(value) >= 10**40:
            raise refuse("REQ_FIELD_LENGTH", field=name, limit=limit)
        value = str(value)
    if not isinstance(value, str):
        raise refuse("REQ_FIELD_TYPE", field=name, why="string")
    value = value.strip()
    if len(value) > limit:
        raise refuse("REQ_FIELD_LENGTH", field=name, limit=limit)
    try:
        return clean(value)
    except ForbiddenText as error:
        raise refuse("REQ_FIELD_TEXT", field=name, char=str(error)) from error


def amount(value: Any, name: str) -> str:
    """Return an amount with exactly two decimals, empty when absent.

    Raises Refused REQ_FIELD_MONEY for more than two decimals that count.
    """
    given = text(value, name, 40)
    if not given or MONEY.fullmatch(given) is not None:  # as nearly every one is written
        return given
    scaled = _scaled(given, 2)
    if scaled is None:
        raise refuse("REQ_FIELD_MONEY", field=name, value=given[:20])
    sign = "-" if scaled < 0 else ""
    return f"{sign}{abs(scaled) // 100}.{abs(scaled) % 100:02d}"


def decimal(value: Any, name: str, digits: int) -> str:
    """Return a price, quantity or detail amount without needless zeros.

    Digits beyond `digits` are for show only and are cut off. Raises Refused REQ_FIELD_DECIMAL.
    """
    given = text(value, name, 40)
    if not given:
        return ""
    plain = PLAIN.fullmatch(given)
    if plain is not None and len(plain[1] or "") <= digits:  # as nearly every one is written
        return given.rstrip("0").rstrip(".") if plain[1] else given
    scaled = _scaled(given, digits, exact=False)
    if scaled is None:
        raise refuse("REQ_FIELD_DECIMAL", field=name, value=given[:20], digits=digits)
    whole, part = divmod(abs(scaled), 10**digits)
    tail = f"{part:0{digits}d}".rstrip("0")
    return f"{'-' if scaled < 0 else ''}{whole}{'.' + tail if tail else ''}"


def _scaled(given: str, digits: int, *, exact: bool = True) -> int | None:
    """Return the number times 10^digits, None when it is none or does not fit."""
    match = _NUMBER.fullmatch(given)
    if match is None or not (match[2] or match[3]):
        return None
    sign, whole, part, power = match[1], match[2] or "", match[3] or "", int(match[4] or 0)
    shift = digits + power - len(part)
    value = int(whole + part)
    if value == 0:
        return 0
    if shift >= 0:
        if len(str(value)) + shift > _DIGITS_MAX:
            return None
        value = value * int(10**shift)
    else:
        value, rest = divmod(value, int(10**-shift))
        if rest and exact:
            return None
    if len(str(value)) > 11 + digits:
        return None
    return -value if sign == "-" else value


def count(value: Any, name: str, default: int) -> int:
    """Return a whole number, `default` when absent. Raises Refused REQ_FIELD_VALUE."""
    given = text(value, name, 40)
    if not given:
        return default
    scaled = _scaled(given, 0)
    if scaled is None or not 0 <= scaled < 2**31:
        raise refuse("REQ_FIELD_VALUE", field=name, value=given[:20], allowed="0, 1, 2 …")
    return scaled


def day(value: Any, name: str) -> str:
    """Return a date as yyyyMMdd, whichever way it was written; what is no date is refused.

    Raises Refused REQ_FIELD_VALUE.
    """
    given = text(value, name, 40)
    if not given:
        return ""
    match = _DAY.fullmatch(given)
    found = f"{match[1]}{int(match[2]):02d}{int(match[3]):02d}" if match is not None else ""
    if not is_moment(found):
        raise refuse("REQ_FIELD_VALUE", field=name, value=given[:20], allowed="yyyyMMdd yyyy-MM-dd")
    return found


def moment(value: Any, name: str, fill: str = "000000000") -> str:
    """Return a time as yyyyMMddHHmmssSSS; what is cut short is filled from `fill`.

    Raises Refused REQ_FIELD_VALUE.
    """
    given = text(value, name, 40)
    if not given:
        return ""
    digits = given
    if not given.isdigit():
        digits = _WRITTEN_OUT.sub("", _SHORT.sub(r"0\1", given))
    digits = digits[:17]
    if not is_moment(digits):
        raise refuse("REQ_FIELD_VALUE", field=name, value=given[:20], allowed=MOMENT)
    return digits + fill[len(digits) - 8 :]


def dashed(value: str) -> str:
    """Return yyyyMMdd… as yyyy-MM-dd, anything shorter as it is."""
    return f"{value[:4]}-{value[4:6]}-{value[6:8]}" if len(value) >= 8 else value
