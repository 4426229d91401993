"""Issuing in the medical dialect: the field tables of the issue methods, and what they become.

One table serves 2.0.3, 3.1.0, 3.2.0 and what came later: the union of their fields, those
that a version lacks being optional. A call ends as params of `receipt.issue`; what a receipt
does not carry is kept beside it by the store, for the queries of kiosks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fep.crypto import sm3
from fep.domain.faults import refuse
from fep.domain.kind import Unit
from fep.wire.dialects.medical_codes import BUS_TYPES, Codes, key_of
from fep.wire.dialects.medical_table import Field, Row, amounts, days, needed, texts

ITEM_CODE_MAX, ITEM_REMARK_MAX, DETAIL_CODE_MAX = 30, 100, 30

CHARGE = (
    Field("sortNo", shape="count"),
    Field("chargeCode", 50, need=True),
    Field("chargeName", 100, need=True),
    *texts("unit", 20),
    Field("std", shape="price"), Field("number", shape="price"),
    Field("amt", shape="amount", need=True), *amounts("selfAmt"),
    *texts("remark", 200),
)  # fmt: skip
LISTED = (
    *texts("listDetailNo", 60), *texts("chargeCode"), *texts("chargeName", 100),
    *texts("prescribeCode", 60), *texts("listTypeCode listTypeName code"),
    Field("name", 100, need=True), *texts("form"), *texts("specification", 100),
    *texts("unit", 20), Field("std", shape="price"), Field("number", shape="price"),
    Field("amt", shape="detail"), Field("selfAmt", shape="detail"),
    Field("receivableAmt", shape="detail"), *texts("medicalCareType", 10),
    *texts("medCareItemType", 100), *texts("medCareItemCode medCareItemName", 100),
    *texts("medReimburseRate", 10), *texts("remark", 200), Field("sortNo", shape="count"),
    *texts("chrgtype"),
)  # fmt: skip
CHANNEL = (
    Field("payChannelCode", 20, need=True),
    Field("payChannelValue", shape="amount", need=True),
)
OTHER = (*texts("infoNo", 20), *texts("infoName", 100), *texts("infoValue", 500))
OTHER_MEDICAL = (*OTHER, *texts("infoOther", 100))
VOUCHER = (*texts("voucherBatchCode"), *texts("voucherNo", 20), *amounts("voucherAmt"))

COMMON = (
    *needed("busNo"), *texts("busType", 20), Field("payer", 100, need=True),
    Field("busDateTime", shape="moment", need=True), *needed("placeCode"),
    *texts("payee author checker"), Field("totalAmt", shape="amount", need=True),
    *texts("remark", 200),
    # who pays, and how he is reached
    *texts("alipayCode weChatOrderNo weChatMedTransNo", 100), *texts("openID", 60),
    *texts("tel", 20), *texts("email", 100), *texts("payerType", 60), *texts("idCardType", 20),
    *texts("idCardNo"), *texts("sex", 10), *texts("age", 20), *texts("eBillRelateNo", 50),
    Field("otherInfo", shape="list", rows=OTHER),
    Field("payChannelDetail", shape="list", rows=CHANNEL, rows_max=20),
    Field("chargeDetail", shape="list", rows=CHARGE, need=True),
    Field("listDetail", shape="list", rows=LISTED, rows_max=20_000),
)  # fmt: skip
ISSUE = (
    *COMMON,
    *texts("cardType", 10), *texts("cardNo"),
    # where and how he was treated
    *texts("medicalInstitution medCareInstitution medCareTypeCode medicalCareType", 60),
    *texts("medicalInsuranceID medCareAreaCode", 60), *days("consultationDate"),
    *texts("patientCategory category", 200), *texts("patientCategoryCode categoryCode", 60),
    *texts("leaveCategory leaveCategoryCode hospitalArea", 60),
    *texts("hospitalNo visitNo patientNo bedNo checkUpNo", 20),
    *texts("patientId caseNumber"), *texts("ICD", 60), *texts("specialDiseasesName", 200),
    *days("inHospitalDate outHospitalDate"), *texts("hospitalDays", 10),
    *texts("isArrears", 1), *texts("arrearsReason", 200), *texts("balancedNumber", 100),
    # what was paid by whom
    *amounts("accountPay fundPay otherfundPay ownPay selfConceitedAmt selfPayAmt selfCashPay"),
    *amounts("cashPay cashRecharge cashRefund ownAcBalance reimbursementAmt"),
    *amounts("chequePay transferAccountPay chequeRecharge transferRecharge chequeRefund"),
    *amounts("transferRefund"),
    Field("payMentVoucher", shape="list", rows=VOUCHER),
    Field("otherMedicalList", shape="list", rows=OTHER_MEDICAL),
)  # fmt: skip

# Samples of the specifications that contradict their own tables (facts/his-api 1.5).
ALIASES: Mapping[str, str] = {
    "acnumberPay": "accountPay",
    "ownAcnumberBalance": "ownAcBalance",
    "medCareReimburseRate": "medReimburseRate",
}
# ext of our kinds <- field of the dialect (facts/standards: event to XML).
_EXT: Mapping[str, str] = {
    "gender": "sex", "age": "age", "patient_no": "patientNo",
    "visit_date": "consultationDate", "org_type": "medicalInstitution",
    "insurance_type": "medicalCareType", "insurance_no": "medicalInsuranceID",
    "fund_pay": "fundPay", "other_pay": "otherfundPay", "account_pay": "accountPay",
    "cash_pay": "selfCashPay", "self_pay": "selfPayAmt", "self_cost": "ownPay",
    "case_no": "caseNumber", "hospital_no": "hospitalNo", "in_date": "inHospitalDate",
    "out_date": "outHospitalDate", "prepay": "cashPay", "recharge": "cashRecharge",
    "refund": "cashRefund",
}  # fmt: skip

# A line of the detail list <- its field, beside those with rules of their own.
_LISTED = (("amount", "amt"), ("unit", "unit"), ("std", "std"), ("number", "number"),
           ("spec", "specification"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Method:
    """One method that issues: its table, and the busType an own code of the HIS stands for."""

    table: tuple[Field, ...]
    bus_type: str


METHODS: Mapping[str, Method] = {
    "invoiceEBillOutpatient": Method(ISSUE, "02"),
    "invEBillHospitalized": Method(ISSUE, "01"),
    "invEBillRegistration": Method(ISSUE, "06"),
    "invEBillCheckUp": Method(ISSUE, "05"),
    "invoiceEBillCommon": Method(COMMON, "11"),
}
BATCHES: Mapping[str, str] = {
    "batchInvoiceEBillOutpatient": "invoiceEBillOutpatient",
    "batchInvoiceEBillHospitalized": "invEBillHospitalized",
    "batchInvoiceEBillRegistration": "invEBillRegistration",
    "batchInvoiceEBillCheckUp": "invEBillCheckUp",
}


def renamed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with the aliases of the specifications' samples put right."""
    named = {str(name).strip(): value for name, value in given.items()}
    for alias, name in ALIASES.items():
        if alias in named and name not in named:
            named[name] = named.pop(alias)
    return named


