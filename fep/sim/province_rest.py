"""finance_rest as a province reads and writes it: a form in, base64 of JSON out.

Written from the interface's description alone. Pure: no socket, no clock, no books.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, unquote_to_bytes

import msgspec

from fep.sim.province_window import Asked, Said

CODES = {"LOGIN": "1001", "FORM": "1002", "UNKNOWN": "1003", "STALE_DATE": "2001",
         "NOT_GRANTED": "2002", "NUMBER_USED": "2003", "SIGNATURE": "2004", "ITEM": "2005",
         "BLUE_UNKNOWN": "2006", "ABSENT": "2007", "BUSY": "9001"}  # fmt: skip
METHODS = {
    "invoice.e.issue.withsign.do": "issue", "invoice.jiangsu.get": "find",
    "stock.billno.get": "number", "basic.items.get": "items", "paybook.e.issue.do": "notice",
    "paybook.e.invalidate.do": "notice_void", "paybook.confirm.get": "payment",
    "invoice.bypaycode.get": "by_pay_code",
}  # fmt: skip
FIELDS = (
    ("code", "bill_batch_code", ""), ("number", "bill_no", ""), ("pay_code", "pay_code", ""),
    ("total", "total_amt", "0.00"), ("related_code", "related_bill_batch_code", ""),
    ("related_number", "related_bill_no", ""),
)  # fmt: skip
SIGNED = ("agency_code", "app_id", "datetime", "encryption", "format", "message", "message_id",
          "method", "region_code", "version")  # fmt: skip


class Wrong(Exception):
    """The request is refused before anybody looks at its content."""

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail


class _Envelope(msgspec.Struct):
    message: dict[str, msgspec.Raw]


_envelope = msgspec.json.Decoder(_Envelope)
_base64 = msgspec.json.Decoder(bytes)  # strict, and half as long as binascii
_anything = msgspec.json.Decoder()


def read(body: bytes, key: str) -> Asked:
    """Return what a request asks. Raises Wrong."""
    try:
        form, packed = _form(body)
    except ValueError as error:
        raise Wrong("FORM", f"not a form: {error}") from error
    missing = [name for name in (*SIGNED, "security") if name not in form]
    if missing:
        raise Wrong("FORM", f"missing {missing[0]}")
    signed = hashlib.md5(key.encode(), usedforsecurity=False)
    for name in SIGNED:
        signed.update(packed if name == "message" else form[name].encode())
    signed.update(key.encode())
    if signed.hexdigest() != form["security"].lower():
        raise Wrong("LOGIN", "security")
    try:
        message = _envelope.decode(_unpacked(packed)).message
    except ValueError as error:
        raise Wrong("FORM", f"message: {error!r}") from error
    op = METHODS.get(form["method"])
    if op is None:
        raise Wrong("UNKNOWN", form["method"])
    return _asked(op, form["agency_code"], form["message_id"], message)


def _form(body: bytes) -> tuple[dict[str, str], bytes]:
    """Return the fields of a form, and `message`; that one is long, base64, and mostly last."""
    rest, sign, message = body.partition(b"&message=")
    if not sign or b"&" in message or b"+" in message:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        return fields, fields.get("message", "").encode()
    fields = {"message": ""}
    for pair in rest.decode().split("&"):  # short plain words, a thousand times a second
        name, given, value = pair.partition("=")
        if not given:
            raise ValueError(pair[:40])
        fields[name] = unquote_plus(value) if "%" in value or "+" in value else value
    return fields, unquote_to_bytes(message)


def _unpacked(packed: bytes) -> bytes:
    """Return what base64 letters mean, and nothing but such letters. Raises ValueError."""
    if b"\\" in packed:
        raise ValueError("not base64")
    return _base64.decode(b'"' + packed + b'"')


def _asked(op: str, unit: str, call_id: str, message: Mapping[str, msgspec.Raw]) -> Asked:
    fields = {
        ours: str(_anything.decode(message[theirs])) if theirs in message else default
        for ours, theirs, default in FIELDS
    }
    if op != "issue":
        return Asked(op, unit, call_id, fields)
    try:
        original = _base64.decode(message["invoice_data"])
        signature = base64.b64decode(_anything.decode(message["sign_info"])["value"], validate=True)
        paid = _anything.decode(message["pay_code_info"])
        fields["event_key"] = str(paid[0]["pay_code"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Wrong("FORM", f"invoice_data, sign_info or pay_code_info: {error!r}") from error
    return Asked(op, unit, call_id, fields, original, signature)


def write(op: str, said: Said) -> bytes:
    """Return the body of an answer."""
    if said.fault:
        told: dict[str, Any] = {
            "error_message": {"error_code": CODES[said.fault], "error_msg": said.detail}
        }
    else:
        told = {"message": _message(op, said.fields)}
    return base64.b64encode(json.dumps(told, ensure_ascii=False).encode())


def _message(op: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    if op == "items":
        return {"items": fields["items"]}
    if op == "payment":
        return {"pay_code": fields["pay_code"], "total_amt": fields["total"],
                "confirm_date": "", "payment_channel": "", "receive": fields["state"]}  # fmt: skip
    names = {"code": "bill_batch_code", "number": "bill_no", "check_code": "random",
             "pay_code": "pay_code", "url": "url", "time": "issue_time",
             "reversed": "is_reversed", "written_off": "is_written_off",
             "booked": "is_booked"}  # fmt: skip
    message = {theirs: fields[ours] for ours, theirs in names.items() if ours in fields}
    if "amount_fen" in fields:
        message["total_amt"] = yuan(int(fields["amount_fen"]))
    if "original" in fields:
        message["invoice_data"] = base64.b64encode(fields["original"]).decode()
    return message


def yuan(fen: int) -> str:
    """Return an amount with two decimals."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
