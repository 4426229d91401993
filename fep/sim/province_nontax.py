"""cnnontax as a province reads and writes it: frames of GBK XML with a MAC.

Written from the interface's description alone. Lengths count bytes; answers carry their MAC
in upper case, as the recorded ones do. Pure: no socket, no clock, no books.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from fep.sim.province_rest import Wrong, yuan
from fep.sim.province_window import Asked, Said

OVERHEAD = 23
MAC = 64
FRAME_MAX = 16 << 20
OPS = {"8981": "issue", "8982": "find", "8999": "number", "8994": "notice", "8997": "payment"}
CODES = {"": "00000", "LOGIN": "18091", "FORM": "18099", "UNKNOWN": "18099",
         "STALE_DATE": "18021", "NOT_GRANTED": "18012", "NUMBER_USED": "18022",
         "SIGNATURE": "18023", "ITEM": "18024", "BLUE_UNKNOWN": "18025", "ABSENT": "18031",
         "BUSY": "18090"}  # fmt: skip


def size_of(head: bytes) -> int:
    """Return the length of a frame from its first 8 bytes. Raises Wrong."""
    text = head.decode("ascii", "replace").rstrip(" ")
    if not text.isdigit() or not OVERHEAD + MAC <= int(text) <= FRAME_MAX:
        raise Wrong("FORM", f"length {text}")
    return int(text)


def read(frame: bytes, token: str) -> Asked:
    """Return what a frame asks. Raises Wrong."""
    text = frame[OVERHEAD:-MAC]
    told = frame[-MAC:].decode("ascii", "replace")
    if frame[8:19] != b"CNNONTAX1.0":
        raise Wrong("FORM", "head")
    if hashlib.sha256(token.encode() + text).hexdigest() != told.lower():
        raise Wrong("LOGIN", "MAC")
    number = frame[19:23].decode("ascii", "replace")
    if number not in OPS:
        raise Wrong("UNKNOWN", number)
    try:
        root = _parsed(text)
        voucher = root.findtext("MSG/MOF/VoucherBody/Voucher") or ""
        inner = _parsed(base64.b64decode(voucher, validate=True))
        call_id = root.findtext("HEAD/MsgID") or ""
        given = {one.tag: one.text or "" for one in inner}
        return _asked(OPS[number], call_id, given)
    except (ElementTree.ParseError, UnicodeDecodeError, binascii.Error) as error:
        raise Wrong("FORM", repr(error)) from error


def _parsed(text: bytes) -> ElementTree.Element:
    plain = text.decode("gbk")
    if plain.startswith("<?xml"):
        plain = plain[plain.index("?>") + 2 :]
    return ElementTree.fromstring(plain)


def _asked(op: str, call_id: str, given: Mapping[str, str]) -> Asked:
    fields = {
        "code": given.get("EInvoiceCode", ""),
        "number": given.get("EInvoiceNumber", ""),
        "event_key": given.get("BizCode", ""),
        "pay_code": given.get("PayCode", ""),
        "total": given.get("Amt", "0.00"),
    }
    unit = given.get("AgenCode", "")
    if op != "issue":
        return Asked(op, unit, call_id, fields)
    original = base64.b64decode(given.get("InvoiceData", ""), validate=True)
    signature = base64.b64decode(given.get("SignValue", ""), validate=True)
    return Asked(op, unit, call_id, fields, original, signature)


def write(number: str, call_id: str, day: str, said: Said, token: str) -> bytes:
    """Return the frame of an answer: 5001 with the result and what was asked for."""
    fields: dict[str, Any] = {
        "OriMsgNo": number, "Result": CODES[said.fault],
        "Information": said.detail or "成功", **_fields(said.fields),
    }  # fmt: skip
    inner = "".join(f"<{name}>{escape(str(text))}</{name}>" for name, text in fields.items())
    voucher = base64.b64encode(f"<Voucher>{inner}</Voucher>".encode("gbk", "xmlcharrefreplace"))
    answer = "5997" if number == "8997" else "5001"
    head = (
        f"<APP>CNNONTAX</APP><VER>1.0</VER><SRC>CZ</SRC><DES></DES><MsgNo>{answer}</MsgNo>"
        f"<MsgID>A{escape(call_id)}</MsgID><MsgRef>{escape(call_id)}</MsgRef>"
        f"<WorkDate>{day}</WorkDate><Reserve></Reserve>"
    )
    text = (
        f"<CFX><HEAD>{head}</HEAD><MSG><MOF><VoucherCount>1</VoucherCount><VoucherBody>"
        f"<Voucher>{voucher.decode()}</Voucher></VoucherBody></MOF></MSG></CFX>"
    ).encode("gbk", "xmlcharrefreplace")
    mac = hashlib.sha256(token.encode() + text).hexdigest().upper()
    size = OVERHEAD + len(text) + MAC
    return f"{size:<8}CNNONTAX1.0{answer}".encode() + text + mac.encode()


def _fields(found: Mapping[str, Any]) -> dict[str, Any]:
    names = {"code": "EInvoiceCode", "number": "EInvoiceNumber", "check_code": "RandomNumber",
             "pay_code": "PayCode", "url": "Invoice_Url", "total": "Amt",
             "state": "PayStats", "reversed": "IsReversed", "written_off": "IsWrittenOff",
             "booked": "IsBooked"}  # fmt: skip
    fields = {theirs: found[ours] for ours, theirs in names.items() if ours in found}
    if "amount_fen" in found:
        fields["TotalAmount"] = yuan(int(found["amount_fen"]))
    if "original" in found:
        fields["InvoiceFileData"] = base64.b64encode(found["original"]).decode()
    if "time" in found:
        fields["Invoice_Url"] = f"http://czpj.example/{found['code']}{found['number']}"
    return fields
