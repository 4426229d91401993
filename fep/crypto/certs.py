"""X.509 certificates with SM2 keys: read, name, link, and the self-signed one of a site.

Rules: the signed part is cut out of the literal bytes, never encoded again; a link is good
only with SM2-with-SM3, the default user id and a parent that may sign certificates; times
are aware UTC. Revocation and validity dates are the caller's judgement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from asn1crypto import keys, pem, x509

from fep.crypto import der, sm3
from fep.crypto.curve import CURVE_OID, DEFAULT_ID, SM2_WITH_SM3_OID
from fep.crypto.errors import BadCertificate, BadDer, BadKey
from fep.crypto.sm2 import PrivateKey, PublicKey

CERTIFICATE_MAX_BYTES: Final = 64 * 1024
SERIAL_MAX_BYTES: Final = 20
_UTC_TIME_UNTIL: Final = 2050
_POINT_FORM: Final = 0x04
_BIT_STRING: Final = 0x03

# RFC 4514, 3, and the two others that Chinese authorities write into names.
_SHORT_NAMES: Final = {
    "2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
    "2.5.4.6": "C", "2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID", "2.5.4.5": "serialNumber",
    "1.2.840.113549.1.9.1": "emailAddress",
}  # fmt: skip
_ESCAPED: Final = frozenset('"+,;<>\\')


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as read; `subject` and `issuer` are RFC 4514 text, last part first."""

    der: bytes = field(repr=False)
    serial_hex: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    public_key: PublicKey
    fingerprint: bytes = field(repr=False)
    """SM3 of the DER, 32 bytes."""
    tbs: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    algorithm: str
    key_usage: frozenset[str] | None
    """Usages in asn1crypto's words (`digital_signature`, …); None if not restricted."""
    authority: bool
    subject_der: bytes = field(repr=False)
    issuer_der: bytes = field(repr=False)

    def serial_bytes(self) -> bytes:
        """Return the serial right-aligned in 20 bytes, as the batch file carries it."""
        return bytes.fromhex(self.serial_hex).rjust(SERIAL_MAX_BYTES, b"\0")


def parse(data: bytes, *, backend_name: str | None = None) -> Certificate:
    """Read one certificate, PEM (the first of the file) or DER. Raises `BadCertificate`."""
    if not 0 < len(data) <= CERTIFICATE_MAX_BYTES:
        raise BadCertificate(f"a certificate has 1 to {CERTIFICATE_MAX_BYTES} bytes")
    try:
        encoded = _unarmored(data)
        read = x509.Certificate.load(encoded, strict=True)
        return _certificate(encoded, read, backend_name)
    except (BadDer, BadKey) as strange:
        raise BadCertificate(str(strange)) from strange
    except (ValueError, TypeError, KeyError) as strange:
        if isinstance(strange, BadCertificate):
            raise
        raise BadCertificate("not an X.509 certificate") from strange


def self_signed(
    key: PrivateKey, common_name: str, serial: int, not_before: datetime, not_after: datetime
) -> bytes:
    """Make a certificate (DER) that names and signs itself, for keyUsage digitalSignature.

    `serial` is positive and has at most 20 bytes; times are aware.
    """
    if serial <= 0 or serial.bit_length() >= 8 * SERIAL_MAX_BYTES:
        raise ValueError("the serial is positive and has at most 20 bytes")
    if not_before.tzinfo is None or not_after.tzinfo is None:
        raise ValueError("the times are aware")
    if not not_before < not_after:
        raise ValueError("the certificate ends before it begins")
    name = x509.Name.build({"common_name": common_name})
    signed_by = {"algorithm": SM2_WITH_SM3_OID}
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": serial,
            "signature": signed_by,
            "issuer": name,
            "validity": {"not_before": _time(not_before), "not_after": _time(not_after)},
            "subject": name,
            "subject_public_key_info": keys.PublicKeyInfo.load(key.public.info()),
            "extensions": _extensions(key.public),
        }
    ).dump()
    algorithm = x509.SignedDigestAlgorithm(signed_by).dump()
    signature = der.element(_BIT_STRING, b"\0" + key.sign(tbs))
    return der.element(der.SEQUENCE, bytes(tbs) + bytes(algorithm) + signature)


