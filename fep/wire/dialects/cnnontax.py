"""cnnontax: the TCP frame of the non-tax "enhanced interface" (facts/standards 8.2).

`LEN(8, left-justified, space-padded, all bytes of the frame)` `CNNONTAX` `1.0` `MsgNo(4)`
XML in GBK, MAC (64 hex: SHA-256 over token and XML). Lengths are bytes, never characters.
Vouchers are base64 of GBK text inside. It has no red receipts, no paper and no totals of a
day: those are `unsupported`. Voucher fields that no source names are told in dialects.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from fep.domain.calendar import local
from fep.domain.money import NotMoney, format_fen, parse_fen
from fep.domain.platform import Operation, Parcel, Reply, Verdict
from fep.wire.dialects.province import Stamp, Terms, Unspoken, refused, unread, wanted

MAGIC: Final = b"CNNONTAX"
VERSION: Final = b"1.0"
HEAD_BYTES: Final = 23
MAC_BYTES: Final = 64
FRAME_MAX: Final = 16 * 1024 * 1024
OK: Final = "00000"
ISSUE, FILE, NUMBER, NOTICE, PAYMENT = "8981", "8982", "8999", "8994", "8997"
COMMON: Final = "5001"
NOTICE_FIELDS: Final = (
    "PayCode", "BillDate", "ChgAgenCode", "ChgAgenName", "PayerName", "PayerAcct", "PayerOpBk",
    "Amt", "OriAmt", "DelayAmt", "PayStats", "RecAcctType", "RecName", "RecAcct", "RecAcctReal",
    "RecOpBk", "RecBankNo", "IsInterBank", "PayInfo", "Memo", "CrcCode", "MobilePhone",
    "PayerCreditCode", "RecCreditCode", "OperatorCode", "OperatorName", "Hold1", "Hold2",
)  # fmt: skip
ASKED: Final[Mapping[Operation, tuple[str, tuple[str, ...]]]] = {
    Operation.NUMBER: (NUMBER, ("bill_batch_code",)),
    Operation.NOTICE: (NOTICE, ("PayCode", "PayerName", "Amt", "PayInfo")),
    Operation.PAYMENT: (PAYMENT, ("PayCode",)),
    Operation.FILE: (FILE, ("code", "number")),
}
# 00000 and 18012 are confirmed; the rest is what our simulator says.
WORDS: Final[Mapping[str, str]] = {
    "18012": "not_yours", "18021": "stale_date", "18022": "duplicate", "18023": "signature",
    "18024": "item", "18031": "absent", "18090": "busy", "18091": "login", "18099": "form",
}  # fmt: skip
_SIZE: Final = re.compile(rb"[0-9]{1,8} *")


class BadFrame(Exception):
    """The bytes are no frame of this dialect; the connection is of no more use."""


class CnNonTax:
    """The dialect; `CnNonTax(terms)`. `terms.app_key` is the token of the MAC."""

    name = "cnnontax"
    capabilities = frozenset({Operation.ISSUE, Operation.FIND, Operation.TIME, *ASKED})

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def deliver(self, parcel: Parcel, stamp: Stamp) -> bytes:
        """Return the frame that issues a receipt. Raises Unspoken."""
        if parcel.op is not Operation.ISSUE:
            raise Unspoken(parcel.op.value)
        issued, signed = local(parcel.issued_at), local(parcel.signed_at)
        return self._frame(
            ISSUE,
            parcel.unit,
            {
                "EInvoiceCode": parcel.code,
                "EInvoiceNumber": parcel.number,
                "RandomNumber": parcel.check_code,
                "IssueDate": f"{issued:%Y%m%d}",
                "TotalAmount": format_fen(parcel.amount_fen),
                "BizCode": parcel.event_key,
                "InvoiceData": base64.b64encode(parcel.original).decode(),
                "SignValue": base64.b64encode(parcel.signature).decode(),
                "SignAlgorithm": self._terms.sign_algorithm,
                "SignTime": f"{signed:%Y%m%d%H%M%S}",
                "CertSerial": parcel.cert_serial,
            },
            stamp,
        )

    def find(self, parcel: Parcel, stamp: Stamp) -> bytes:
        """Return the question for a receipt: its file."""
        fields = {"EInvoiceCode": parcel.code, "EInvoiceNumber": parcel.number}
        return self._frame(FILE, parcel.unit, fields, stamp)

    def ask(self, op: Operation, fields: Mapping[str, str], stamp: Stamp) -> bytes:
        """Return another question; `unit` names whose it is. Raises Unspoken."""
        unit = fields.get("unit", "")
        if op is Operation.TIME:  # the head of every answer tells the day
            return self._frame(PAYMENT, unit, {"PayCode": "0"}, stamp)
        if op not in ASKED:
            raise Unspoken(op.value)
        message, names = ASKED[op]
        voucher = wanted(fields, names)
        if op is Operation.NUMBER:
            voucher = {"EInvoiceCode": voucher["bill_batch_code"]}
        elif op is Operation.FILE:
            voucher = {"EInvoiceCode": voucher["code"], "EInvoiceNumber": voucher["number"]}
        elif op is Operation.NOTICE:
            voucher = {name: fields.get(name, "") for name in NOTICE_FIELDS}
        return self._frame(message, unit, voucher, stamp)

    def read(self, op: Operation, answer: bytes) -> Reply:
        """Return what an answer frame means."""
        try:
            _number, text = opened(answer, self._terms.app_key)
            head, voucher = _read(text)
        except BadFrame as error:
            return unread(str(error))
        result = voucher.get("Result", OK)
        if op is Operation.TIME and "WorkDate" in head:
            return Reply(Verdict.OK, facts={"day": head["WorkDate"]})
        if result != OK:
            said = voucher.get("Information", "")
            return refused(result, said, self._terms.words, WORDS)
        return Reply(Verdict.OK, facts=_facts(op, voucher))

    def _frame(self, number: str, unit: str, voucher: Mapping[str, str], stamp: Stamp) -> bytes:
        place, terms = self._terms.place(unit), self._terms
        fields = {"AdmDivCode": place.region_code, "AgenCode": place.agency_code}
        if place.place_code:
            fields["PlaceCode"] = place.place_code
        inner = _elements({**fields, **voucher})
        coded = base64.b64encode(f"<Voucher>{inner}</Voucher>".encode("gbk", "xmlcharrefreplace"))
        head = _elements(
            {
                "APP": "CNNONTAX", "VER": terms.version or "1.0", "SRC": terms.app_id,
                "DES": place.region_code, "MsgNo": number, "MsgID": stamp.id,
                "MsgRef": stamp.id, "WorkDate": stamp.day, "Reserve": "",
            }
        )  # fmt: skip
        text = (
            f'<?xml version="1.0" encoding="GBK"?><CFX><HEAD>{head}</HEAD><MSG><MOF>'
            f"<VoucherCount>1</VoucherCount><VoucherBody><Voucher>{coded.decode()}</Voucher>"
            "</VoucherBody></MOF></MSG></CFX>"
        )
        return framed(number, text.encode("gbk", "xmlcharrefreplace"), terms.app_key,
                      upper=terms.upper_mac)  # fmt: skip


def framed(number: str, text: bytes, token: str, *, upper: bool = False) -> bytes:
    """Return the frame of an XML text."""
    total = HEAD_BYTES + len(text) + MAC_BYTES
    made = mac(text, token)
    made = made.upper() if upper else made
    return b"%-8d%b%b%b%b%b" % (
        total, MAGIC, VERSION, number.encode("ascii"), text, made.encode("ascii"),
    )  # fmt: skip


def mac(text: bytes, token: str) -> str:
    """Return the 64 hex digits over token and XML."""
    return hashlib.sha256(token.encode() + text).hexdigest()


def cut(data: bytes) -> tuple[bytes | None, bytes]:
    """Return the first whole frame of what has arrived, and the rest. Raises BadFrame."""
    if len(data) < 8:
        return None, data
    if not _SIZE.fullmatch(data[:8]):
        raise BadFrame(f"no length: {data[:8]!r}")
    total = int(data[:8])
    if not HEAD_BYTES + MAC_BYTES <= total <= FRAME_MAX:
        raise BadFrame(f"a frame of {total} bytes")
    if len(data) >= HEAD_BYTES and data[8:16] != MAGIC:
        raise BadFrame("not CNNONTAX")
    return (data[:total], data[total:]) if len(data) >= total else (None, data)


def opened(frame: bytes, token: str) -> tuple[str, bytes]:
    """Return message number and XML of a frame whose MAC is right. Raises BadFrame."""
    whole, rest = cut(frame)
    if whole is None or rest:
        raise BadFrame(f"{len(frame)} bytes are not one frame")
    text = whole[HEAD_BYTES:-MAC_BYTES]
    told = whole[-MAC_BYTES:].decode("ascii", "replace").lower()
    if not hmac.compare_digest(told.encode(), mac(text, token).encode()):
        raise BadFrame("the MAC does not fit")
    return whole[19:23].decode("ascii", "replace"), text


def _read(text: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Return the members of HEAD and of the first voucher. Raises BadFrame."""
    root = parsed(text)
    head = {one.tag: one.text or "" for one in root.iterfind("HEAD/*")}
    coded = root.findtext("MSG/MOF/VoucherBody/Voucher")
    if coded is None:
        return head, {one.tag: one.text or "" for one in root.iterfind("MSG/*")}
    try:
        inner = base64.b64decode(coded, validate=False)
    except binascii.Error as error:
        raise BadFrame(f"a voucher is not base64: {error}") from error
    return head, {one.tag: one.text or "" for one in parsed(inner)}


