"""The e-receipt document: literal bytes, signed as they stand and never serialised again.

Order of elements: facts/standards 4 (the sender's propOrder). What is signed is
`<Header>…</Header><EInvoiceData>…</EInvoiceData>` in UTF-8: no declaration, no root, no white
space between elements, empty elements as `<X></X>`. Built by plain text so that the same
event always gives the same bytes. Read back by einvoice_read; einvoice.xsd says it all again.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from fep.crypto import cms, sm2, sm3
from fep.crypto.certs import Certificate
from fep.domain.calendar import local
from fep.domain.event import BillingEvent
from fep.domain.kind import Kind, Province, Unit, value
from fep.domain.money import format_fen
from fep.domain.receipt import check_code, einvoice_id

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


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What of a document does not depend on the event. Holds the three it was made of."""

    made_of: tuple[Kind, Unit, Province]
    head: str  # end of Header up to EInvoiceCode
    specimen: str
    area: str
    issuer: str
    checker: str
    main_ext: str  # one %s for each member
    members: tuple[tuple[str, str], ...]  # (name in ext or empty, source)
    seals: str
    order: Mapping[str, int]


_PLANS: dict[tuple[int, int, int], _Plan] = {}
PLANS_MAX = 1024


def _planned(kind: Kind, unit: Unit, province: Province) -> _Plan:
    """Return the plan of this kind, unit and province; hashing them would cost more."""
    key = (id(kind), id(unit), id(province))
    plan = _PLANS.get(key)
    if plan is None:
        if len(_PLANS) >= PLANS_MAX:
            _PLANS.clear()
        # The plan keeps all three alive: their ids cannot come to mean others.
        plan = _PLANS[key] = _plan(kind, unit, province)
    return plan


def _plan(kind: Kind, unit: Unit, province: Province) -> _Plan:
    seal = (("SealId", unit.seal.id), ("SealName", unit.seal.name), ("SealHash", unit.seal.hash))
    empty = (("SealId", ""), ("SealName", ""), ("SealHash", ""))
    issuer = (
        ("InvoicingPartyCode", unit.party_code), ("InvoicingPartyName", unit.name),
        ("RecName", unit.rec_name), ("RecAcct", unit.rec_account), ("RecOpBk", unit.rec_bank),
    )  # fmt: skip
    members = "".join([f"<{m.element}>%s</{m.element}>" for m in kind.main_ext])
    return _Plan(
        made_of=(kind, unit, province),
        head=(
            f"<EInvoiceTag>{escape(province.tag)}</EInvoiceTag>"
            f"<Version>{escape(province.version)}</Version></Header><EInvoiceData><Main>"
            f"<EInvoiceName>{escape(province.name)}{escape(kind.name)}</EInvoiceName>"
        ),
        specimen=escape(kind.specimen_template),
        area=f"<SupervisorAreaCode>{escape(unit.area)}</SupervisorAreaCode>",
        issuer=f"<InvoicingParty>{_members(issuer)}</InvoicingParty>",
        checker=escape(unit.default_checker),
        main_ext=f"<MainExt>{members}</MainExt>",
        members=tuple(
            (m.source[4:] if m.source.startswith("ext.") else "", m.source) for m in kind.main_ext
        ),
        seals=(
            f"<InvoicingPartySeal>{_members(seal)}</InvoicingPartySeal>"
            f"<SupervisorPartySeal>{_members(empty)}</SupervisorPartySeal></Main>"
        ),
        order={escape(name): place for place, name in enumerate(kind.item_order)},
    )


def prepare(
    event: BillingEvent, kind: Kind, unit: Unit, province: Province, *, markup: bool = True
) -> Compose:
    """Return the function that completes the document with code, number, check code and ms.

    Everything that depends on the caller's content happens here, before the store is asked.
    `markup` False: the caller has seen that no text holds `&`, `<` or `>`.
    """
    if markup:
        event = _escaped(event)
    plan = _planned(kind, unit, province)
    ext = event.ext
    main_ext = plan.main_ext % tuple(
        [ext.get(name, "") if name else value(event, source) for name, source in plan.members]
    )
    tail = (
        f"{_parties(event, plan)}{main_ext}{plan.seals}{_items(event, plan.order)}"
        f"{_details(event)}</EInvoiceData>"
    ).encode()
    total = f"<TotalAmount>{format_fen(event.total_fen)}</TotalAmount>"

    def compose(code: str, number: str, check_code: str, issued_ms: int) -> bytes:
        at = local(issued_ms)
        head = (
            f"<Header><EInvoiceID>{einvoice_id(code, number)}</EInvoiceID>{plan.head}"
            f"<EInvoiceCode>{code}</EInvoiceCode>"
            f"<EInvoiceNumber>{number}</EInvoiceNumber><RandomNumber>{check_code}</RandomNumber>"
            f"<EInvoiceSpecimenCode>{plan.specimen.format(code=code)}</EInvoiceSpecimenCode>"
            f"{plan.area}{total}"
            f"<IssueDate>{at:%Y%m%d}</IssueDate><IssueTime>{at:%H:%M:%S}</IssueTime>"
        )
        return head.encode() + tail

    return compose


