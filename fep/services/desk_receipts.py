"""Desk methods over receipts: list, find, show, export, verify.

Names and numbers of persons leave masked unless a grant is shown. An export holds the
signed original as it is and is journalled.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sqlalchemy import Connection

from fep.crypto import certs, gm, libcrypto, sm2
from fep.crypto.errors import BackendMissing, BadCertificate, CryptoError
from fep.domain.calendar import iso
from fep.domain.faults import Refused, refuse
from fep.domain.faults_desk import desk_refuse
from fep.domain.money import format_fen
from fep.domain.receipt import Receipt, ReceiptState
from fep.domain.text import mask, mask_name
from fep.services.desk_context import DeskContext, Method, Params
from fep.store import queries
from fep.store.life import lives_q
from fep.store.link_certs import peer_certs_q, plain_serial
from fep.store.receipts import Signed, by_number_q, original_q, signature_q
from fep.store.supervision import doubt_q
from fep.wire import einvoice

_NAME = re.compile(r"(\d{8})-(\d{10})", re.ASCII)
_DOCUMENT = re.compile(
    rb"^(?:<\?xml[^>]*\?>)?\s*<EInvoice>(<Header>.*</EInvoiceData>)<EInvoiceSignature>(.*)"
    rb"</EInvoiceSignature></EInvoice>\s*$",
    re.DOTALL,
)
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
RAW_BYTES = 64  # r and s side by side; anything else is DER


class ListParams(Params):
    """receipts.list: business dates YYYY-MM-DD; `before` is the cursor of the page before."""

    unit: str = ""
    from_on: str = ""
    to_on: str = ""
    state: str = ""
    before: int = 0
    limit: int = 20
    unmask: int = 0


class FindParams(Params):
    """receipts.find: event key, number, code-number or beginning of the payer's name."""

    text: str
    unit: str = ""
    limit: int = 20
    unmask: int = 0


class NameParams(Params):
    """A receipt by its name, code-number."""

    name: str
    unmask: int = 0


class VerifyParams(Params):
    """verify.receipt: a stored receipt by name, or a document with its certificate if any."""

    name: str = ""
    document: str = ""
    certificate: str = ""


