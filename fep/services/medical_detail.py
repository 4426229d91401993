"""`getBillDetail`: a receipt as a kiosk prints it, from the event and from what was said of it.

What counts (payer, amounts, items) is the event's; the business system's own words fill the
rest. A receipt that came through another door has none of those: its fields are empty.
"""

from __future__ import annotations

from typing import Any

from fep.domain.event import BillingEvent, Detail, Item
from fep.domain.money import format_fen
from fep.domain.receipt import Receipt
from fep.services.medical_words import moment, number
from fep.store.medical import Kept
from fep.wire.dialects.medical_issue import department
from fep.wire.dialects.medical_values import dashed

_SAID = (
    "cardType", "cardNo", "sex", "age", "idCardNo", "patientNo", "patientId", "caseNumber",
    "hospitalNo", "medicalInstitution", "medicalCareType", "medicalInsuranceID",
)  # fmt: skip
_AMOUNTS = (
    "cashPay", "cashRecharge", "cashRefund", "fundPay", "otherfundPay", "accountPay",
    "selfConceitedAmt", "selfPayAmt", "selfCashPay", "ownPay",
)  # fmt: skip
# Where an event of another door has what the dialect asks for.
_EXT = {
    "sex": "gender", "age": "age", "patientNo": "patient_no", "caseNumber": "case_no",
    "hospitalNo": "hospital_no", "medicalInstitution": "org_type",
    "medicalCareType": "insurance_type", "medicalInsuranceID": "insurance_no",
    "fundPay": "fund_pay", "otherfundPay": "other_pay", "accountPay": "account_pay",
    "selfCashPay": "cash_pay", "selfPayAmt": "self_pay", "ownPay": "self_cost",
    "cashPay": "prepay", "cashRecharge": "recharge", "cashRefund": "refund",
}  # fmt: skip


def told_detail(receipt: Receipt, event: BillingEvent, kept: Kept | None) -> dict[str, Any]:
    """Return the message; every field is there."""
    call: dict[str, Any] = kept.call if kept is not None else {}

    def said(name: str) -> str:
        return str(call.get(name) or "") or event.ext.get(_EXT.get(name, ""), "")

    charges = sorted(call.get("chargeDetail", ()), key=lambda row: int(row.get("sortNo", 0)))
    lists = call.get("listDetail", ())
    return {
        "busNo": kept.bus_no if kept is not None else receipt.key,
        "busType": kept.bus_type if kept is not None else "",
        "payer": event.payer.name,
        "busDateTime": event.occurred_at or moment(receipt.issued_at),
        "placeCode": kept.place if kept is not None and kept.place else receipt.point,
        "payee": event.cashier,
        "author": event.author,
        "totalAmt": number(receipt.amount_fen),
        "remark": event.remark,
        **{name: said(name) for name in _SAID},
        "idCardNo": said("idCardNo") or event.payer.code,
        "category": department(call)[0] or event.ext.get("department", ""),
        "inHospitalDate": dashed(said("inHospitalDate") or event.ext.get("in_date", "")),
        "outHospitalDate": dashed(said("outHospitalDate") or event.ext.get("out_date", "")),
        **{name: said(name) or "0.00" for name in _AMOUNTS},
        "otherParameter": _others(call.get("otherInfo", ())),
        "otherSpecialParameter": _others(call.get("otherMedicalList", ())),
        "chargeDetail": [
            _charge(item, _at(charges, place)) for place, item in enumerate(event.items)
        ],
        "listDetail": [
            _listed(detail, _at(lists, place)) for place, detail in enumerate(event.details)
        ],
        "payChannelDetail": [
            {"payChannelCode": one.code, "payChannelValue": format_fen(one.amount_fen)}
            for one in event.channels
        ],
    }


def _at(rows: Any, place: int) -> dict[str, Any]:
    return dict(rows[place]) if place < len(rows) else {}


def _others(rows: Any) -> list[dict[str, str]]:
    return [{"infoName": row["infoName"], "infoValue": row["infoValue"]} for row in rows]


def _charge(item: Item, said: dict[str, Any]) -> dict[str, str]:
    return {
        "chargeCode": item.code, "chargeName": item.name, "unit": item.unit, "std": item.std,
        "number": item.number, "amt": format_fen(item.amount_fen),
        "selfAmt": said.get("selfAmt") or "0.00", "remark": item.remark,
    }  # fmt: skip


def _listed(detail: Detail, said: dict[str, Any]) -> dict[str, str]:
    return {
        "chrgtype": said.get("chrgtype", ""), "code": said.get("code", "") or detail.code,
        "name": detail.name, "unit": detail.unit, "std": detail.std, "number": detail.number,
        "amt": detail.amount, "selfAmt": said.get("selfAmt") or "0.00", "remark": detail.remark,
    }  # fmt: skip
