"""Fields of a request, read strictly: unknown, missing, wrong type, too long, not text.

Every refusal names the field by its path (`items[3].amount`), so that the engineer at the
other end knows where to look.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from fep.domain.calendar import CST
from fep.domain.faults import refuse
from fep.domain.money import Fen, NotMoney, parse_fen, parse_scaled
from fep.domain.text import ForbiddenText, clean

T = TypeVar("T")
MOMENT = "yyyyMMddHHmmssSSS"
_MOMENT = re.compile(r"[0-9]{8}(?:[0-9]{4}(?:[0-9]{2}(?:[0-9]{1,3})?)?)?", re.ASCII)


def is_moment(text: str) -> bool:
    """Say whether a text is a day, or a time of it, that exists: yyyyMMdd to yyyyMMddHHmmssSSS."""
    if _MOMENT.fullmatch(text) is None:
        return False
    clock = text[8:14].ljust(6, "0")
    try:
        datetime(int(text[:4]), int(text[4:6]), int(text[6:8]),
                 int(clock[:2]), int(clock[2:4]), int(clock[4:]), tzinfo=CST)  # fmt: skip
    except ValueError:
        return False
    return True


class Fields:
    """One JSON object of a request; `done()` refuses what nobody asked for."""

    __slots__ = ("_left", "_path")

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise refuse("REQ_FIELD_TYPE", field=path or "params", why="object")
        self._left: dict[str, Any] = dict(value)
        self._path = path

    def _name(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def take(self, name: str, kind: type, default: Any = None) -> Any:
        """Return a member of a type, `default` when absent or null."""
        value = self._left.pop(name, None)
        if value is None:
            return default
        if type(value) is not kind:
            raise refuse("REQ_FIELD_TYPE", field=self._name(name), why=kind.__name__)
        # More than 64 bits is more than the store can compare with.
        if isinstance(value, int) and not -(2**63) < value < 2**63:
            raise refuse("REQ_FIELD_VALUE", field=self._name(name), value="…", allowed="< 2^63")
        return value

    def text(self, name: str, limit: int, *, required: bool = False) -> str:
        """Return a text of at most `limit` characters with blanks made plain.

        Raises Refused REQ_FIELD_MISSING, _TYPE, _LENGTH, _TEXT.
        """
        value = self._left.pop(name, None)
        if value is None or value == "":
            if required:
                raise refuse("REQ_FIELD_MISSING", field=self._name(name))
            return ""
        if type(value) is not str:
            raise refuse("REQ_FIELD_TYPE", field=self._name(name), why="string")
        if len(value) > limit:
            raise refuse("REQ_FIELD_LENGTH", field=self._name(name), limit=limit)
        try:
            return clean(value)
        except ForbiddenText as error:
            raise refuse("REQ_FIELD_TEXT", field=self._name(name), char=str(error)) from error

    def fen(self, name: str) -> Fen:
        """Return a required amount in fen. Raises Refused REQ_FIELD_MONEY."""
        value = self.text(name, 20, required=True)
        try:
            return parse_fen(value)
        except NotMoney as error:
            raise refuse("REQ_FIELD_MONEY", field=self._name(name), value=value) from error

    def moment(self, name: str) -> str:
        """Return a business time, empty when none is given. Raises Refused REQ_FIELD_VALUE."""
        value = self.text(name, 17)
        if value and not is_moment(value):
            raise refuse("REQ_FIELD_VALUE", field=self._name(name), value=value, allowed=MOMENT)
        return value

    def decimal(self, name: str, digits: int) -> str:
        """Return a decimal as given, proved to be one of at most `digits` decimals."""
        value = self.text(name, 20)
        if value:
            try:
                parse_scaled(value, digits)
            except NotMoney as error:
                raise refuse(
                    "REQ_FIELD_DECIMAL", field=self._name(name), value=value, digits=digits
                ) from error
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """Return one of the allowed texts."""
        value = self.text(name, 20) or default
        if value not in allowed:
            raise refuse(
                "REQ_FIELD_VALUE", field=self._name(name), value=value, allowed=" ".join(allowed)
            )
        return value

    def objects(self, name: str, limit: int) -> Iterator[Fields]:
        """Yield the objects of a list of at most `limit`."""
        value = self.take(name, list, [])
        if len(value) > limit:
            raise refuse("REQ_FIELD_LENGTH", field=self._name(name), limit=limit)
        for index, entry in enumerate(value):
            yield Fields(entry, f"{self._name(name)}[{index}]")

    def texts(self, name: str, limit: int, length: int) -> dict[str, str]:
        """Return an object of texts."""
        value = self.take(name, dict, {})
        if len(value) > limit:
            raise refuse("REQ_FIELD_LENGTH", field=self._name(name), limit=limit)
        inner = Fields(value, self._name(name))
        return {member: inner.text(member, length) for member in value}

    def done(self) -> None:
        """Refuse members that no method knows. Raises Refused REQ_FIELD_UNKNOWN."""
        for name in self._left:
            raise refuse("REQ_FIELD_UNKNOWN", field=self._name(name)[:80])


def tuple_of(fields: Iterator[Fields], read: Callable[[Fields], T]) -> tuple[T, ...]:
    """Read each object and make sure nothing is left over in it."""
    found = []
    for entry in fields:
        found.append(read(entry))
        entry.done()
    return tuple(found)