def verify_link(child: Certificate, parent: Certificate) -> bool:
    """Say whether `parent` issued `child`. A self-signed certificate is its own parent."""
    if child.algorithm != SM2_WITH_SM3_OID or child.issuer_der != parent.subject_der:
        return False
    if child.der != parent.der:
        usage = parent.key_usage
        if not parent.authority or (usage is not None and "key_cert_sign" not in usage):
            return False
    return parent.public_key.verify(child.tbs, child.signature, DEFAULT_ID)


def _unarmored(data: bytes) -> bytes:
    if not pem.detect(data):
        return data
    for kind, _, body in pem.unarmor(data, True):
        if kind in ("CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE"):
            return bytes(body)
    raise BadCertificate("the PEM file holds no certificate")


def _certificate(encoded: bytes, read: x509.Certificate, backend_name: str | None) -> Certificate:
    tbs = read["tbs_certificate"]
    outer = read["signature_algorithm"]
    if outer.dump() != tbs["signature"].dump():
        raise BadCertificate("the two signature algorithms differ")
    start = der.whole_sequence(encoded)
    _, end = der.header(encoded, start, der.SEQUENCE)
    serial = tbs["serial_number"].native
    if serial < 0:
        raise BadCertificate("the serial is negative")
    usage = read.key_usage_value
    constraints = read.basic_constraints_value
    return Certificate(
        der=encoded,
        serial_hex=_serial_hex(serial),
        subject=name_text(tbs["subject"]),
        issuer=name_text(tbs["issuer"]),
        not_before=tbs["validity"]["not_before"].native,
        not_after=tbs["validity"]["not_after"].native,
        public_key=_public_key(tbs["subject_public_key_info"], backend_name),
        fingerprint=sm3.digest(encoded),
        tbs=encoded[start:end],
        signature=bytes(read["signature_value"].native),
        algorithm=outer["algorithm"].dotted,
        key_usage=None if usage is None else frozenset(usage.native),
        authority=constraints is not None and bool(constraints["ca"].native),
        subject_der=tbs["subject"].dump(),
        issuer_der=tbs["issuer"].dump(),
    )


def _serial_hex(serial: int) -> str:
    return serial.to_bytes(max(1, (serial.bit_length() + 7) // 8), "big").hex()


def _public_key(info: keys.PublicKeyInfo, backend_name: str | None) -> PublicKey:
    algorithm = info["algorithm"]
    parameters = algorithm["parameters"]
    if (
        algorithm["algorithm"].native != "ec"
        or parameters.name != "named"
        or parameters.chosen.dotted != CURVE_OID
    ):
        raise BadCertificate("the certificate does not carry an SM2 key")
    point = bytes(info["public_key"].native)
    if not point or point[0] != _POINT_FORM:
        raise BadCertificate("the public key is not an uncompressed point")
    return PublicKey(point[1:], backend_name=backend_name)


def name_text(name: x509.Name) -> str:
    """Return a distinguished name as RFC 4514 text (the form of X509IssuerName)."""
    parts = []
    for rdn in reversed(list(name.chosen)):
        parts.append("+".join(_attribute(pair) for pair in rdn))
    return ",".join(parts)


def _attribute(pair: x509.NameTypeAndValue) -> str:
    oid = pair["type"].dotted
    value = pair["value"].native
    if oid not in _SHORT_NAMES or not isinstance(value, str):
        return f"{oid}=#{pair['value'].dump().hex()}"
    return f"{_SHORT_NAMES[oid]}={_escaped(value)}"


def _escaped(value: str) -> str:
    out = []
    for index, char in enumerate(value):
        at_edge = (char in " #" and index == 0) or (char == " " and index == len(value) - 1)
        if char == "\0":
            out.append("\\00")
        else:
            out.append(f"\\{char}" if char in _ESCAPED or at_edge else char)
    return "".join(out)


def _time(moment: datetime) -> x509.Time:
    # RFC 5280, 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
    utc = moment.astimezone(UTC).replace(microsecond=0)
    kind = "utc_time" if utc.year < _UTC_TIME_UNTIL else "general_time"
    return x509.Time(name=kind, value=utc)


def _extensions(public: PublicKey) -> list[dict[str, object]]:
    identifier = sm3.digest(public.point)[:SERIAL_MAX_BYTES]
    return [
        {"extn_id": "basic_constraints", "critical": True, "extn_value": {"ca": False}},
        {"extn_id": "key_usage", "critical": True, "extn_value": {"digital_signature"}},
        {"extn_id": "key_identifier", "critical": False, "extn_value": identifier},
    ]
