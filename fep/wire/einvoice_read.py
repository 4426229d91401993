"""An e-receipt file read back: bytes -> `Document`, or `NotReceipt` with the place.

Rules: the order, shapes and lengths of einvoice.xsd and nothing else: no entity, document type,
comment, instruction, attribute, namespace, CDATA or text between elements. MainExt is open, its
members are leaves. The signed bytes are cut out of the file, never written again.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final
from xml.parsers import expat

from fep.crypto import cms, der, sm2
from fep.crypto.errors import BadDer
from fep.domain.event import Item, Payer
from fep.domain.kind import Seal
from fep.domain.money import Fen, NotMoney, format_fen, parse_fen
from fep.domain.receipt import einvoice_id
from fep.wire.einvoice import DECLARATION

DOCUMENT_MAX_BYTES: Final = 64 * 1024 * 1024
DEPTH_MAX: Final = 6
SIGNATURES_MAX: Final = 2
_HEAD: Final = f"{DECLARATION}<EInvoice>".encode()
_END: Final = b"</EInvoice>"


class NotReceipt(ValueError):
    """The bytes are not one of our receipts; the argument says where and why."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """InvoicingParty."""

    code: str
    name: str
    rec_name: str
    rec_account: str
    rec_bank: str


@dataclass(frozen=True, slots=True)
class AuxItem:
    """One line of AuxDetails; `name` holds name and specification of the event's detail."""

    item: str
    item_name: str
    code: str
    name: str
    number: str
    unit: str
    std: str
    amount: str
    remark: str


@dataclass(frozen=True, slots=True)
class Signature:
    """One `<Signature>` with its literal bytes; `value` is coded as the province asks."""

    reference: str
    algorithm: str
    signed_at: str  # yyyyMMddHHmmss, +08:00
    value: bytes = field(repr=False)
    serial_hex: str
    issuer: str
    xml: bytes = field(repr=False)

    def der(self) -> bytes:
        """Return the signature as DER, whichever codec it came in. Raises BadDer."""
        if len(self.value) == der.RAW_SIGNATURE_BYTES:
            return sm2.raw_to_der(self.value)
        try:
            der.read_signature(self.value)
        except BadDer:
            return cms.parse(self.value).signature
        return self.value


@dataclass(frozen=True, slots=True)
class Document:
    """An e-receipt. `original` is what the unit signed; the second signature is finance's."""

    original: bytes = field(repr=False)
    tag: str
    version: str
    name: str
    code: str
    number: str
    check_code: str
    specimen: str
    area: str
    amount_fen: Fen
    issue_date: str
    issue_time: str
    issuer: Issuer
    payer: Payer
    pay_mode: str
    biz_code: str
    currency: str
    exchange_rate: str
    remark: str
    handling_person: str
    checker: str
    supervisor_remark: str
    main_ext: tuple[tuple[str, str], ...]
    unit_seal: Seal
    supervisor_seal: Seal
    items: tuple[Item, ...]
    details: tuple[AuxItem, ...]
    signatures: tuple[Signature, ...]

    @property
    def related(self) -> tuple[str, str] | None:
        """Return (code, number) of the blue receipt that this red one reverses."""
        members = dict(self.main_ext)
        found = (members.get("RelatedInvoiceCode", ""), members.get("RelatedInvoiceNumber", ""))
        return found if all(found) else None


def read(data: bytes) -> Document:
    """Return the receipt in a whole file. Raises NotReceipt."""
    if len(data) > DOCUMENT_MAX_BYTES:
        raise NotReceipt(f"more than {DOCUMENT_MAX_BYTES} bytes")
    if not data.startswith(_HEAD) or not data.endswith(_END):
        raise NotReceipt("does not begin and end as a receipt")
    root = _Builder(data).root
    header, body, signed = _named(root, ("Header", "EInvoiceData", "EInvoiceSignature"))
    identity, tag, version = _texts(header, _HEADER)
    main, lines, aux = _named(body, ("Main", "Details", "AuxDetails"))
    found = _main(main)
    if identity != einvoice_id(found["code"], found["number"]):
        raise NotReceipt("EInvoiceID is not that of code and number")
    items = tuple(_item(node) for node in _each(lines, "Item"))
    if not items or sum(item.amount_fen for item in items) != found["amount_fen"]:
        raise NotReceipt("Details: the items do not sum to TotalAmount")
    signatures = tuple(_signature(node, data) for node in _each(signed, "Signature"))
    if not 1 <= len(signatures) <= SIGNATURES_MAX:
        raise NotReceipt("EInvoiceSignature: not one or two signatures")
    return Document(
        original=data[header.start : signed.start], tag=tag, version=version, items=items,
        details=tuple(AuxItem(*_texts(node, _AUX_ITEM)) for node in _each(aux, "AuxItem")),
        signatures=signatures, **found,
    )  # fmt: skip


@dataclass(slots=True)
class _Node:
    tag: str
    start: int  # index of its first byte
    children: list[_Node] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    end: int = 0  # index of the byte after its last

    @property
    def text(self) -> str:
        return "".join(self.parts)


