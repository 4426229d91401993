"""Billing events out of files: the field's medical-web shape, or our own parameters.

Two rules: a member is renamed, never computed; what the file does not say, the caller's
options say.
"""

from __future__ import annotations

import json
from typing import Any

from fep.sim.his_content import Call

BUS_KINDS = {"01": "inpatient", "02": "outpatient", "03": "outpatient", "04": "outpatient",
             "05": "outpatient", "06": "outpatient"}  # fmt: skip

EXTRAS = {
    "gender": "sex",
    "age": "age",
    "patient_no": "patientNo",
    "visit_date": "consultationDate",
    "org_type": "medicalInstitution",
    "insurance_type": "medicalCareType",
    "insurance_no": "medicalInsuranceID",
    "department": "patientCategory",
    "case_no": "caseNumber",
    "hospital_no": "hospitalNo",
    "in_date": "inHospitalDate",
    "out_date": "outHospitalDate",
    "fund_pay": "fundPay",
    "other_pay": "otherfundPay",
    "account_pay": "accountPay",
    "cash_pay": "selfCashPay",
    "self_pay": "selfPayAmt",
    "self_cost": "ownPay",
    "prepay": "cashPay",
    "recharge": "cashRecharge",
    "refund": "cashRefund",
}


def load(text: str, *, unit: str, point: str, kind: str, wants_print: bool) -> list[Call]:
    """Return the calls of an events file: one object or a list of them.

    Raises ValueError for text that is no JSON or an object without key and total.
    """
    found = json.loads(text)
    calls = []
    for event in found if isinstance(found, list) else [found]:
        params = dict(event) if "items" in event else from_medical_web(event, kind)
        params["unit"] = params.get("unit") or unit
        params["point"] = params.get("point") or point
        params["kind"] = params.get("kind") or kind
        if wants_print:
            params["print"] = True
        if not params.get("key") or not params.get("total"):
            raise ValueError("an event needs key (busNo) and total (totalAmt)")
        calls.append(_call(params))
    return calls


def from_medical_web(event: dict[str, Any], default_kind: str) -> dict[str, Any]:
    """Return our parameters for an event in the medical-web or standard-web shape."""
    ext = {ours: event[theirs] for ours, theirs in EXTRAS.items() if event.get(theirs)}
    if "department" not in ext and event.get("leaveCategory"):
        ext["department"] = event["leaveCategory"]
    total = event.get("totalAmt", "")
    channels = [
        {"code": channel["payChannelCode"], "amount": channel["payChannelValue"]}
        for channel in event.get("payChannelDetail", [])
    ]
    if not channels and event.get("payChannel"):
        channels = [{"code": event["payChannel"], "amount": total}]
    return {
        "key": event.get("busNo", ""),
        "point": event.get("placeCode", ""),
        "kind": BUS_KINDS.get(event.get("busType", ""), default_kind),
        "payer": {
            "name": event.get("payer", ""),
            "type": event.get("payerType") or "1",
            "code": event.get("idCardNo", ""),
            "tel": event.get("tel", ""),
            "email": event.get("email", ""),
        },
        "total": total,
        "items": [_item(line) for line in event.get("chargeDetail", [])],
        "details": [_detail(line) for line in event.get("listDetail", [])],
        "channels": channels,
        "cashier": event.get("payee", ""),
        "author": event.get("author", ""),
        "checker": event.get("checker", ""),
        "remark": event.get("remark", ""),
        "occurred_at": event.get("busDateTime", ""),
        "ext": ext,
    }


def _item(line: dict[str, Any]) -> dict[str, str]:
    return {"code": line["chargeCode"], "name": line["chargeName"], "unit": line.get("unit", ""),
            "std": line.get("std", ""), "number": line.get("number", ""), "amount": line["amt"],
            "remark": line.get("remark", "")}  # fmt: skip


def _detail(line: dict[str, Any]) -> dict[str, str]:
    return {"item": line["chargeCode"], "code": line.get("code", ""), "name": line["name"],
            "spec": line.get("specification", ""), "unit": line.get("unit", ""),
            "std": line.get("std", ""), "number": line.get("number", ""),
            "amount": line["amt"], "remark": line.get("remark", "")}  # fmt: skip


def _call(params: dict[str, Any]) -> Call:
    text = json.dumps(params, ensure_ascii=False, separators=(",", ":"))
    amount = int(str(params["total"]).replace(".", ""))
    return Call(params["key"], params.get("payer", {}).get("name", ""), amount, text.encode())
