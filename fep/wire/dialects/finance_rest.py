"""finance_rest: the REST "standard interface" of the Jiangsu/Heilongjiang family.

A form of ten fields; `message` is base64 of a JSON object, `security` the MD5 of the values
in alphabetical order of their names between two copies of the key (facts/standards 8.1).
An answer is base64 of a JSON object with `message` or `error_message`. Red receipts go the
way of blue ones. It has no words for paper and none for totals of a day; its time is the
`Date` of the HTTP answer, which the line reads. Error codes are data of the province.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus

import msgspec

from fep.domain.calendar import local
from fep.domain.money import NotMoney, format_fen, parse_fen
from fep.domain.platform import Operation, Parcel, Reply, Verdict
from fep.wire.dialects.province import Stamp, Terms, Unspoken, refused, unread, wanted

VERSION: Final = "1.0.1"
CONTENT_TYPE: Final = "application/x-www-form-urlencoded; charset=utf-8"
ANSWER_MAX: Final = 16 * 1024 * 1024
ISSUE: Final = "invoice.e.issue.withsign.do"
FIND: Final = "invoice.jiangsu.get"
# What the MD5 goes over, by name.
BEFORE: Final = ("agency_code", "app_id", "datetime", "encryption", "format")
AFTER: Final = ("message_id", "method", "region_code", "version")
SIGNED: Final = (*BEFORE, "message", *AFTER)
# Method, and the fields of its message that a caller gives; the place is ours.
ASKED: Final[Mapping[Operation, tuple[str, tuple[str, ...]]]] = {
    Operation.NUMBER: ("stock.billno.get", ("bill_batch_code",)),
    Operation.ITEMS: ("basic.items.get", ()),
    Operation.NOTICE: (
        "paybook.e.issue.do",
        ("pay_code", "payer_name", "total_amt", "item_code", "item_name"),
    ),
    Operation.NOTICE_VOID: ("paybook.e.invalidate.do", ("pay_code", "reason")),
    Operation.PAYMENT: ("paybook.confirm.get", ("pay_code",)),
    Operation.BY_PAY_CODE: ("invoice.bypaycode.get", ("pay_code",)),
}
# Codes as our simulator gives them; a province's own are configuration.
WORDS: Final[Mapping[str, str]] = {
    "1001": "login", "1002": "form", "1003": "unsupported", "2001": "stale_date",
    "2002": "not_yours", "2003": "duplicate", "2004": "signature", "2005": "item",
    "2006": "blue", "2007": "absent", "9001": "busy",
}  # fmt: skip


class FinanceRest:
    """The dialect; `FinanceRest(terms)`."""

    name = "finance_rest"
    capabilities = frozenset({Operation.ISSUE, Operation.RED, Operation.FIND, *ASKED})

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def deliver(self, parcel: Parcel, stamp: Stamp) -> bytes:
        """Return the request that issues a receipt, blue or red. Raises Unspoken."""
        if parcel.op not in (Operation.ISSUE, Operation.RED):
            raise Unspoken(parcel.op.value)
        signed_at = local(parcel.signed_at)
        message: dict[str, Any] = {
            "bill_batch_code": parcel.code,
            "bill_no": parcel.number,
            "place_code": self._terms.place(parcel.unit).place_code,
            "invoice_data": base64.b64encode(parcel.original).decode(),
            "sign_info": {
                "value": base64.b64encode(parcel.signature).decode(),
                "format": self._terms.sign_format,
                "algorithm": self._terms.sign_algorithm,
                "time": f"{signed_at:%Y%m%d%H%M%S}",
            },
            "pay_code_info": [
                {"pay_code": parcel.event_key, "amount": format_fen(parcel.amount_fen)}
            ],
        }
        if parcel.op is Operation.RED:
            message["related_bill_batch_code"] = parcel.related_code
            message["related_bill_no"] = parcel.related_number
            message["reason"] = parcel.reason
        return self._form(ISSUE, message, parcel.unit, stamp)

    def find(self, parcel: Parcel, stamp: Stamp) -> bytes:
        """Return the question for a receipt by code and number."""
        message = {"bill_batch_code": parcel.code, "bill_no": parcel.number}
        return self._form(FIND, message, parcel.unit, stamp)

    def ask(self, op: Operation, fields: Mapping[str, str], stamp: Stamp) -> bytes:
        """Return another question; `unit` names whose it is. Raises Unspoken."""
        if op not in ASKED:
            raise Unspoken(op.value)
        method, names = ASKED[op]
        unit = fields.get("unit", "")
        message: dict[str, Any] = dict(wanted(fields, names))
        if op is Operation.NUMBER:
            message["place_code"] = self._terms.place(unit).place_code
        return self._form(method, message, unit, stamp)

    def read(self, op: Operation, answer: bytes) -> Reply:
        """Return what an answer means."""
        if len(answer) > ANSWER_MAX:
            return unread(f"{len(answer)} bytes")
        try:
            told = msgspec.json.decode(base64.b64decode(answer, validate=False))
        except (binascii.Error, ValueError) as error:
            return unread(f"not base64 of JSON: {error}")
        if not isinstance(told, dict):
            return unread("not an object")
        wrong = told.get("error_message")
        if isinstance(wrong, dict):
            code = str(wrong.get("error_code", ""))
            return refused(code, str(wrong.get("error_msg", "")), self._terms.words, WORDS)
        message = told.get("message")
        if not isinstance(message, dict):
            return unread("neither message nor error_message")
        return Reply(Verdict.OK, facts=_facts(op, message))

    def _form(self, method: str, message: Mapping[str, Any], unit: str, stamp: Stamp) -> bytes:
        place, terms = self._terms.place(unit), self._terms
        fields = {
            "agency_code": place.agency_code,
            "app_id": terms.app_id,
            "datetime": stamp.long,
            "encryption": "0",
            "format": "json",
            "message_id": stamp.id,
            "method": method,
            "region_code": place.region_code,
            "version": terms.version or VERSION,
        }
        told = base64.b64encode(msgspec.json.encode({"message": message}))
        fields["security"] = security(fields, told, terms.app_key, upper=terms.upper_mac)
        # Digits and hex need no quoting; a letter by letter look at them would cost.
        parts = [
            f"{name}={text if text.isalnum() and text.isascii() else quote_plus(text)}"
            for name, text in fields.items()
        ]
        return b"%b&message=%b" % ("&".join(parts).encode(), _quoted(told))


def _quoted(text: bytes) -> bytes:
    """Return base64 as a form takes it; quoting it letter by letter would cost the most."""
    return text.replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")


def security(fields: Mapping[str, str], message: bytes, key: str, *, upper: bool = False) -> str:
    """Return the MD5 a request must carry, hex; `message` is base64 already."""
    before = key + "".join([fields[name] for name in BEFORE])
    after = "".join([fields[name] for name in AFTER]) + key
    joined = b"%b%b%b" % (before.encode(), message, after.encode())
    made = hashlib.md5(joined, usedforsecurity=False).hexdigest()
    return made.upper() if upper else made


def _facts(op: Operation, message: Mapping[str, Any]) -> dict[str, str]:
    """Return what we ask for under our own names, everything else as it came."""
    facts = {name: text for name, text in message.items() if isinstance(text, str)}
    for theirs, ours in (
        ("bill_batch_code", "code"), ("bill_no", "number"), ("random", "check_code"),
        ("is_reversed", "reversed"), ("is_written_off", "written_off"), ("is_booked", "booked"),
    ):  # fmt: skip
        if theirs in facts:
            facts[ours] = facts.pop(theirs)
    if op is Operation.FIND and "total_amt" in facts:
        try:
            facts["amount_fen"] = str(parse_fen(facts["total_amt"]))
        except NotMoney:
            del facts["total_amt"]
    rows = message.get("items")
    if op is Operation.ITEMS and isinstance(rows, list):
        codes = [str(row.get("item_code", "")) for row in rows if isinstance(row, dict)]
        facts["items"] = ",".join(codes)
    return facts