def named(name: str) -> tuple[str, str]:
    """Split code-number. Raises Refused RCP_NAME."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise desk_refuse("RCP_NAME", name=name[:40])
    return match[1], match[2]


def told(receipt: Receipt, *, plain: bool) -> dict[str, Any]:
    """Return a receipt as JSON members; the payer masked unless `plain`."""
    return {**receipt.told(), "payer": receipt.payer if plain else mask_name(receipt.payer)}


async def list_receipts(ctx: DeskContext, asked: ListParams) -> dict[str, Any]:
    """Return a page of receipts, newest first, and the cursor of the next one."""
    plain = ctx.unmasked(asked.unmask)
    units = (asked.unit,) if asked.unit else ctx.units
    limit = max(1, min(asked.limit, queries.MAX_ROWS))
    wanted = queries.Range(units, asked.from_on, asked.to_on, asked.state, asked.before, limit)
    found = await ctx.read(queries.list_q, wanted)
    more = found[-1].receipt.id if len(found) == limit else 0
    return {"receipts": await _listed(ctx, found, plain=plain), "next": more}


async def find_receipts(ctx: DeskContext, asked: FindParams) -> dict[str, Any]:
    """Return the receipts that answer to a text."""
    plain = ctx.unmasked(asked.unmask)
    units = (asked.unit,) if asked.unit else ctx.units
    limit = max(1, min(asked.limit, queries.MAX_ROWS))
    found = await ctx.read(queries.find_q, asked.text.strip(), units, limit)
    return {"receipts": await _listed(ctx, found, plain=plain)}


async def _listed(
    ctx: DeskContext, rows: Sequence[queries.Listed], *, plain: bool
) -> list[dict[str, Any]]:
    """Return rows of a list, with what became of each receipt."""
    lives = await ctx.read(lives_q, [row.receipt for row in rows])
    return [
        {
            **told(row.receipt, plain=plain), "life": lives[row.receipt.id].life.value,
            "sheet": lives[row.receipt.id].sheet or None,
            "upload": row.upload, "prints": row.prints,
        }
        for row in rows
    ]  # fmt: skip


async def show_receipt(ctx: DeskContext, asked: NameParams) -> dict[str, Any]:
    """Return everything that is known about one receipt."""
    plain = ctx.unmasked(asked.unmask)
    code, number = named(asked.name)
    return await ctx.read(_show_q, code, number, plain)


def _show_q(conn: Connection, code: str, number: str, plain: bool) -> dict[str, Any]:
    story = queries.story_q(conn, code, number)
    if story is None:
        raise _unknown()
    receipt = story.receipt
    original = original_q(conn, receipt.id)
    signed = signature_q(conn, receipt.id)
    supervised = queries.supervision_q(conn, receipt.id)
    answer: dict[str, Any] = {
        **told(receipt, plain=plain),
        "caller": story.caller,
        "received_at": iso(story.received_at),
        "face": _face(original, plain=plain),
        "signature": _signature_told(signed) if signed else None,
        "supervision": None,
        "uploads": [_members(row) for row in story.uploads],
        "prints": [
            {**_members(job), "attempts": [_members(one) for one in job.attempts]}
            for job in story.prints
        ],
    }
    if supervised is not None:
        answer["supervision"] = {
            "signed_at": iso(supervised.signed_at), "cert_serial": supervised.cert_serial,
            "doubt": doubt_q(conn, receipt.id),
        }  # fmt: skip
    if story.burned_at:
        answer["burned"] = {
            "at": iso(story.burned_at), "reason": story.burn_reason,
            "evidence": story.burn_evidence,
        }  # fmt: skip
    return answer


def _unknown() -> Refused:
    return refuse("RCP_UNKNOWN")


def _members(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__ if name != "attempts"}


def _signature_told(signed: Signed) -> dict[str, Any]:
    return {"cert_serial": signed.cert_serial, "signed_at": iso(signed.signed_at)}


def _face(original: bytes, *, plain: bool) -> dict[str, Any]:
    """Return what the document says, read from its own bytes."""
    root = ElementTree.fromstring(b"<EInvoice>" + original + b"</EInvoice>")
    hide: Callable[[str], str] = (lambda text: text) if plain else mask

    def text(path: str) -> str:
        return root.findtext(f"EInvoiceData/{path}") or ""

    items = [
        {
            "code": item.findtext("ItemCode") or "",
            "name": item.findtext("ItemName") or "",
            "number": item.findtext("ItemQuantity") or "",
            "unit": item.findtext("ItemUnit") or "",
            "amount": item.findtext("ItemAmount") or "",
        }
        for item in root.iterfind("EInvoiceData/Details/Item")
    ]
    return {
        "name": text("Main/EInvoiceName"),
        "party": text("Main/InvoicingParty/InvoicingPartyName"),
        "payer_code": hide(text("Main/PayerParty/PayerPartyCode")),
        "cashier": text("Main/HandlingPerson"),
        "checker": text("Main/Checker"),
        "total": text("Main/TotalAmount"),
        "items": items,
        "details": len(root.findall("EInvoiceData/AuxDetails/AuxItem")),
    }


async def export_receipt(ctx: DeskContext, asked: NameParams) -> dict[str, Any]:
    """Return the files of one receipt, base64 each; the daemon journals who took them."""
    code, number = named(asked.name)
    found = await ctx.read(_export_q, code, number, ctx.settings)
    if ctx.store is not None:
        await ctx.store.do("receipt.exported", _exported_txn, asked.name, ctx.peer)
    return found


def _exported_txn(tx: Any, name: str, peer: str) -> None:
    tx.journal("receipt.exported", name, {"who": peer})


def _export_q(conn: Connection, code: str, number: str, settings: Any) -> dict[str, Any]:
    receipt = by_number_q(conn, code, number)
    if receipt is None:
        raise _unknown()
    signed = signature_q(conn, receipt.id)
    if signed is None or receipt.state is not ReceiptState.SEALED:
        raise desk_refuse("RCP_UNSIGNED", name=receipt.ref)
    original = original_q(conn, receipt.id)
    certificate = certs.parse(signed.cert_der)
    files = {
        "original.bin": original,
        "signature.der": signed.der,
        "certificate.pem": _pem("CERTIFICATE", signed.cert_der),
        "public-key.pem": _pem("PUBLIC KEY", certificate.public_key.info()),
    }
    province = _province(settings, receipt.unit)
    if province is not None:
        mine = einvoice.signature_element(signed.der, signed.signed_at, certificate, province)
        theirs = _finance_element(conn, receipt.id, settings, province)
        files["receipt.xml"] = einvoice.document(original, mine, theirs)
    return {
        "name": receipt.ref,
        "issued_at": iso(receipt.issued_at),
        "amount": format_fen(receipt.amount_fen),
        "cert_serial": signed.cert_serial,
        "files": {name: base64.b64encode(body).decode() for name, body in files.items()},
    }


def _province(settings: Any, unit: str) -> Any:
    if settings is None or unit not in settings.units:
        return None
    return settings.provinces.get(settings.units[unit].province)


def _finance_element(conn: Connection, receipt_id: int, settings: Any, province: Any) -> str | None:
    """Return the platform's signature element, None while there is no good one."""
    found = queries.supervision_q(conn, receipt_id)
    if found is None or doubt_q(conn, receipt_id):
        return None
    certificate = _finance_certificate(conn, found.cert_serial, settings)
    if certificate is None:
        return None
    return einvoice.signature_element(found.der, found.signed_at, certificate, province)


