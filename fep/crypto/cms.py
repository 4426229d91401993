"""Detached CMS SignedData with the OIDs of GM/T 0010, around an SM2 signature.

Owns `detached` and its reader. Rules: no content and no signed attributes, so that what is
signed stays the literal document; one certificate, one signer; the reader takes the one DER
encoding of this shape and nothing else. It never signs and never judges a certificate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from asn1crypto import core, x509

from fep.crypto import certs, der
from fep.crypto.certs import Certificate
from fep.crypto.errors import BadCertificate, BadDer

SIGNED_DATA_OID: Final = "1.2.156.10197.6.1.4.2.2"
DATA_OID: Final = "1.2.156.10197.6.1.4.2.1"
SM3_OID: Final = "1.2.156.10197.1.401"
SM2_SIGN_OID: Final = "1.2.156.10197.1.301.1"
CMS_MAX_BYTES: Final = 64 * 1024
_VERSION: Final = 1
_OCTET_STRING: Final = 0x04


@dataclass(frozen=True, slots=True)
class Detached:
    """What a detached SignedData holds: the signature (DER r, s) and the signer's certificate."""

    signature: bytes = field(repr=False)
    certificate: Certificate


def detached(signature: bytes, certificate: Certificate) -> bytes:
    """Return the SignedData (DER) of a signature over content that is kept elsewhere."""
    before, infos = _frame(certificate.der)
    signer = der.element(der.SEQUENCE, infos + der.element(_OCTET_STRING, signature))
    data = der.element(der.SEQUENCE, before + der.element(0x31, signer))
    return _content_info(SIGNED_DATA_OID, der.element(0xA0, data))


def parse(data: bytes) -> Detached:
    """Read a detached SignedData of this shape. Raises `BadDer`."""
    if not 0 < len(data) <= CMS_MAX_BYTES:
        raise BadDer(f"a SignedData has 1 to {CMS_MAX_BYTES} bytes")
    try:
        outer = _ContentInfo.load(data, strict=True)
        if outer["content_type"].dotted != SIGNED_DATA_OID:
            raise BadDer("not a SignedData of GM/T 0010")
        signed = outer["content"].parse(_SignedData)
        certificates, signers = signed["certificates"], signed["signer_infos"]
        if len(certificates) != 1 or len(signers) != 1:
            raise BadDer("not one certificate and one signer")
        signature = bytes(signers[0]["encrypted_digest"].native)
        certificate = certs.parse(certificates[0].dump())
    except BadCertificate as strange:
        raise BadDer(str(strange)) from strange
    except (ValueError, TypeError, KeyError) as strange:
        if isinstance(strange, BadDer):
            raise
        raise BadDer("not a SignedData") from strange
    der.read_signature(signature)
    # Whatever else the bytes could say (attributes, content, other algorithms), they may not.
    if detached(signature, certificate) != data:
        raise BadDer("not a detached SignedData of one SM2 signer")
    return Detached(signature, certificate)


def verify(data: bytes, content: bytes, certificate: Certificate) -> bool:
    """Say whether this certificate's key signed the content; malformed is False."""
    try:
        found = parse(data)
    except BadDer:
        return False
    if found.certificate.der != certificate.der:
        return False
    return certificate.public_key.verify(content, found.signature)


@lru_cache(maxsize=64)
def _frame(certificate: bytes) -> tuple[bytes, bytes]:
    """Return SignedData up to its signers, and SignerInfo up to its signature."""
    read = x509.Certificate.load(certificate, strict=True)
    tbs = read["tbs_certificate"]
    version = der.integer(_VERSION)
    sm3 = _algorithm(SM3_OID)
    before = (
        version + der.element(0x31, sm3) + _content_info(DATA_OID)
        + der.element(0xA0, certificate)
    )  # fmt: skip
    issuer_and_serial = der.element(
        der.SEQUENCE, tbs["issuer"].dump() + tbs["serial_number"].dump()
    )
    return before, version + issuer_and_serial + sm3 + _algorithm(SM2_SIGN_OID)


def _algorithm(oid: str) -> bytes:
    return der.element(der.SEQUENCE, core.ObjectIdentifier(oid).dump() + core.Null().dump())


def _content_info(oid: str, content: bytes = b"") -> bytes:
    return der.element(der.SEQUENCE, core.ObjectIdentifier(oid).dump() + content)


class _Algorithm(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("oid", core.ObjectIdentifier), ("parameters", core.Any, {"optional": True})]  # noqa: RUF012  # asn1crypto's way


class _Algorithms(core.SetOf):  # type: ignore[misc]  # asn1crypto has no types
    _child_spec = _Algorithm


class _ContentInfo(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [  # noqa: RUF012  # asn1crypto's way
        ("content_type", core.ObjectIdentifier),
        ("content", core.Any, {"explicit": 0, "optional": True}),
    ]


class _Certificates(core.SetOf):  # type: ignore[misc]  # asn1crypto has no types
    _child_spec = x509.Certificate


class _IssuerAndSerial(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("issuer", x509.Name), ("serial_number", core.Integer)]  # noqa: RUF012  # asn1crypto's way


class _SignerInfo(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [  # noqa: RUF012  # asn1crypto's way
        ("version", core.Integer),
        ("sid", _IssuerAndSerial),
        ("digest_algorithm", _Algorithm),
        ("signature_algorithm", _Algorithm),
        ("encrypted_digest", core.OctetString),
    ]


class _SignerInfos(core.SetOf):  # type: ignore[misc]  # asn1crypto has no types
    _child_spec = _SignerInfo


class _SignedData(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [  # noqa: RUF012  # asn1crypto's way
        ("version", core.Integer),
        ("digest_algorithms", _Algorithms),
        ("content_info", _ContentInfo),
        ("certificates", _Certificates, {"implicit": 0}),
        ("signer_infos", _SignerInfos),
    ]