def derived_check_code(
    name: str, payer: str, amount_fen: int, code: str, number: str, issued_ms: int
) -> str:
    """Return the 校验码 of strategy `digest`: the first 8 bytes of SM3 as 6 digits of base 62.

    Digested are name of the receipt, code, number, IssueDate (yyyyMMdd), payer and amount
    (12.30), joined by U+001F. The inputs are those one province is known to take; the
    derivation is our own, and nobody may verify a receipt by computing it.
    """
    parts = (name, code, number, f"{local(issued_ms):%Y%m%d}", payer, format_fen(amount_fen))
    return check_code(sm3.digest("\x1f".join(parts).encode()))


def _parties(event: BillingEvent, plan: _Plan) -> str:
    author = event.author or event.cashier
    checker = event.checker or plan.checker or author
    payer = event.payer
    return (
        f"{plan.issuer}<PayerParty><PayerPartyType>{payer.type}</PayerPartyType>"
        f"<PayerPartyCode>{payer.code}</PayerPartyCode>"
        f"<PayerPartyName>{payer.name}</PayerPartyName><PayerAcct>{payer.account}</PayerAcct>"
        f"<PayerOpBk>{payer.bank}</PayerOpBk></PayerParty>"
        f"<PayMode>{event.ext.get('pay_mode', '')}</PayMode><BizCode>{event.key}</BizCode>"
        f"<CurrencyType>CNY</CurrencyType><ExchangeRate></ExchangeRate>"
        f"<Remark>{event.remark}</Remark><HandlingPerson>{author}</HandlingPerson>"
        f"<Checker>{checker}</Checker><SupervisorRemark></SupervisorRemark>"
    )


def _members(members: Iterable[tuple[str, str]]) -> str:
    """Return elements in the order given, their texts escaped."""
    return "".join([f"<{name}>{escape(text)}</{name}>" for name, text in members])


def _items(event: BillingEvent, order: Mapping[str, int]) -> str:
    last = len(order)
    rows = [
        f"<Item><ItemCode>{i.code}</ItemCode><ItemName>{i.name}</ItemName>"
        f"<ItemQuantity>{i.number}</ItemQuantity><ItemUnit>{i.unit}</ItemUnit>"
        f"<ItemStd>{i.std}</ItemStd><ItemAmount>{format_fen(i.amount_fen)}</ItemAmount>"
        f"<ItemRemark>{i.remark}</ItemRemark><ItemExt></ItemExt></Item>"
        for i in sorted(event.items, key=lambda item: order.get(item.name, last))
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


_CODECS: Mapping[str, Callable[[bytes, Certificate], bytes]] = {
    "der": lambda der, _certificate: der,
    "raw": lambda der, _certificate: sm2.der_to_raw(der),
    "cms": cms.detached,
}


def signature_element(
    der: bytes, signed_at_ms: int, certificate: Certificate, province: Province
) -> str:
    """Return the `<Signature>` element of a party (facts/standards 5.1)."""
    coded = _CODECS[province.signature_codec](der, certificate)
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
        f"<SignatureValue>{base64.b64encode(coded).decode()}</SignatureValue>"
        f"<KeyInfo>{key}</KeyInfo></Signature>"
    )


def finance_original(original: bytes, unit_signature: bytes) -> bytes:
    """Return what finance signs: the hash of the unit's original and the unit's `<Signature>`."""
    return base64.b64encode(sm3.digest(original)) + unit_signature


def document(original: bytes, unit_signature: str, finance_signature: str | None) -> bytes:
    """Return the whole file around the literal signed bytes."""
    signatures = unit_signature + (finance_signature or "")
    return (
        f"{DECLARATION}<EInvoice>".encode()
        + original
        + f"<EInvoiceSignature>{signatures}</EInvoiceSignature></EInvoice>".encode()
    )
