"""A detached SignedData says the same signature, and can say nothing else."""

from __future__ import annotations

import pytest

from fep.crypto import certs, cms, der, keyfile, sm2
from fep.crypto.errors import BadDer
from fep.wire import einvoice
from fep.wire.einvoice_read import Signature, read
from tests.unit.kinds.shipped import NOON, certificate, province, stand_in
from tests.unit.kinds.test_einvoice_read import GOOD
from tests.unit.link.link_world import START, party

KEY, CERT = party("unit-1", 0x30)
TEXT = "票据原文".encode()


def test_a_signature_made_and_wrapped_is_verified():
    made = cms.detached(KEY.sign(TEXT), CERT)

    assert cms.verify(made, TEXT, CERT)
    assert not cms.verify(made, TEXT + b".", CERT)
    assert not cms.verify(made, TEXT, certificate())
    assert not cms.verify(made[:-1], TEXT, CERT)


def test_what_is_wrapped_comes_back():
    signature = KEY.sign(TEXT)

    found = cms.parse(cms.detached(signature, CERT))

    assert (signature, CERT.der) == (found.signature, found.certificate.der)


def test_the_object_identifiers_are_those_of_the_standard():
    made = cms.detached(stand_in(TEXT), CERT)

    for oid in ("06 0a 2a 81 1c cf 55 06 01 04 02 02", "06 0a 2a 81 1c cf 55 06 01 04 02 01",
                "06 08 2a 81 1c cf 55 01 83 11", "06 09 2a 81 1c cf 55 01 82 2d 01"):  # fmt: skip
        assert bytes.fromhex(oid) in made
    assert TEXT not in made


def test_every_changed_byte_is_refused():
    """No byte may be changed and still stand for the same signature by the same certificate."""
    made = cms.detached(KEY.sign(TEXT), CERT)
    taken = []
    for place in range(len(made)):
        changed = bytearray(made)
        changed[place] ^= 0x01
        try:
            found = cms.parse(bytes(changed))
        except BadDer:
            continue
        if found.certificate.der == CERT.der and found.signature == cms.parse(made).signature:
            taken.append(place)

    assert [] == taken


@pytest.mark.parametrize(
    "data", [b"", b"0", bytes(70_000), der.element(der.SEQUENCE, b""), stand_in(TEXT)]
)
def test_what_is_no_signed_data_is_refused(data: bytes):
    with pytest.raises(BadDer):
        cms.parse(data)


def test_another_signer_beside_the_first_is_refused():
    made = cms.detached(stand_in(TEXT), CERT)
    other = keyfile.generate()
    other_cert = certs.parse(certs.self_signed(other, "x", 7, START, CERT.not_after))
    outer, inner = made, cms.detached(stand_in(b"x"), other_cert)

    with pytest.raises(BadDer):
        cms.parse(outer + inner)


@pytest.mark.parametrize("codec", ["der", "raw", "cms"])
def test_every_codec_holds_the_same_signature(codec: str):
    signature = KEY.sign(TEXT)
    element = einvoice.signature_element(signature, NOON, CERT, province(codec))
    head, end = GOOD.index(b"<Signature>"), GOOD.index(b"</EInvoiceSignature>")

    (found,) = read(GOOD[:head] + element.encode() + GOOD[end:]).signatures

    assert signature == found.der()
    assert CERT.public_key.verify(TEXT, found.der())


def test_a_value_in_no_codec_is_refused():
    value = Signature("", "", "", bytes(80), "1", "", b"")

    with pytest.raises(BadDer):
        value.der()
    assert 64 == len(sm2.der_to_raw(stand_in(TEXT)))
