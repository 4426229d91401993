"""The e-receipt document: literal bytes, signed as they stand and never serialised again.

Order of elements: facts/standards 4 (the sender's propOrder). What is signed is
`<Header>…</Header><EInvoiceData>…</EInvoiceData>` in UTF-8: no declaration, no root, no white
space between elements, empty elements as `<X></X>`. Built by plain text so that the same
event always gives the same bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from xml.sax.saxutils import escape

from fep.crypto import sm2
from fep.crypto.certs import Certificate
from fep.domain.calendar import local
from fep.domain.event import BillingEvent
from fep.domain.kind import Kind, Province, Unit
from fep.domain.money import format_fen
from fep.domain.receipt import einvoice_id

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
Compose = Callable[[str, str, str, int], bytes]


def element(name: str, text: str) -> str:
    """Return one element with its text escaped."""
    return f"<{name}>{escape(text) if text else ''}</{name}>"


def elements(**members: str) -> str:
    """Return elements in the order given."""
    return "".join([element(name, text) for name, text in members.items()])


def prepare(event: BillingEvent, kind: Kind, unit: Unit, province: Province) -> Compose:
    """Return the function that completes the document with code, number, check code and ms.

    Everything that depends on the caller's content happens here, before the store is asked.
    """
    middle = _parties(event, unit) + _main_ext(event, kind) + _seals(unit) + "</Main>"
    tail = (middle + _items(event, kind) + _details(event) + "</EInvoiceData>").encode()
    name = element("EInvoiceName", f"{province.name}{kind.name}")
    area = element("SupervisorAreaCode", unit.area)
    total = element("TotalAmount", format_fen(event.total_fen))
    header_end = f"{elements(EInvoiceTag=province.tag, Version=province.version)}</Header>"

    def compose(code: str, number: str, check_code: str, issued_ms: int) -> bytes:
        at = local(issued_ms)
        specimen = kind.specimen_template.format(code=code)
        head = (
            f"<Header><EInvoiceID>{einvoice_id(code, number)}</EInvoiceID>{header_end}"
            f"<EInvoiceData><Main>{name}<EInvoiceCode>{code}</EInvoiceCode>"
            f"<EInvoiceNumber>{number}</EInvoiceNumber><RandomNumber>{check_code}</RandomNumber>"
            f"<EInvoiceSpecimenCode>{escape(specimen)}</EInvoiceSpecimenCode>{area}{total}"
            f"<IssueDate>{at:%Y%m%d}</IssueDate><IssueTime>{at:%H:%M:%S}</IssueTime>"
        )
        return head.encode() + tail

    return compose


def _parties(event: BillingEvent, unit: Unit) -> str:
    author = event.author or event.cashier
    issuer = elements(
        InvoicingPartyCode=unit.party_code, InvoicingPartyName=unit.name, RecName=unit.rec_name,
        RecAcct=unit.rec_account, RecOpBk=unit.rec_bank,
    )  # fmt: skip
    payer = elements(
        PayerPartyType=event.payer.type, PayerPartyCode=event.payer.code,
        PayerPartyName=event.payer.name, PayerAcct=event.payer.account,
        PayerOpBk=event.payer.bank,
    )  # fmt: skip
    rest = elements(
        PayMode=event.ext.get("pay_mode", ""), BizCode=event.key, CurrencyType="CNY",
        ExchangeRate="", Remark=event.remark, HandlingPerson=author,
        Checker=event.checker or unit.default_checker or author, SupervisorRemark="",
    )  # fmt: skip
    return (
        f"<InvoicingParty>{issuer}</InvoicingParty><PayerParty>{payer}</PayerParty>{rest}"
    )


def _main_ext(event: BillingEvent, kind: Kind) -> str:
    members = [element(m.element, _source(event, m.source)) for m in kind.main_ext]
    return f"<MainExt>{''.join(members)}</MainExt>"


def _source(event: BillingEvent, source: str) -> str:
    if source.startswith("ext."):
        return event.ext.get(source[4:], "")
    if source.startswith("payer."):
        return str(getattr(event.payer, source[6:]))
    if source == "occurred_on":
        return event.occurred_at[:8]
    return str(getattr(event, source)) if source else ""


def _seals(unit: Unit) -> str:
    seal = elements(SealId=unit.seal.id, SealName=unit.seal.name, SealHash=unit.seal.hash)
    empty = elements(SealId="", SealName="", SealHash="")
    return (
        f"<InvoicingPartySeal>{seal}</InvoicingPartySeal>"
        f"<SupervisorPartySeal>{empty}</SupervisorPartySeal>"
    )


def _items(event: BillingEvent, kind: Kind) -> str:
    order = {name: place for place, name in enumerate(kind.item_order)}
    lines = sorted(event.items, key=lambda item: order.get(item.name, len(order)))
    rows = [
        "<Item>"
        + elements(
            ItemCode=item.code, ItemName=item.name, ItemQuantity=item.number,
            ItemUnit=item.unit, ItemStd=item.std, ItemAmount=format_fen(item.amount_fen),
            ItemRemark=item.remark,
        )
        + "<ItemExt></ItemExt></Item>"
        for item in lines
    ]  # fmt: skip
    return f"<Details>{''.join(rows)}</Details>"


def _details(event: BillingEvent) -> str:
    names = {item.code: item.name for item in event.items}
    rows = [
        "<AuxItem>"
        + elements(
            AuxItemRelatedCode=line.item, AuxItemRelatedName=names.get(line.item, ""),
            AuxItemCode=line.code,
            AuxItemName=f"{line.name} {line.spec}" if line.spec else line.name,
            AuxItemQuantity=line.number, AuxItemUnit=line.unit, AuxItemStd=line.std,
            AuxItemAmount=line.amount, AuxItemRemark=line.remark,
        )
        + "</AuxItem>"
        for line in event.details
    ]  # fmt: skip
    return f"<AuxDetails>{''.join(rows)}</AuxDetails>"


def signature_element(
    der: bytes, signed_at_ms: int, certificate: Certificate, province: Province
) -> str:
    """Return the `<Signature>` element of a party (facts/standards 5.1)."""
    value = sm2.der_to_raw(der) if province.signature_codec == "raw" else der
    info = elements(
        Reference=province.signature_reference,
        SignatureAlgorithm=province.signature_algorithm,
        SignatureFormat="DETACH",
    )
    key = elements(SerialNumber=certificate.serial_hex, X509IssuerName=certificate.issuer)
    return (
        f"<Signature><SignedInfo>{info}</SignedInfo>"
        f"<SignatureTime>{local(signed_at_ms):%Y%m%d%H%M%S}</SignatureTime>"
        f"<SignatureValue>{base64.b64encode(value).decode()}</SignatureValue>"
        f"<KeyInfo>{key}</KeyInfo></Signature>"
    )


def document(original: bytes, unit_signature: str, finance_signature: str | None) -> bytes:
    """Return the whole file around the literal signed bytes."""
    signatures = unit_signature + (finance_signature or "")
    return (
        f"{DECLARATION}<EInvoice>".encode()
        + original
        + f"<EInvoiceSignature>{signatures}</EInvoiceSignature></EInvoice>".encode()
    )