def parsed(text: bytes) -> ElementTree.Element:
    """Return the root of GBK XML; no document type is read. Raises BadFrame."""
    try:
        plain = text.decode("gbk")
    except UnicodeDecodeError as error:
        raise BadFrame("not GBK") from error
    if "<!" in plain:
        raise BadFrame("a document type")
    try:
        # The declaration names an encoding that is undone already.
        return ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", plain))
    except ElementTree.ParseError as error:
        raise BadFrame(f"not XML: {error}") from error


def _elements(members: Mapping[str, str]) -> str:
    return "".join([f"<{name}>{escape(text)}</{name}>" for name, text in members.items()])


def _facts(op: Operation, voucher: Mapping[str, str]) -> dict[str, str]:
    facts = dict(voucher)
    for theirs, ours in (("EInvoiceCode", "code"), ("EInvoiceNumber", "number"),
                         ("RandomNumber", "check_code"), ("Invoice_Url", "url"),
                         ("IsReversed", "reversed"), ("IsWrittenOff", "written_off"),
                         ("IsBooked", "booked")):  # fmt: skip
        if theirs in facts:
            facts[ours] = facts.pop(theirs)
    if op is Operation.FIND and "TotalAmount" in facts:
        try:
            facts["amount_fen"] = str(parse_fen(facts["TotalAmount"]))
        except NotMoney:
            del facts["TotalAmount"]
    return facts
