"""How HIS of the field write a bill: our made-up calls in the words of the two dialects.

Two rules: a member is renamed, never computed; what the tables demand is always there, also
when it says nothing. Pure: no connection, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fep.sim.his_events import EXTRAS

# kind -> (method, busType); the tables of the medical dialect.
MEDICAL = {
    "outpatient": ("invoiceEBillOutpatient", "02"),
    "inpatient": ("invEBillHospitalized", "01"),
    "settlement": ("invoiceEBillCommon", "09"),
    "donation": ("invoiceEBillCommon", "10"),
    "unified": ("invoiceEBillCommon", "11"),
}
PATHS = {
    "medical-web": "/medical-web/api/medical/",
    "standard-web": "/standard-web/api/standard/",
}
MUST = ("accountPay", "fundPay", "otherfundPay", "ownPay", "selfConceitedAmt", "selfPayAmt",
        "selfCashPay")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Saying:
    """What a HIS of one dialect says beside the bill; `outer` goes into the envelope."""

    dialect: str = "medical-web"
    outer: Mapping[str, str] = field(default_factory=dict)
    bill_codes: Mapping[str, str] = field(default_factory=dict)  # kind -> billCode

    def path(self, method: str) -> str:
        """Return the path of a method."""
        return PATHS[self.dialect] + method

    def bill(self, params: bytes) -> tuple[str, dict[str, Any]]:
        """Return method and fields of a call given as receipt.issue parameters."""
        asked: dict[str, Any] = msgspec.json.decode(params)
        if self.dialect == "standard-web":
            return "invoiceEBill", self._standard(asked)
        method, bus_type = MEDICAL.get(asked["kind"], MEDICAL["outpatient"])
        return method, _medical(asked, bus_type)

    def _standard(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {
            "busNo": asked["key"],
            "busDateTime": asked["occurred_at"],
            "placeCode": asked["point"],
            "billCode": self.bill_codes.get(asked["kind"], asked["kind"]),
            "payer": asked["payer"]["name"],
            "payerType": asked["payer"].get("type") or "1",
            "payee": asked["cashier"],
            "author": asked["author"],
            "payChannel": asked["channels"][0]["code"],
            "remark": asked["remark"],
            "totalAmt": asked["total"],
            "chargeDetail": [
                {
                    "chargeCode": item["code"], "chargeName": item["name"],
                    "std": item.get("std") or item["amount"],
                    "number": item.get("number") or "1", "amt": item["amount"],
                }
                for item in asked["items"]
            ],
        }  # fmt: skip


def _medical(asked: dict[str, Any], bus_type: str) -> dict[str, Any]:
    payer, ext = asked["payer"], asked.get("ext", {})
    told: dict[str, Any] = {
        "busNo": asked["key"],
        "busType": bus_type,
        "payer": payer["name"],
        "busDateTime": asked["occurred_at"],
        "placeCode": asked["point"],
        "payee": asked["cashier"],
        "author": asked["author"],
        "checker": asked["checker"],
        "totalAmt": asked["total"],
        "remark": asked["remark"],
        "payerType": payer.get("type") or "1",
        "idCardNo": payer.get("code", ""),
        "tel": payer.get("tel", ""),
        "cardType": "3101",
        "cardNo": ext.get("case_no") or asked["key"],
        "isArrears": "1",
        **dict.fromkeys(MUST, "0.00"),
        **{theirs: ext[ours] for ours, theirs in EXTRAS.items() if ext.get(ours)},
        "payChannelDetail": [
            {"payChannelCode": channel["code"], "payChannelValue": channel["amount"]}
            for channel in asked["channels"]
        ],
        "chargeDetail": [_charge(n, item) for n, item in enumerate(asked["items"], 1)],
        "listDetail": [_line(line) for line in asked.get("details", [])],
    }
    if bus_type == "01":
        told |= {"visitNo": told.get("hospitalNo", ""), "leaveCategory": ext.get("department", ""),
                 "category": ext.get("department", "")}  # fmt: skip
    return told


def _charge(place: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"sortNo": place, "chargeCode": item["code"], "chargeName": item["name"],
            "unit": item.get("unit", ""), "std": item.get("std") or item["amount"],
            "number": item.get("number") or "1", "amt": item["amount"], "selfAmt": "0.00",
            "remark": item.get("remark", "")}  # fmt: skip


def _line(line: dict[str, Any]) -> dict[str, Any]:
    return {"chargeCode": line["item"], "code": line["code"], "name": line["name"],
            "specification": line.get("spec", ""), "unit": line.get("unit", ""),
            "std": line.get("std", ""), "number": line.get("number", ""), "amt": line["amount"],
            "selfAmt": "0.00", "remark": line.get("remark", "")}  # fmt: skip
