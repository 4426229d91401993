"""Passphrase-encrypted keys opened by ourselves: PBES2, and the old PEM headers.

Why: key files made by GmSSL use the PRF HMAC-SM3, which OpenSSL 3.0 refuses; old-style
encrypted `EC PRIVATE KEY` files hold a curve it no longer takes there; and a machine whose
libcrypto lacks SM4 must still open its key. For PBES2 with algorithms that are not listed
the answer is None, and libcrypto is asked instead. Opens only, never seals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from asn1crypto import core, keys
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from fep.crypto import sm3
from fep.crypto.errors import BadCipher, BadKeyFile, WrongPassphrase
from fep.crypto.sm4 import BLOCK_BYTES, unpad

_PBKDF2: Final = "1.2.840.113549.1.5.12"
_PBES2: Final = "1.2.840.113549.1.5.13"

_PRFS: Final = {
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
    "1.2.156.10197.1.401.2": "sm3",
    "1.2.156.10197.1.401.3.1": "sm3",
}
# The MD5 of the old PEM headers is their definition, not a choice.
_OLD_CIPHERS: Final = {
    "AES-128-CBC": (algorithms.AES, 16),
    "AES-192-CBC": (algorithms.AES, 24),
    "AES-256-CBC": (algorithms.AES, 32),
    "SM4-CBC": (algorithms.SM4, 16),
    "DES-EDE3-CBC": (TripleDES, 24),
}
_OLD_SALT_BYTES: Final = 8
_CIPHERS: Final = {
    "2.16.840.1.101.3.4.1.2": ("aes", 16),
    "2.16.840.1.101.3.4.1.22": ("aes", 24),
    "2.16.840.1.101.3.4.1.42": ("aes", 32),
    "1.2.156.10197.1.104.2": ("sm4", 16),
}

# A stranger's file may not keep the start-up busy for more than some seconds.
ROUNDS_MAX: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Sealed:
    """What an EncryptedPrivateKeyInfo says about itself."""

    prf: str
    salt: bytes
    rounds: int
    cipher: str
    key_bytes: int
    iv: bytes
    body: bytes


class _Algorithm(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("oid", core.ObjectIdentifier), ("parameters", core.Any, {"optional": True})]  # noqa: RUF012  # asn1crypto's way


class _Sealed(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("algorithm", _Algorithm), ("body", core.OctetString)]  # noqa: RUF012  # the same


class _Pbes2(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [("kdf", _Algorithm), ("cipher", _Algorithm)]  # noqa: RUF012  # the same


class _Pbkdf2(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [  # noqa: RUF012  # the same
        ("salt", core.OctetString),
        ("rounds", core.Integer),
        ("key_bytes", core.Integer, {"optional": True}),
        ("prf", _Algorithm, {"optional": True}),
    ]


def read(encoded: bytes) -> Sealed | None:
    """Return what protects the key, or None if it is not ours to open. `BadKeyFile`."""
    try:
        sealed = _Sealed.load(encoded, strict=True)
        outer = sealed["algorithm"]
        if outer["oid"].native != _PBES2:
            return None
        scheme = outer["parameters"].parse(_Pbes2)
        kdf, cipher = scheme["kdf"], scheme["cipher"]
        if kdf["oid"].native != _PBKDF2 or cipher["oid"].native not in _CIPHERS:
            return None
        derive = kdf["parameters"].parse(_Pbkdf2)
        prf = derive["prf"]["oid"].native if derive["prf"].native else "1.2.840.113549.2.7"
        if prf not in _PRFS:
            return None
        name, key_bytes = _CIPHERS[cipher["oid"].native]
        iv = cipher["parameters"].parse(core.OctetString).native
        rounds = derive["rounds"].native
        if not 1 <= rounds <= ROUNDS_MAX or len(iv) != BLOCK_BYTES:
            raise BadKeyFile("the key file has senseless encryption parameters")
        return Sealed(_PRFS[prf], derive["salt"].native, rounds, name, key_bytes, iv,
                      sealed["body"].native)  # fmt: skip
    except (ValueError, TypeError) as strange:
        if isinstance(strange, BadKeyFile):
            raise
        raise BadKeyFile("not an encrypted PKCS#8 key") from strange


def open_sealed(sealed: Sealed, passphrase: bytes) -> bytes:
    """Return the PrivateKeyInfo (DER), or raise `WrongPassphrase`."""
    if sealed.prf == "sm3":
        key = sm3.pbkdf2(passphrase, sealed.salt, sealed.rounds, sealed.key_bytes)
    else:
        key = hashlib.pbkdf2_hmac(
            sealed.prf, passphrase, sealed.salt, sealed.rounds, sealed.key_bytes
        )
    if not sealed.body or len(sealed.body) % BLOCK_BYTES:
        raise BadKeyFile("the encrypted key is not a whole number of blocks")
    method = algorithms.SM4(key) if sealed.cipher == "sm4" else algorithms.AES(key)
    context = Cipher(method, modes.CBC(sealed.iv)).decryptor()
    try:
        plain = unpad(context.update(sealed.body) + context.finalize())
        # One wrong passphrase in 256 leaves good padding: what came out must be a key.
        keys.PrivateKeyInfo.load(plain, strict=True).native  # noqa: B018  # parses all of it
    except (BadCipher, ValueError, TypeError) as wrong:
        raise WrongPassphrase("the passphrase does not open the key file") from wrong
    return plain


def open_old(headers: Mapping[str, str], body: bytes, passphrase: bytes) -> bytes:
    """Return the SEC 1 key (DER) under Proc-Type and DEK-Info headers (RFC 1421 by name)."""
    name, _, iv_hex = headers.get("DEK-Info", "").partition(",")
    if name not in _OLD_CIPHERS:
        raise BadKeyFile(f"the key file is encrypted by {name[:32]!r}, which is not read")
    algorithm, key_bytes = _OLD_CIPHERS[name]
    try:
        iv = bytes.fromhex(iv_hex.strip())
        method = algorithm(_old_key(passphrase, iv[:_OLD_SALT_BYTES], key_bytes))
        context = Cipher(method, modes.CBC(iv)).decryptor()
        padded = context.update(body) + context.finalize()
    except ValueError as strange:
        raise BadKeyFile("the encryption headers of the key file are broken") from strange
    try:
        plain = unpad(padded)
        keys.ECPrivateKey.load(plain, strict=True).native  # noqa: B018  # parses all of it
    except (BadCipher, ValueError, TypeError) as wrong:
        raise WrongPassphrase("the passphrase does not open the key file") from wrong
    return plain


def _old_key(passphrase: bytes, salt: bytes, size: int) -> bytes:
    out = block = b""
    while len(out) < size:
        block = hashlib.md5(block + passphrase + salt, usedforsecurity=False).digest()
        out += block
    return out[:size]