def department(call: Row) -> tuple[str, str]:
    """Return name and code of the department.

    Up to 3.1.0 the name is `category`, and two clients then put the code into
    `patientCategory`; from 3.2.0 that is the name (facts/his-api 3.1).
    """
    name, other = call.get("category", ""), call.get("patientCategory", "")
    code = call.get("patientCategoryCode", "") or call.get("categoryCode", "")
    if name and other:
        return name, code or other
    return name or other, code


def as_params(call: Row, codes: Codes, unit: Unit, bus_type: str) -> dict[str, Any]:
    """Return the params of `receipt.issue` for a call that was read by its table.

    Raises Refused HIS_POINT, HIS_KIND, REQ_FIELD_VALUE, REQ_FIELD_LENGTH.
    """
    items = sorted(call["chargeDetail"], key=lambda row: row["sortNo"])
    known = {row["chargeCode"] for row in items}
    content = codes.key_rule == "content"
    return {
        "unit": unit.code,
        "point": codes.point_of(call["placeCode"], unit),
        "kind": codes.kind_of(call["busType"], bus_type, unit),
        "key": key_of(codes.key_rule, call, _content_name(call) if content else ""),
        "payer": _filled(
            name=call["payer"], type=call["payerType"] if call["payerType"] == "2" else "1",
            code=call["idCardNo"], tel=call["tel"], email=call["email"],
        ),
        "total": call["totalAmt"],
        "items": [_item(row, codes) for row in items],
        "details": [
            _detail(row, place, items[0]["chargeCode"], known, codes)
            for place, row in enumerate(call["listDetail"])
        ],
        "channels": [
            {"code": codes.channels.get(row["payChannelCode"], row["payChannelCode"]),
             "amount": row["payChannelValue"]}
            for row in call["payChannelDetail"]
        ],
        "cashier": call["payee"],
        "author": call["author"] or call["payee"],
        "checker": call["checker"],
        "remark": call["remark"],
        "occurred_at": call["busDateTime"],
        "ext": _ext(call),
    }  # fmt: skip


def _item(row: Row, codes: Codes) -> dict[str, str]:
    code = codes.items.get(row["chargeCode"], row["chargeCode"])
    if len(code) > ITEM_CODE_MAX:
        raise refuse("REQ_FIELD_LENGTH", field="chargeDetail.chargeCode", limit=ITEM_CODE_MAX)
    found = _filled(code=code, name=row["chargeName"], amount=row["amt"], unit=row["unit"])
    found["std"], found["number"] = row["std"] or row["amt"], row["number"] or "1"
    if row["remark"]:
        found["remark"] = row["remark"][:ITEM_REMARK_MAX]
    return found


def _detail(row: Row, place: int, first: str, known: set[str], codes: Codes) -> dict[str, str]:
    charge = row["chargeCode"] or first
    if charge not in known:
        raise refuse("REQ_FIELD_VALUE", field=f"listDetail[{place}].chargeCode", value=charge,
                     allowed="chargeDetail")  # fmt: skip
    code = row["code"] if len(row["code"]) <= DETAIL_CODE_MAX else ""
    found = _filled(item=codes.items.get(charge, charge), name=row["name"], code=code)
    for name, theirs in _LISTED:
        if row[theirs]:
            found[name] = row[theirs]
    if row["remark"]:
        found["remark"] = row["remark"][:ITEM_REMARK_MAX]
    return found


def _ext(call: Row) -> dict[str, str]:
    found = {name: call[field] for name, field in _EXT.items() if call.get(field)}
    medical_type, named = BUS_TYPES.get(call["busType"], ""), department(call)[0]
    if medical_type:
        found["medical_type"] = medical_type
    if named:
        found["department"] = named
    return found


def _filled(**fields: str) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def _content_name(call: Row) -> str:
    """Return the key of a call whose busNo says nothing: the same business, the same key."""
    parts = [call["busType"], call["payer"], call["idCardNo"], call.get("cardNo", ""),
             call["busDateTime"], call["totalAmt"]]  # fmt: skip
    for row in call["chargeDetail"]:
        parts += (row["chargeCode"], row["amt"])
    return f"c-{sm3.digest(chr(31).join(parts).encode()).hex()[:40]}"
