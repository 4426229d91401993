"""The non-tax dialect of colleges and others (standard-web): its envelope, its fields, what they
become.

Of the family of the medical dialect: the same envelope with region and deptcode before the
appid in what is signed, the same answers. No specification was found; the tables say what
three clients send and read (facts/his-api 6). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from fep.crypto import sm3
from fep.domain.faults import refuse
from fep.domain.kind import Unit
from fep.wire.dialects import medical_envelope
from fep.wire.dialects.medical_codes import Codes, key_of
from fep.wire.dialects.medical_envelope import Envelope
from fep.wire.dialects.medical_table import Field, Row, needed, texts

OUTER = ("region", "deptcode")
OUTER_MAX = 60
ITEM_CODE_MAX = 30
OTHER_CHANNEL = "99"
"""The channel of a bill that names none."""

CHARGE = (
    Field("chargeCode", 50, need=True), Field("chargeName", 100, need=True),
    *texts("unit", 20), Field("std", shape="price"), Field("number", shape="price"),
    Field("amt", shape="amount", need=True), *texts("remark", 100), Field("sortNo", shape="count"),
)  # fmt: skip
ISSUE = (
    *needed("busNo"), Field("busDateTime", shape="moment", need=True), *needed("placeCode"),
    *texts("billCode", 60), Field("payer", 100, need=True), *texts("payerType", 10),
    *texts("idCardNo"), *texts("tel", 20), *texts("email", 100),
    *texts("payee author checker"), *texts("payChannel", 20), *texts("remark", 200),
    Field("totalAmt", shape="amount", need=True),
    Field("chargeDetail", shape="list", rows=CHARGE, need=True),
)  # fmt: skip
NOTICE = (
    *needed("billBatchCode"), *needed("billNo", 20), *texts("random", 20),
    Field("noticeInfo", shape="list", need=True, rows_max=20, rows=(
        Field("code", 10, need=True), Field("value", 100, need=True),
    )),
)  # fmt: skip


def opened(body: bytes) -> Envelope:
    """Return the envelope of a body, with what its sign begins with.

    Raises Refused REQ_PARSE, REQ_FIELD_MISSING, REQ_FIELD_LENGTH.
    """
    envelope = medical_envelope.opened(body)
    for name in OUTER:
        if not envelope.other(name):
            raise refuse("REQ_FIELD_MISSING", field=name)
        if len(envelope.other(name)) > OUTER_MAX:
            raise refuse("REQ_FIELD_LENGTH", field=name, limit=OUTER_MAX)
    return structs.replace(envelope, head="".join(f"{n}={v}&" for n, v in outer_of(envelope)))


def outer_of(envelope: Envelope) -> tuple[tuple[str, str], ...]:
    """Return region and deptcode as they came."""
    return tuple((name, envelope.other(name)) for name in OUTER)


def unit_of(deptcode: str, units: Mapping[str, Unit]) -> str:
    """Return the code of the unit that a deptcode names, empty when it names none of ours."""
    for unit in units.values():
        if deptcode in (unit.code, unit.party_code):
            return unit.code
    return ""


def as_params(call: Row, codes: Codes, unit: Unit) -> dict[str, Any]:
    """Return the params of `receipt.issue` for a call that was read by its table.

    Raises Refused HIS_POINT, HIS_KIND, REQ_FIELD_LENGTH.
    """
    channel = call["payChannel"] or OTHER_CHANNEL
    payer = {"name": call["payer"], "type": "2" if call["payerType"] == "2" else "1"}
    for ours, theirs in (("code", "idCardNo"), ("tel", "tel"), ("email", "email")):
        if call[theirs]:
            payer[ours] = call[theirs]
    return {
        "unit": unit.code,
        "point": codes.point_of(call["placeCode"], unit),
        "kind": _kind(call["billCode"], codes, unit),
        "key": key_of(codes.key_rule, call, _content_name(call)),
        "payer": payer,
        "total": call["totalAmt"],
        "items": [_item(row, codes) for row in call["chargeDetail"]],
        "details": [],
        "channels": [{"code": codes.channels.get(channel, channel), "amount": call["totalAmt"]}],
        "cashier": call["payee"],
        "author": call["author"] or call["payee"],
        "checker": call["checker"],
        "remark": call["remark"],
        "occurred_at": call["busDateTime"],
        "ext": {},
    }


def _kind(bill_code: str, codes: Codes, unit: Unit) -> str:
    for kind in (codes.kinds.get(bill_code, ""), bill_code):
        if kind in unit.kinds:
            return kind
    if len(unit.kinds) == 1:
        return unit.kinds[0]
    raise refuse("HIS_KIND", bus_type=bill_code)


def _item(row: Row, codes: Codes) -> dict[str, str]:
    code = codes.items.get(row["chargeCode"], row["chargeCode"])
    if len(code) > ITEM_CODE_MAX:
        raise refuse("REQ_FIELD_LENGTH", field="chargeDetail.chargeCode", limit=ITEM_CODE_MAX)
    told = {
        "code": code, "name": row["chargeName"], "amount": row["amt"], "unit": row["unit"],
        "std": row["std"] or row["amt"], "number": row["number"] or "1", "remark": row["remark"],
    }  # fmt: skip
    return {name: value for name, value in told.items() if value}


def _content_name(call: Row) -> str:
    parts = [call["billCode"], call["payer"], call["idCardNo"], call["busDateTime"],
             call["totalAmt"]]  # fmt: skip
    for row in call["chargeDetail"]:
        parts += (row["chargeCode"], row["amt"])
    return f"c-{sm3.digest(chr(31).join(parts).encode()).hex()[:40]}"