def _finance_certificate(conn: Connection, serial: str, settings: Any) -> certs.Certificate | None:
    """Return the certificate of finance with this serial: stored, rotated in, or configured."""
    root, link = Path(settings.root), settings.link
    files = [root / name for name in (*link.finance_certs, link.platform_cert)]
    given = [
        queries.certificate_of_serial_q(conn, serial) or b"",
        *(cert.der for cert in peer_certs_q(conn, link.dest)),
        *(path.read_bytes() for path in files if path.is_file()),
    ]
    for content in filter(None, given):
        try:
            found = certs.parse(content)
        except BadCertificate:
            continue
        if plain_serial(found.serial_hex) == plain_serial(serial):
            return found
    return None


def _pem(label: str, der: bytes) -> bytes:
    body = base64.encodebytes(der).replace(b"\n", b"")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    head, foot = f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()
    return b"\n".join([head, *lines, foot, b""])


async def verify_receipt(ctx: DeskContext, asked: VerifyParams) -> dict[str, Any]:
    """Verify a receipt's unit signature with both implementations of SM2."""
    if asked.document:
        document = _decoded("document", asked.document)
        given = _decoded("certificate", asked.certificate) or None
        return await ctx.read(_verify_document_q, document, given)
    code, number = named(asked.name)
    return await ctx.read(_verify_stored_q, code, number)


def _decoded(field: str, text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError as error:
        raise refuse("REQ_FIELD_TYPE", field=field, why="base64") from error


def _verify_stored_q(conn: Connection, code: str, number: str) -> dict[str, Any]:
    receipt = by_number_q(conn, code, number)
    if receipt is None:
        raise _unknown()
    signed = signature_q(conn, receipt.id)
    if signed is None:
        raise desk_refuse("RCP_UNSIGNED", name=receipt.ref)
    original = original_q(conn, receipt.id)
    return verdict(original, signed.der, certs.parse(signed.cert_der), receipt.ref)


def _verify_document_q(conn: Connection, document: bytes, given: bytes | None) -> dict[str, Any]:
    original, der, serial, name = taken_apart(document)
    encoded = given or queries.certificate_of_serial_q(conn, serial)
    if encoded is None:
        raise desk_refuse("VFY_CERT", serial=serial)
    try:
        certificate = certs.parse(encoded)
    except BadCertificate as error:
        raise desk_refuse("VFY_CERT", serial=serial) from error
    return verdict(original, der, certificate, name)


def taken_apart(document: bytes) -> tuple[bytes, bytes, str, str]:
    """Return (literal original, unit signature DER, certificate serial, code-number).

    Raises Refused VFY_DOCUMENT.
    """
    match = _DOCUMENT.match(document) if len(document) <= MAX_DOCUMENT_BYTES else None
    if match is None:
        raise desk_refuse("VFY_DOCUMENT", why="EInvoice, Header, EInvoiceSignature")
    if b"<!" in document:
        raise desk_refuse("VFY_DOCUMENT", why="DOCTYPE")
    try:
        signatures = ElementTree.fromstring(b"<All>" + match[2] + b"</All>")
        parts = ElementTree.fromstring(b"<All>" + match[1] + b"</All>")
        text = signatures.findtext("Signature/SignatureValue") or "none"
        value = base64.b64decode(text, validate=True)
        der = sm2.raw_to_der(value) if len(value) == RAW_BYTES else value
    except (ElementTree.ParseError, ValueError) as error:
        raise desk_refuse("VFY_DOCUMENT", why=str(error)[:80]) from error
    main = "EInvoiceData/Main"
    name = f"{parts.findtext(f'{main}/EInvoiceCode')}-{parts.findtext(f'{main}/EInvoiceNumber')}"
    return match[1], der, signatures.findtext("Signature/KeyInfo/SerialNumber") or "", name


def verdict(
    original: bytes, der: bytes, certificate: certs.Certificate, name: str
) -> dict[str, Any]:
    """Return what each implementation says; `good` only when one ran and none said no."""
    answers: dict[str, bool | None] = {}
    for backend in (libcrypto.NAME, gm.NAME):
        try:
            answers[backend] = certificate.public_key.on(backend).verify(original, der)
        except (BackendMissing, CryptoError):
            answers[backend] = None
    said = [answer for answer in answers.values() if answer is not None]
    return {
        "name": name,
        "good": bool(said) and all(said),
        "by": answers,
        "cert_serial": certificate.serial_hex,
        "subject": certificate.subject,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
    }


METHODS: dict[str, Method] = {
    "receipts.list": Method("admin", ListParams, list_receipts),
    "receipts.find": Method("admin", FindParams, find_receipts),
    "receipts.show": Method("admin", NameParams, show_receipt),
    "receipts.export": Method("admin", NameParams, export_receipt),
    "verify.receipt": Method("admin", VerifyParams, verify_receipt),
}
