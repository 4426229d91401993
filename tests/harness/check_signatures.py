"""I9: every receipt that left the machine verifies under its certificate.

Verified with the simulators' binding of libcrypto, which shares no code with the product.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import Any

from fep.sim import sm
from tests.harness.check_chain import sm3
from tests.harness.world import Violation, World, yuan


def check_signed(world: World) -> Iterator[Violation]:
    """I9: signature, certificate and literal bytes belong together and to the receipt."""
    trusted = {sm.load_certificate(raw).der for raw in world.certificates}
    keys: dict[int, sm.PublicKey] = {}
    for row in world.books["certificate"]:
        der = bytes(row.der)
        keys[row.id] = sm.load_certificate(der).public_key
        if sm3(der) != bytes(row.sm3) or (trusted and der not in trusted):
            yield Violation("I9", f"certificate {row.serial} is not one of this site")
    signatures = {row.receipt_id: row for row in world.books["signature"]}
    for row in world.books["receipt"]:
        signature = signatures.pop(row.id, None)
        if (signature is not None) != (row.state == "sealed"):
            yield Violation("I9", f"{row.ref} is {row.state}, signature: {bool(signature)}")
            continue
        original = world.books.originals.get(row.id)
        if original is None:
            yield Violation("I9", f"{row.ref} has no literal bytes")
            continue
        yield from _document(row, original)
        if signature is not None:
            key = keys.get(signature.cert_id)
            if key is None or not key.verify(original, bytes(signature.der)):
                yield Violation("I9", f"{row.ref} does not verify under its certificate")
    for receipt_id in signatures:
        yield Violation("I9", f"a signature of receipt {receipt_id}, which does not exist")
    yield from _left_unsigned(world)


def _document(row: Any, original: bytes) -> Iterator[Violation]:
    text = original.decode()
    expected = {
        "EInvoiceID": row.ref[::-1],
        "EInvoiceCode": row.code,
        "EInvoiceNumber": row.number,
        "RandomNumber": row.check_code,
        "TotalAmount": yuan(row.amount_fen),
        "IssueDate": row.issued_on.replace("-", ""),
    }
    for name, value in expected.items():
        found = re.findall(f"<{name}>([^<]*)</{name}>", text)
        if [unescape(one) for one in found] != [value]:
            yield Violation("I9", f"{row.ref}: {name} in the signed bytes is {found}, not {value}")


def _left_unsigned(world: World) -> Iterator[Violation]:
    """Nothing leaves before the signature: no paper, no upload, no effect elsewhere."""
    sealed = {row.id for row in world.books.sealed()}
    for table in ("print_job", "upload"):
        queued = Counter(row.receipt_id for row in world.books[table])
        for receipt_id in queued:
            # An act on blank paper is of no receipt.
            if receipt_id and receipt_id not in sealed:
                yield Violation("I9", f"{table} for receipt {receipt_id}, which is not signed")
    if world.province is not None:
        if world.province.bad_signatures:
            yield Violation("I9", f"{world.province.bad_signatures} bad at the province")
        for effect in world.province.receipts:
            if not effect.unit_signature_ok:
                yield Violation("I9", f"{effect.ref} does not verify at the province")
