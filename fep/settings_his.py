"""[callers.his]: what the codes of a business system mean here, for the doors that speak its
dialect. Every table may be left out: a code that is not mapped passes as it is."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from fep.settings_toml import Source, Trail
from fep.wire.dialects.medical_codes import Codes

if TYPE_CHECKING:
    from fep.settings_site import UnitFile

NET_BASE_MAX = 41  # with /r/ and the 16 characters of a token it is 60
Code = Annotated[str, Meta(min_length=1, max_length=60)]
Ours = Annotated[str, Meta(min_length=1, max_length=40)]


class HisSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[callers.his]: unit and window, code tables, the key of an event."""

    unit: Annotated[str, Meta(max_length=40)] = ""
    point: Annotated[str, Meta(max_length=40)] = ""
    points: dict[Code, Ours] = {}
    kinds: dict[Code, Ours] = {}
    channels: dict[Code, Ours] = {}
    items: dict[Code, Ours] = {}
    key_rule: Annotated[
        str, Meta(pattern=r"^(busNo|content|(before|after):.{1,5}|field:[A-Za-z]{1,40})$")
    ] = "busNo"
    net_base: Annotated[
        str, Meta(max_length=NET_BASE_MAX, pattern=r"^(https?://[^\s/]+(/[^\s]*[^\s/])?)?$")
    ] = ""

    def codes(self) -> Codes:
        """Return the value that the doors use."""
        return Codes(
            self.unit, self.point, self.points, self.kinds, self.channels, self.items,
            self.key_rule, self.net_base,
        )  # fmt: skip


def check_his(source: Source, trail: Trail, his: HisSettings, units: Iterable[UnitFile]) -> None:
    """Note names that stand for nothing among the units a caller may act for."""
    mine = [unit for unit in units if his.unit in ("", unit.code)]
    if his.unit and not mine:
        _unknown(source, (*trail, "his", "unit"), his.unit, [], ("单位", "unit"))
        return
    points = {point.code for unit in mine for point in unit.points}
    kinds = {kind for unit in mine for kind in unit.kinds}
    what: Mapping[str, tuple[Mapping[str, str], Collection[str], tuple[str, str]]] = {
        "points": (his.points, points, ("开票点", "point")),
        "kinds": (his.kinds, kinds, ("票据种类", "kind")),
    }
    if his.point and his.point not in points:
        _unknown(source, (*trail, "his", "point"), his.point, points, ("开票点", "point"))
    for name, (table, known, word) in what.items():
        for theirs, ours in table.items():
            if ours not in known:
                _unknown(source, (*trail, "his", name, theirs), ours, known, word)


def _unknown(
    source: Source, trail: Trail, name: str, known: Collection[str], what: tuple[str, str]
) -> None:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    source.wrong(trail, f"没有{what[0]} {name}", f"there is no {what[1]} {name}",
                 near[0] if near else " | ".join(sorted(known)))  # fmt: skip
