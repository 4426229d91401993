"""What a unit bills that is not an outpatient visit: one small price list a kind.

Two rules: the n-th call of a seed has the same key and the same content at every run; items
sum to the total, nothing is negative.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from fep.sim.dice import Dice
from fep.sim.his_content import Call, Content, payer_name, yuan

MEDICAL = ("outpatient", "inpatient")


@dataclass(frozen=True, slots=True)
class _List:
    """A price list: (code, name, unit, least fen, most fen), and what the kind asks beside."""

    lines: tuple[tuple[str, str, str, int, int], ...]
    organisation: bool = False
    ext: dict[str, str] = field(default_factory=dict)
    most_lines: int = 3


PRICES: dict[str, _List] = {
    "unified": _List(
        (
            ("103042", "考试考务费", "人", 3000, 30000),
            ("103043", "学费", "学年", 400000, 800000),
            ("103044", "住宿费", "学年", 60000, 150000),
        ),
    ),
    "payment": _List(
        (
            ("103050", "诉讼费", "件", 5000, 900000),
            ("103071", "国有资产出租收入", "季", 100000, 900000),
        ),
        ext={"pay_code": "42010026000000000017"},
        most_lines=2,
    ),
    "settlement": _List(
        (
            ("900101", "代收代付款", "笔", 10000, 500000),
            ("900102", "押金", "笔", 5000, 100000),
            ("900103", "往来款", "笔", 10000, 900000),
        ),
        organisation=True,
    ),
    "donation": _List(
        (
            ("800101", "货币捐赠", "元", 1000, 1000000),
            ("800102", "实物捐赠折价", "批", 10000, 900000),
        ),
        organisation=True,
    ),
    "penalty": _List(
        (
            ("050101", "交通违法罚款", "起", 5000, 20000),
            ("050102", "没收违法所得", "起", 10000, 300000),
        ),
        most_lines=1,
    ),
    "membership": _List(
        (
            ("700101", "团体会员会费", "年", 100000, 1000000),
            ("700102", "个人会员会费", "年", 5000, 50000),
        ),
        organisation=True,
    ),
}
KINDS = (*MEDICAL, *PRICES)


class AllKinds:
    """Makes calls of every kind in turn."""

    def __init__(
        self,
        *,
        seed: int,
        unit: str,
        point: str,
        kinds: tuple[str, ...],
        at: str,
        wants_print: bool,
    ) -> None:
        self._seed = seed
        self._unit, self._point, self._at = unit, point, at
        self._kinds = kinds
        self._print = wants_print
        self._medical = {
            kind: Content(
                seed=seed * 10 + place,
                unit=unit,
                point=point,
                kind=kind,
                at=at,
                wants_print=wants_print,
            )
            for place, kind in enumerate(MEDICAL)
        }

    def call(self, number: int) -> Call:
        """Return the call with that number (0, 1, 2 …); the kinds take turns."""
        kind = self._kinds[number % len(self._kinds)]
        if kind in self._medical:
            return self._medical[kind].call(number)
        return self._listed(kind, number)

    def _listed(self, kind: str, number: int) -> Call:
        dice, prices = Dice(self._seed, kind, number), PRICES[kind]
        lines = dice.shuffled(prices.lines)[: dice.between(1, prices.most_lines)]
        items = [self._item(dice, line) for line in lines]
        total = sum(fen for _, fen in items)
        name = payer_name(dice)
        if prices.organisation:
            name = f"{name}商贸有限公司"
        key = f"{kind[:4].upper()}{self._seed:06d}{number:09d}"
        params: dict[str, Any] = {
            "key": key,
            "payer": {"name": name, "type": "2" if prices.organisation else "1"},
            "unit": self._unit,
            "point": self._point,
            "kind": kind,
            "occurred_at": self._at,
            "total": yuan(total),
            "items": [item for item, _ in items],
            "channels": [{"code": dice.pick(("02", "04", "05", "07")), "amount": yuan(total)}],
            "cashier": "王芳",
            "author": "王芳",
            "checker": "刘敏",
            "ext": prices.ext,
        }
        if self._print:
            params["print"] = True
        text = json.dumps(params, ensure_ascii=False, separators=(",", ":"))
        return Call(key, name, total, text.encode())

    def _item(self, dice: Dice, line: tuple[str, str, str, int, int]) -> tuple[dict[str, str], int]:
        code, name, unit, least, most = line
        fen = dice.between(least, most)
        item = {
            "code": code,
            "name": name,
            "unit": unit,
            "std": yuan(fen),
            "number": "1",
            "amount": yuan(fen),
        }
        return item, fen


def kinds_of(said: str) -> tuple[str, ...]:
    """Return the kinds of `all` or a list with commas. Raises ValueError for a stranger."""
    kinds = KINDS if said == "all" else tuple(said.split(","))
    strange = [kind for kind in kinds if kind not in KINDS]
    if strange:
        raise ValueError(f"{strange[0]} is none of {', '.join(KINDS)}")
    return kinds
