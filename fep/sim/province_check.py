"""What a province looks at in one receipt before it takes it into its books.

Two rules: the literal bytes are judged, never a re-serialisation; the first fault found is
the answer. Pure but for libcrypto: no file, no store, no clock.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from fep.sim import sm
from fep.sim.fpb import canonical

BODY_TEXTS = ("cert_serial", "check_code", "code", "event_key", "kind", "number", "original",
              "signature", "signature_xml", "unit")  # fmt: skip
BODY_NUMBERS = ("amount_fen", "issued_at", "signed_at")
NUMBER_MAX = 1 << 53
MONEY = re.compile(r"-?\d+\.\d\d")


class Rejected(Exception):
    """A receipt the province does not take; the sentence names what differs."""

    def __init__(self, fault: str, detail: str = "") -> None:
        super().__init__(f"{fault} {detail}")
        self.fault = fault
        self.detail = detail[:200]


@dataclass(frozen=True, slots=True)
class Papers:
    """The decoded evidence of one receipt."""

    original: bytes
    signature: bytes
    signature_xml: bytes


def idem_of(body: Mapping[str, Any], op: str) -> str:
    """Return the idempotency key a record must carry, hex."""
    revision = body.get("revision", "0")
    return sm.sm3(f"{body.get('code')}|{body.get('number')}|{op}|{revision}".encode()).hex()


def body_digest(body: object) -> bytes:
    """Return the digest by which two bodies are told apart."""
    return sm.sm3(canonical({"body": body}))


def papers(body: Mapping[str, Any]) -> Papers:
    """Check the members of an ISSUE or RED body and decode them. Raises Rejected `FORM`."""
    for name in BODY_TEXTS:
        if not isinstance(body.get(name), str):
            raise Rejected("FORM", name)
    for name in BODY_NUMBERS:
        value = body.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > NUMBER_MAX:
            raise Rejected("FORM", name)
    if not re.fullmatch(r"\d{8}", body["code"]) or not re.fullmatch(r"\d{10}", body["number"]):
        raise Rejected("FORM", "code or number")
    try:
        original = base64.b64decode(body["original"], validate=True)
        signature = base64.b64decode(body["signature"], validate=True)
    except binascii.Error as error:
        raise Rejected("FORM", f"base64: {error}") from error
    return Papers(original, signature, body["signature_xml"].encode())


def check(
    body: Mapping[str, Any], found: Papers, certificate: Callable[[str, str], sm.Certificate | None]
) -> None:
    """Check signature and document of a receipt. Raises Rejected.

    `certificate(unit, serial_hex)` finds a registered unit certificate.
    """
    bound = certificate(body["unit"], body["cert_serial"])
    if bound is None:
        raise Rejected("CERT_UNKNOWN", f"{body['unit']} {body['cert_serial']}")
    if not bound.public_key.verify(found.original, found.signature):
        raise Rejected("SIGNATURE", "unit signature does not hold")
    check_document(body, found.original)
    _check_signature_element(body, found)


def supervise(found: Papers, key: sm.PrivateKey) -> bytes:
    """Return the DER of the supervision signature: base64(SM3(original)) ‖ signature_xml."""
    return key.sign(base64.b64encode(sm.sm3(found.original)) + found.signature_xml)


def check_document(body: Mapping[str, Any], original: bytes,
                   root: ElementTree.Element | None = None) -> None:  # fmt: skip
    """Check that the literal document says what the record says. Raises Rejected.

    `root` is an element around what was parsed of `original` before, if anything was.
    """
    if not original.startswith(b"<Header>") or not original.endswith(b"</EInvoiceData>"):
        raise Rejected("XML_FORM", "not <Header>…</EInvoiceData>")
    if root is None:
        try:
            root = ElementTree.fromstring(b"<EInvoice>" + original + b"</EInvoice>")
        except ElementTree.ParseError as error:
            raise Rejected("XML_FORM", str(error)) from error
    main = root.find("EInvoiceData/Main")
    if main is None:
        raise Rejected("XML_FORM", "no Main")
    shown = _shown(main, body["amount_fen"])
    expected = {
        "EInvoiceCode": body["code"],
        "EInvoiceNumber": body["number"],
        "RandomNumber": body["check_code"],
        "TotalAmount": _yuan(shown),
    }
    for name, value in expected.items():
        if main.findtext(name) != value:
            raise Rejected("XML_DIFFERS", f"{name} {main.findtext(name)} for {value}")
    identity = f"{body['code']}-{body['number']}"[::-1]
    if root.findtext("Header/EInvoiceID") != identity:
        raise Rejected("XML_DIFFERS", f"EInvoiceID for {identity}")
    amounts = [item.findtext("ItemAmount") or "" for item in root.iterfind(".//Details/Item")]
    if not all(MONEY.fullmatch(amount) for amount in amounts):
        raise Rejected("XML_FORM", "ItemAmount")
    if sum(int(amount.replace(".", "")) for amount in amounts) != shown:
        raise Rejected("XML_ITEMS", "items do not sum to the total")


def _shown(main: ElementTree.Element, amount_fen: int) -> int:
    """Return the total as the document must write it: a province may write red ones positive."""
    written = main.findtext("TotalAmount") or ""
    return -amount_fen if amount_fen < 0 and not written.startswith("-") else amount_fen


def _check_signature_element(body: Mapping[str, Any], found: Papers) -> None:
    try:
        element = ElementTree.fromstring(found.signature_xml)
    except ElementTree.ParseError as error:
        raise Rejected("SIGNATURE_XML", str(error)) from error
    serial = element.findtext(".//SerialNumber") or ""
    value = element.findtext("Signaturevalue") or element.findtext("SignatureValue") or ""
    try:
        same_serial = int(serial, 16) == int(body["cert_serial"], 16)
        written = base64.b64decode(value, validate=True)
        raw = sm.raw_of_der(found.signature)
    except (ValueError, sm.CryptoFault) as error:
        raise Rejected("SIGNATURE_XML", str(error)) from error
    if element.tag != "Signature" or not same_serial:
        raise Rejected("SIGNATURE_XML", "not this certificate's <Signature>")
    # A CMS value holds the DER signature inside; a raw one is r‖s.
    if found.signature not in written and raw != written:
        raise Rejected("SIGNATURE_XML", "another value than the record's")


def _yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