class _Builder:
    """Builds the tree; whatever is not an element or its text is refused where it stands."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._open: list[_Node] = []
        self.root = _Node("", 0)
        parser = self._parser = expat.ParserCreate("UTF-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        for name in ("StartDoctypeDeclHandler", "EntityDeclHandler", "CommentHandler",
                     "ProcessingInstructionHandler", "StartCdataSectionHandler",
                     "DefaultHandler"):  # fmt: skip
            setattr(parser, name, self._refuse)
        parser.XmlDeclHandler = lambda *_declared: None  # its bytes were compared already
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise NotReceipt(f"not XML: {error}") from error

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if attributes or ":" in tag or len(self._open) >= DEPTH_MAX:
            raise NotReceipt(f"{tag}: attributes, prefixes and deeper levels are not allowed")
        node = _Node(tag, self._parser.CurrentByteIndex)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def _end(self, tag: str) -> None:
        node = self._open.pop()
        node.end = self._data.index(b">", self._parser.CurrentByteIndex) + 1
        if node.children and node.parts:
            raise NotReceipt(f"{tag}: text between elements")

    def _text(self, text: str) -> None:
        self._open[-1].parts.append(text)

    def _refuse(self, *_what: object) -> None:
        raise NotReceipt(f"byte {self._parser.CurrentByteIndex}: only elements and text")


_Shapes = Sequence[tuple[str, re.Pattern[str]]]


def _length(least: int, most: int) -> re.Pattern[str]:
    return re.compile(f".{{{least},{most}}}", re.DOTALL)


_ANY: Final = re.compile(".*", re.DOTALL)
_MONEY: Final = re.compile(r"-?(0|[1-9][0-9]{0,15})\.[0-9]{2}")
_DECIMAL6: Final = re.compile(r"(-?[0-9]{1,12}(\.[0-9]{1,6})?)?")
_DECIMAL4: Final = re.compile(r"(-?[0-9]{1,12}(\.[0-9]{1,4})?)?")
_DAY: Final = r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"

_HEADER: Final = (
    ("EInvoiceID", re.compile("[0-9]{10}-[0-9]{8}")), ("EInvoiceTag", re.compile("CZ-EI-[0-9]{2}")),
    ("Version", _length(1, 10)),
)  # fmt: skip
_MAIN_HEAD: Final = (
    ("EInvoiceName", _length(1, 100)), ("EInvoiceCode", re.compile("[0-9]{8}")),
    ("EInvoiceNumber", re.compile("[0-9]{10}")),
    ("RandomNumber", re.compile("([0-9A-Za-z]{6})?")), ("EInvoiceSpecimenCode", _length(0, 20)),
    ("SupervisorAreaCode", re.compile("[0-9]{6}")), ("TotalAmount", _MONEY),
    ("IssueDate", re.compile(_DAY)),
    ("IssueTime", re.compile("([01][0-9]|2[0-3])(:[0-5][0-9]){2}")),
)  # fmt: skip
_ISSUER: Final = (
    ("InvoicingPartyCode", _length(1, 30)), ("InvoicingPartyName", _length(1, 100)),
    ("RecName", _length(0, 100)), ("RecAcct", _length(0, 50)), ("RecOpBk", _length(0, 100)),
)  # fmt: skip
_PAYER: Final = (
    ("PayerPartyType", re.compile("[12]")), ("PayerPartyCode", _length(0, 50)),
    ("PayerPartyName", _length(1, 100)), ("PayerAcct", _length(0, 50)),
    ("PayerOpBk", _length(0, 100)),
)  # fmt: skip
_MAIN_TAIL: Final = (
    ("PayMode", _length(0, 20)), ("BizCode", _length(0, 50)),
    ("CurrencyType", re.compile("([A-Z]{3})?")), ("ExchangeRate", _DECIMAL6),
    ("Remark", _length(0, 200)), ("HandlingPerson", _length(0, 50)), ("Checker", _length(0, 50)),
    ("SupervisorRemark", _length(0, 200)),
)  # fmt: skip
_SEAL: Final = (
    ("SealId", _length(0, 64)), ("SealName", _length(0, 100)), ("SealHash", _length(0, 128))
)  # fmt: skip
_ITEM: Final = (
    ("ItemCode", _length(1, 30)), ("ItemName", _length(1, 100)), ("ItemQuantity", _DECIMAL6),
    ("ItemUnit", _length(0, 20)), ("ItemStd", _DECIMAL6), ("ItemAmount", _MONEY),
    ("ItemRemark", _length(0, 100)),
)  # fmt: skip
_AUX_ITEM: Final = (
    ("AuxItemRelatedCode", _length(1, 30)), ("AuxItemRelatedName", _length(0, 100)),
    ("AuxItemCode", _length(0, 30)), ("AuxItemName", _length(0, 201)),
    ("AuxItemQuantity", _DECIMAL6), ("AuxItemUnit", _length(0, 20)), ("AuxItemStd", _DECIMAL6),
    ("AuxItemAmount", _DECIMAL4), ("AuxItemRemark", _length(0, 100)),
)  # fmt: skip
_SIGNED_INFO: Final = (
    ("Reference", _ANY), ("SignatureAlgorithm", _ANY), ("SignatureFormat", re.compile("DETACH"))
)  # fmt: skip
_KEY_INFO: Final = (
    ("SerialNumber", re.compile("[0-9A-Fa-f]{1,40}")), ("X509IssuerName", _ANY)
)  # fmt: skip
_SIGNED_AT: Final = re.compile(_DAY + "([01][0-9]|2[0-3])([0-5][0-9]){2}")


def _named(node: _Node, names: Sequence[str]) -> list[_Node]:
    """Return the children, proved to be these in this order."""
    if node.parts or [child.tag for child in node.children] != list(names):
        raise NotReceipt(f"{node.tag}: not {', '.join(names)}")
    return node.children


def _each(node: _Node, name: str) -> Iterator[_Node]:
    """Yield the children, all of one name."""
    if node.parts:
        raise NotReceipt(f"{node.tag}: text between elements")
    for child in node.children:
        if child.tag != name:
            raise NotReceipt(f"{node.tag}: {child.tag} for {name}")
        yield child


def _text(node: _Node, shape: re.Pattern[str]) -> str:
    if node.children or shape.fullmatch(node.text) is None:
        raise NotReceipt(f"{node.tag}: {node.text[:40]!r} has not its shape")
    return node.text


def _texts(node: _Node, shapes: _Shapes) -> list[str]:
    """Return the texts of the leaves of a node, each of its shape."""
    children = _named(node, [name for name, _shape in shapes])
    return [_text(child, shape) for child, (_, shape) in zip(children, shapes, strict=True)]


def _fen(text: str) -> Fen:
    try:
        fen = parse_fen(text)
    except NotMoney as error:
        raise NotReceipt(f"{text} is no amount") from error
    if format_fen(fen) != text:
        raise NotReceipt(f"{text} is not how an amount is written")
    return fen


def _main(node: _Node) -> dict[str, Any]:
    """Return the members of `Document` that Main holds; their types are those of the class."""
    names = [name for name, _shape in _MAIN_HEAD] + ["InvoicingParty", "PayerParty"]
    names += [name for name, _shape in _MAIN_TAIL]
    names += ["MainExt", "InvoicingPartySeal", "SupervisorPartySeal"]
    child = {found.tag: found for found in _named(node, names)}
    leaves = [_text(child[name], shape) for name, shape in chain(_MAIN_HEAD, _MAIN_TAIL)]
    kind, code, name, account, bank = _texts(child["PayerParty"], _PAYER)
    return {
        **dict(zip(
            ("name", "code", "number", "check_code", "specimen", "area", "amount_fen",
             "issue_date", "issue_time", "pay_mode", "biz_code", "currency", "exchange_rate",
             "remark", "handling_person", "checker", "supervisor_remark"),
            leaves, strict=True)),
        "amount_fen": _fen(child["TotalAmount"].text),
        "issuer": Issuer(*_texts(child["InvoicingParty"], _ISSUER)),
        "payer": Payer(name, "2" if kind == "2" else "1", code, account, bank),
        "main_ext": _open_members(child["MainExt"]),
        "unit_seal": Seal(*_texts(child["InvoicingPartySeal"], _SEAL)),
        "supervisor_seal": Seal(*_texts(child["SupervisorPartySeal"], _SEAL)),
    }  # fmt: skip


def _open_members(node: _Node) -> tuple[tuple[str, str], ...]:
    if node.parts:
        raise NotReceipt(f"{node.tag}: text between elements")
    return tuple((leaf.tag, _text(leaf, _ANY)) for leaf in node.children)


def _item(node: _Node) -> Item:
    names = [*(name for name, _shape in _ITEM), "ItemExt"]
    *leaves, _ext = _named(node, names)
    code, name, number, unit, std, amount, remark = (
        _text(leaf, shape) for leaf, (_, shape) in zip(leaves, _ITEM, strict=True)
    )
    return Item(code, name, _fen(amount), unit, std, number, remark)


def _signature(node: _Node, data: bytes) -> Signature:
    # Both spellings are in use (facts/standards 5.1).
    spelt = node.children[2].tag if len(node.children) > 2 else ""  # the third of four
    value_name = "Signaturevalue" if spelt == "Signaturevalue" else "SignatureValue"
    info, time, value, key = _named(node, ("SignedInfo", "SignatureTime", value_name, "KeyInfo"))
    reference, algorithm, _ = _texts(info, _SIGNED_INFO)
    try:
        coded = base64.b64decode(_text(value, _ANY).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise NotReceipt(f"{value.tag}: not base64") from error
    if len(coded) < der.RAW_SIGNATURE_BYTES:
        raise NotReceipt(f"{value.tag}: too short for a signature")
    serial, issuer = _texts(key, _KEY_INFO)
    return Signature(reference, algorithm, _text(time, _SIGNED_AT), coded, serial, issuer,
                     data[node.start : node.end])  # fmt: skip
