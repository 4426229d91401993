"""The e-receipt document: literal bytes, signed as they stand and never serialised again.

Order of elements: facts/standards 4 (the sender's propOrder). What is signed is
`<Header>…</Header><EInvoiceData>…</EInvoiceData>` in UTF-8: no declaration, no root, no white
space between elements, empty elements as `<X></X>`. Built by plain text so that the same
event always gives the same bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from fep.crypto import sm2
from fep.crypto.certs import Certificate
from fep.domain.calendar import local
from fep.domain.event import BillingEvent
from fep.domain.kind import Kind, Province, Unit
from fep.domain.money import format_fen
from fep.domain.receipt import einvoice_id

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
Compose = Callable[[str, str, str, int], bytes]


def _escaped(value: Any) -> Any:
    """Return a value of the event with `&`, `<` and `>` escaped in every text."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, tuple):
        return tuple(_escaped(entry) for entry in value)
    if isinstance(value, Mapping):
        return {name: _escaped(entry) for name, entry in value.items()}
    if isinstance(value, msgspec.Struct):
        return type(value)(*(_escaped(getattr(value, f)) for f in value.__struct_fields__))
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(*(_escaped(getattr(value, f.name)) for f in fields(value)))
    return value


def prepare(
    event: BillingEvent, kind: Kind, unit: Unit, province: Province, *, markup: bool = True
) -> Compose:
    """Return the function that completes the document with code, number, check code and ms.

    Everything that depends on the caller's content happens here, before the store is asked.
    `markup` False: the caller has seen that no text holds `&`, `<` or `>`.
    """
    if markup:
        event = _escaped(event)
    middle = _parties(event, unit) + _main_ext(event, kind) + _seals(unit) + "</Main>"
    tail = (middle + _items(event, kind) + _details(event) + "</EInvoiceData>").encode()
    name = f"<EInvoiceName>{escape(province.name)}{escape(kind.name)}</EInvoiceName>"
    area = f"<SupervisorAreaCode>{escape(unit.area)}</SupervisorAreaCode>"
    total = f"<TotalAmount>{format_fen(event.total_fen)}</TotalAmount>"
    header_end = (
        f"<EInvoiceTag>{escape(province.tag)}</EInvoiceTag>"
        f"<Version>{escape(province.version)}</Version></Header>"
    )

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
    checker = event.checker or escape(unit.default_checker) or author
    payer = event.payer
    return (
        f"{_issuer(unit)}<PayerParty><PayerPartyType>{payer.type}</PayerPartyType>"
        f"<PayerPartyCode>{payer.code}</PayerPartyCode>"
        f"<PayerPartyName>{payer.name}</PayerPartyName><PayerAcct>{payer.account}</PayerAcct>"
        f"<PayerOpBk>{payer.bank}</PayerOpBk></PayerParty>"
        f"<PayMode>{event.ext.get('pay_mode', '')}</PayMode><BizCode>{event.key}</BizCode>"
        f"<CurrencyType>CNY</CurrencyType><ExchangeRate></ExchangeRate>"
        f"<Remark>{event.remark}</Remark><HandlingPerson>{author}</HandlingPerson>"
        f"<Checker>{checker}</Checker><SupervisorRemark></SupervisorRemark>"
    )


@cache
def _issuer(unit: Unit) -> str:
    members = (
        ("InvoicingPartyCode", unit.party_code), ("InvoicingPartyName", unit.name),
        ("RecName", unit.rec_name), ("RecAcct", unit.rec_account), ("RecOpBk", unit.rec_bank),
    )  # fmt: skip
    return f"<InvoicingParty>{_members(members)}</InvoicingParty>"


@cache
def _seals(unit: Unit) -> str:
    seal = (("SealId", unit.seal.id), ("SealName", unit.seal.name), ("SealHash", unit.seal.hash))
    empty = (("SealId", ""), ("SealName", ""), ("SealHash", ""))
    return (
        f"<InvoicingPartySeal>{_members(seal)}</InvoicingPartySeal>"
        f"<SupervisorPartySeal>{_members(empty)}</SupervisorPartySeal>"
    )


def _members(members: Iterable[tuple[str, str]]) -> str:
    """Return elements in the order given, their texts escaped."""
    return "".join([f"<{name}>{escape(text)}</{name}>" for name, text in members])


def _main_ext(event: BillingEvent, kind: Kind) -> str:
    ext = event.ext
    members = [
        f"<{m.element}>{ext.get(m.source[4:], '')}</{m.element}>"
        if m.source.startswith("ext.")
        else f"<{m.element}>{_source(event, m.source)}</{m.element}>"
        for m in kind.main_ext
    ]
    return f"<MainExt>{''.join(members)}</MainExt>"


def _source(event: BillingEvent, source: str) -> str:
    if source.startswith("payer."):
        return str(getattr(event.payer, source[6:]))
    if source == "occurred_on":
        return event.occurred_at[:8]
    return str(getattr(event, source)) if source else ""


def _items(event: BillingEvent, kind: Kind) -> str:
    rows = [
        f"<Item><ItemCode>{i.code}</ItemCode><ItemName>{i.name}</ItemName>"
        f"<ItemQuantity>{i.number}</ItemQuantity><ItemUnit>{i.unit}</ItemUnit>"
        f"<ItemStd>{i.std}</ItemStd><ItemAmount>{format_fen(i.amount_fen)}</ItemAmount>"
        f"<ItemRemark>{i.remark}</ItemRemark><ItemExt></ItemExt></Item>"
        for i in kind.ordered(event.items)
    ]
    return f"<Details>{''.join(rows)}</Details>"


def _details(event: BillingEvent) -> str:
    names = {item.code: item.name for item in event.items}
    rows = [
        f"<AuxItem><AuxItemRelatedCode>{d.item}</AuxItemRelatedCode>"
        f"<AuxItemRelatedName>{names.get(d.item, '')}</AuxItemRelatedName>"
        f"<AuxItemCode>{d.code}</AuxItemCode>"
        f"<AuxItemName>{f'{d.name} {d.spec}' if d.spec else d.name}</AuxItemName>"
        f"<AuxItemQuantity>{d.number}</AuxItemQuantity><AuxItemUnit>{d.unit}</AuxItemUnit>"
        f"<AuxItemStd>{d.std}</AuxItemStd><AuxItemAmount>{d.amount}</AuxItemAmount>"
        f"<AuxItemRemark>{d.remark}</AuxItemRemark></AuxItem>"
        for d in event.details
    ]
    return f"<AuxDetails>{''.join(rows)}</AuxDetails>"


def signature_element(
    der: bytes, signed_at_ms: int, certificate: Certificate, province: Province
) -> str:
    """Return the `<Signature>` element of a party (facts/standards 5.1)."""
    value = sm2.der_to_raw(der) if province.signature_codec == "raw" else der
    info = _members(
        (
            ("Reference", province.signature_reference),
            ("SignatureAlgorithm", province.signature_algorithm),
            ("SignatureFormat", "DETACH"),
        )
    )
    key = _members(
        (("SerialNumber", certificate.serial_hex), ("X509IssuerName", certificate.issuer))
    )
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
