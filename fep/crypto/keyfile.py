"""Private keys in files: PKCS#8 plain or encrypted, SEC 1 (EC) PEM, PFX; PEM or DER.

Rules: after reading, the public point is computed again by gmssl and must be the one the
file names and the one libcrypto holds; a key of another curve is refused; a passphrase is
UTF-8 text or bytes and appears in no message. Reading and writing files is the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from asn1crypto import core, keys, pem

from fep.crypto import gm, libcrypto, sealed
from fep.crypto.containers import CIPHERS, Containers
from fep.crypto.curve import CURVE_OID, N
from fep.crypto.errors import BackendMissing, BadKey, BadKeyFile, WrongPassphrase
from fep.crypto.sm2 import PrivateKey, backend

if TYPE_CHECKING:
    from fep.ports import Entropy

FILE_MAX_BYTES: Final = 256 * 1024
_EC_OID: Final = "1.2.840.10045.2.1"
_POINT_FORM: Final = b"\x04"

_PLAIN: Final = "PRIVATE KEY"
_SEALED: Final = "ENCRYPTED PRIVATE KEY"
_SEC1: Final = ("EC PRIVATE KEY", "SM2 PRIVATE KEY")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a PFX file holds: a key, its certificate and the chain, both as DER."""

    key: PrivateKey
    certificate: bytes | None
    chain: tuple[bytes, ...]


def load_private(
    data: bytes,
    passphrase: bytes | str | None = None,
    *,
    entropy: Entropy | None = None,
    backend_name: str | None = None,
) -> PrivateKey:
    """Read a private key of any supported form.

    `entropy` is needed to sign where libcrypto has no SM2. Raises `WrongPassphrase`,
    `BadKeyFile`, `BackendMissing`.
    """
    scalar = _scalar(data, _secret_bytes(passphrase))
    return PrivateKey(scalar, entropy=entropy, backend_name=backend_name)


def load_pfx(
    data: bytes,
    passphrase: bytes | str | None,
    *,
    entropy: Entropy | None = None,
    backend_name: str | None = None,
) -> Bundle:
    """Read a PKCS#12 file with its certificates. Raises as `load_private`."""
    _check_size(data)
    opened = _containers().open_pfx(data, _secret_bytes(passphrase) or b"")
    key = PrivateKey(_from_sec1(opened.key), entropy=entropy, backend_name=backend_name)
    return Bundle(key, opened.certificate, opened.chain)


def generate(entropy: Entropy | None = None, *, backend_name: str | None = None) -> PrivateKey:
    """Make a key: d from `entropy` if given, else from libcrypto's own generator."""
    if entropy is not None:
        scalar = 1 + entropy.below(N - 2)
        return PrivateKey(scalar, entropy=entropy, backend_name=backend_name)
    maker = backend(libcrypto.NAME)
    if not isinstance(maker, libcrypto.Libcrypto):
        raise BackendMissing("without libcrypto a key is made only from given entropy")
    return PrivateKey(_from_sec1(maker.generate()), backend_name=backend_name)


def save_private(
    key: PrivateKey, passphrase: bytes | str | None = None, *, cipher: str = "aes-256-cbc"
) -> bytes:
    """Return PKCS#8 PEM, encrypted if a passphrase is given; `cipher` is one of `CIPHERS`."""
    if passphrase is None:
        return bytes(pem.armor(_PLAIN, key.info()))
    if not passphrase:
        raise ValueError("an empty passphrase protects nothing")
    if cipher not in CIPHERS:
        raise ValueError(f"cipher is one of {', '.join(CIPHERS)}")
    secret = _secret_bytes(passphrase) or b""
    return bytes(pem.armor(_SEALED, _containers().seal_pkcs8(key.info(), secret, cipher)))


@cache
def _containers() -> Containers:
    return Containers(libcrypto.open_library())


def _secret_bytes(passphrase: bytes | str | None) -> bytes | None:
    return passphrase.encode() if isinstance(passphrase, str) else passphrase


