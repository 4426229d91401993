"""Code tables of the medical dialect, and how a caller's own codes become ours.

Every code of a business system may be mapped: that is what the platform does for it today
(facts/his-api 2). What is not mapped passes as it is, where that can be right. Pure values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fep.domain.faults import Refused, refuse
from fep.domain.kind import Unit

BUS_TYPES: Mapping[str, str] = {
    "01": "住院", "02": "门诊", "03": "急诊", "04": "门特", "05": "体检中心", "06": "挂号",
    "07": "住院预交金", "08": "体检预交金", "09": "往来票", "10": "捐赠票", "11": "非税通用票",
    "12": "门诊预交金",
}  # fmt: skip
KINDS: Mapping[str, str] = {
    "01": "inpatient", "02": "outpatient", "03": "outpatient", "04": "outpatient",
    "05": "outpatient", "06": "outpatient", "09": "settlement", "10": "donation",
    "11": "unified",
}  # fmt: skip
KEY_RULES = ("busNo", "before:", "after:", "field:", "content")
NOTICES = ("1201", "1202")  # mobile, e-mail

# Result codes are ours to define: nobody compares with anything but S0000 (facts/his-api 1.4).
_RESULTS: Mapping[str, str] = {
    "AUTH_WRONG": "E0001", "AUTH_LOCKED": "E0001", "AUTH_ADDRESS": "E0001",
    "AUTH_RIGHT": "E0002", "AUTH_SCOPE": "E0002", "CALLER_AMOUNT": "E0002",
    "REQ_PARSE": "E0003", "REQ_TOO_BIG": "E0003",
    "HIS_METHOD": "E0004", "HIS_UNIT": "E0005", "HIS_POINT": "E0005", "HIS_KIND": "E0005",
    "CFG_UNIT": "E0005", "CFG_POINT": "E0005", "CFG_KIND": "E0005",
    "EVT_CONFLICT": "E1001", "BATCH_CONFLICT": "E1001", "EVT_TOTAL": "E1002",
    "EVT_ITEMS_SUM": "E1003", "EVT_CHANNELS_SUM": "E1004", "EVT_ITEMS_NONE": "E1005",
    "NUM_NONE": "E1006",
    "RCP_UNKNOWN": "E2001", "EVT_UNKNOWN": "E2001", "HIS_PENDING": "E2002",
    "HIS_SHEETS": "E4000",
    "LIFE_REVERSED": "E3001", "LIFE_PAPER": "E3002", "LIFE_BOOKED": "E3003",
    "BUSY": "E9001", "STOPPING": "E9001", "CALLER_RATE": "E9001", "FENCED": "E9002",
    "SIG_TIMEOUT": "E9003", "SIG_DOWN": "E9003", "INTERNAL": "E9999",
}  # fmt: skip
_FAMILIES: Mapping[str, str] = {
    "AUTH": "E0001", "CFG": "E0005", "REQ": "E0006", "EVT": "E1000", "KIND": "E1000",
    "NUM": "E1006", "RCP": "E2001", "LIFE": "E3000", "PAPER": "E4000", "HIS": "E0006",
    "SIG": "E9003",
}  # fmt: skip
REVERSED = "已冲销，不能冲销开票"
"""What a client looks for when a bill is red already (facts/his-api 1.4)."""
NO_NUMBER = "无可用票据"


def result_of(refused: Refused) -> str:
    """Return the E-code of a refusal."""
    family = refused.code.split("_", 1)[0]
    return _RESULTS.get(refused.code) or _FAMILIES.get(family, "E9000")


def text_of(refused: Refused) -> str:
    """Return the sentence of a refusal, with the words that clients match literally."""
    if refused.code == "LIFE_REVERSED":
        return REVERSED
    if refused.code in ("NUM_NONE", "PAPER_NONE", "HIS_SHEETS"):
        return f"{NO_NUMBER}：{refused.zh}[{refused.code}]"
    if refused.code == "LIFE_PAPER":  # what that is called in this dialect
        return f"{refused.zh}；作废并冲红请调用 invalidPaper[LIFE_PAPER]"
    return f"{refused.zh}[{refused.code}]"


@dataclass(frozen=True, slots=True)
class Codes:
    """What a caller's codes mean here. Empty tables let codes pass as they are.

    `unit` is needed by a caller of several units; `point` is the window of every placeCode
    that is neither mapped nor one of ours; `net_base` is the address of receipt pages on the
    Internet.
    """

    unit: str = ""
    point: str = ""
    points: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)
    key_rule: str = "busNo"
    net_base: str = ""

    def point_of(self, place: str, unit: Unit) -> str:
        """Return our point of a placeCode. Raises Refused HIS_POINT."""
        codes = {point.code for point in unit.points}
        bare = place.removeprefix("M")  # outpatient operators of one province
        for found in (self.points.get(place), place, self.points.get(bare), bare, self.point):
            if found and found in codes:
                return found
        if len(codes) == 1:
            return next(iter(codes))
        raise refuse("HIS_POINT", place=place)

    def kind_of(self, bus_type: str, default: str, unit: Unit) -> str:
        """Return the kind of a busType; an own code of the HIS is taken as `default` (01, 02).

        Raises Refused HIS_KIND.
        """
        own = bus_type in self.kinds or bus_type in BUS_TYPES
        code = bus_type if own else default
        kind = self.kinds.get(code) or KINDS.get(code, "")
        if kind in unit.kinds:
            return kind
        raise refuse("HIS_KIND", bus_type=bus_type)


def key_of(rule: str, fields: Mapping[str, object], content: str) -> str:
    """Return the event key of a call: a HIS whose busNo changes needs another than it.

    `content` is the name that the content alone would have.
    """
    bus_no = str(fields.get("busNo", ""))
    how, _, what = rule.partition(":")
    if how == "before":
        return bus_no.split(what, 1)[0] or bus_no
    if how == "after":
        return bus_no.rsplit(what, 1)[-1] or bus_no
    if how == "field":
        return str(fields.get(what) or bus_no)
    return content if how == "content" else bus_no