def _check_size(data: bytes) -> None:
    if not 0 < len(data) <= FILE_MAX_BYTES:
        raise BadKeyFile(f"a key file has 1 to {FILE_MAX_BYTES} bytes")


def _scalar(data: bytes, passphrase: bytes | None) -> int:
    _check_size(data)
    if pem.detect(data):
        return _from_pem(data, passphrase)
    try:
        parts = core.Sequence.load(data, strict=True)
        first, second = parts[0], parts[1]
    except (ValueError, TypeError, KeyError, IndexError) as strange:
        raise BadKeyFile("neither PEM nor DER") from strange
    if isinstance(first, core.Sequence):
        return _from_sealed(data, passphrase)
    if isinstance(second, core.OctetString):
        return _from_sec1(data)
    if first.native == 0 or first.native == 1:
        return _from_pkcs8(data)
    if passphrase is None:
        raise WrongPassphrase("the PFX file needs a passphrase")
    return _from_sec1(_containers().open_pfx(data, passphrase).key)


def _from_pem(data: bytes, passphrase: bytes | None) -> int:
    try:
        blocks = [(kind, headers, body) for kind, headers, body in pem.unarmor(data, True)]
    except (ValueError, TypeError) as strange:
        raise BadKeyFile("broken PEM") from strange
    for kind, headers, body in blocks:
        if kind == _PLAIN:
            return _from_pkcs8(body)
        if kind == _SEALED:
            return _from_sealed(body, passphrase)
        if kind in _SEC1:
            if headers:
                return _from_sec1(sealed.open_old(headers, body, _needed(passphrase)))
            return _from_sec1(body)
    raise BadKeyFile("the PEM file holds no private key")


def _needed(passphrase: bytes | None) -> bytes:
    if passphrase is None:
        raise WrongPassphrase("the key file is encrypted and no passphrase was given")
    return passphrase


def _from_sealed(encoded: bytes, passphrase: bytes | None) -> int:
    box = sealed.read(encoded)
    secret = _needed(passphrase)
    if box is None:
        return _from_pkcs8(_containers().open_pkcs8(encoded, secret))
    return _from_pkcs8(sealed.open_sealed(box, secret))


def _from_pkcs8(encoded: bytes) -> int:
    try:
        info = keys.PrivateKeyInfo.load(encoded, strict=True)
        algorithm = info["private_key_algorithm"]
        if algorithm["algorithm"].dotted != _EC_OID:
            raise BadKeyFile("not an elliptic curve key")
        _check_curve(algorithm["parameters"])
        inner = info["private_key"].contents
    except (ValueError, TypeError, KeyError) as strange:
        raise _as_bad_file(strange, "not a PKCS#8 key") from strange
    return _from_sec1(inner)


def _from_sec1(encoded: bytes) -> int:
    try:
        key = keys.ECPrivateKey.load(encoded, strict=True)
        if isinstance(key["parameters"], keys.ECDomainParameters):
            _check_curve(key["parameters"])
        scalar = int.from_bytes(key["private_key"].contents, "big")
        named = key["public_key"].native
        point = gm.multiply_base(scalar)
    except (ValueError, TypeError, KeyError) as strange:
        raise _as_bad_file(strange, "not an SM2 private key") from strange
    if named is not None and named != _POINT_FORM + point:
        raise BadKeyFile("the public key in the file is not the one of its private key")
    return scalar


def _check_curve(parameters: keys.ECDomainParameters) -> None:
    if parameters.name != "named" or parameters.chosen.dotted != CURVE_OID:
        raise BadKeyFile("the key is not on the SM2 curve")


def _as_bad_file(strange: Exception, sentence: str) -> BadKeyFile:
    if isinstance(strange, BadKeyFile):
        return strange
    reason = str(strange) if isinstance(strange, BadKey) else sentence
    return BadKeyFile(reason)
