"""Key containers that libcrypto opens and seals for us: encrypted PKCS#8 and PKCS#12.

Rules: encrypted PKCS#8 works even where SM2 was left out of the build, PKCS#12 does not; a
container that does not open is `WrongPassphrase` when libcrypto says so, else `BadKeyFile`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_void_p
from dataclasses import dataclass, field
from typing import Any, Final

from fep.crypto.errors import BadKeyFile, LibcryptoFault, WrongPassphrase
from fep.crypto.libcrypto import Library, Owned, exported, taken

CIPHERS: Final = {"aes-256-cbc": b"AES-256-CBC", "aes-128-cbc": b"AES-128-CBC",
                  "sm4-cbc": b"SM4-CBC"}  # fmt: skip
SEAL_ROUNDS: Final = 100_000
_SALT_BYTES: Final = 16
_CHAIN_MAX: Final = 16

_QUICK: Final[dict[str, tuple[Any, list[Any]]]] = {
    "d2i_PKCS12": (c_void_p, [c_void_p, POINTER(c_char_p), c_long]),
    "PKCS12_free": (None, [c_void_p]),
    "X509_free": (None, [c_void_p]),
    "i2d_X509": (c_int, [c_void_p, POINTER(c_void_p)]),
    "OPENSSL_sk_num": (c_int, [c_void_p]),
    "OPENSSL_sk_shift": (c_void_p, [c_void_p]),
    "OPENSSL_sk_free": (None, [c_void_p]),
    "d2i_X509_SIG": (c_void_p, [c_void_p, POINTER(c_char_p), c_long]),
    "i2d_X509_SIG": (c_int, [c_void_p, POINTER(c_void_p)]),
    "X509_SIG_free": (None, [c_void_p]),
    "d2i_PKCS8_PRIV_KEY_INFO": (c_void_p, [c_void_p, POINTER(c_char_p), c_long]),
    "i2d_PKCS8_PRIV_KEY_INFO": (c_int, [c_void_p, POINTER(c_void_p)]),
    "PKCS8_PRIV_KEY_INFO_free": (None, [c_void_p]),
    "EVP_CIPHER_fetch": (c_void_p, [c_void_p, c_char_p, c_char_p]),
    "EVP_CIPHER_free": (None, [c_void_p]),
    "OSSL_PROVIDER_try_load": (c_void_p, [c_void_p, c_char_p, c_int]),
}
_LONG: Final[dict[str, tuple[Any, list[Any]]]] = {
    "PKCS12_parse": (
        c_int,
        [c_void_p, c_char_p, POINTER(c_void_p), POINTER(c_void_p), POINTER(c_void_p)],
    ),
    "PKCS8_decrypt": (c_void_p, [c_void_p, c_char_p, c_int]),
    "PKCS8_encrypt": (
        c_void_p,
        [c_int, c_void_p, c_char_p, c_int, c_char_p, c_int, c_int, c_void_p],
    ),
}


@dataclass(frozen=True, slots=True)
class Pfx:
    """What a PKCS#12 file held: the key (SEC 1 DER) and certificates (DER)."""

    key: bytes = field(repr=False)
    certificate: bytes | None
    chain: tuple[bytes, ...]


class Containers:
    """The container calls of one libcrypto. Raises AttributeError if it lacks one."""

    def __init__(self, library: Library) -> None:
        self._library = library
        library.declare(_QUICK, _LONG)

    def open_pkcs8(self, encoded: bytes, passphrase: bytes) -> bytes:
        """Return the PrivateKeyInfo (DER) inside an EncryptedPrivateKeyInfo (DER)."""
        library = self._library
        with _read_faults():
            sealed = self._decoded("d2i_X509_SIG", encoded, "X509_SIG_free")
            address = library.PKCS8_decrypt(sealed.address, passphrase, len(passphrase))
            info = Owned(library, "PKCS8_decrypt", address, "PKCS8_PRIV_KEY_INFO_free")
            return self._encoded("i2d_PKCS8_PRIV_KEY_INFO", info)

    def seal_pkcs8(self, info: bytes, passphrase: bytes, cipher: str) -> bytes:
        """Encrypt a PrivateKeyInfo by PBES2, PBKDF2-HMAC-SHA256; salt and IV are libcrypto's."""
        library = self._library
        fetched = library.EVP_CIPHER_fetch(None, CIPHERS[cipher], None)
        method = Owned(library, "EVP_CIPHER_fetch", fetched, "EVP_CIPHER_free")
        plain = self._decoded("d2i_PKCS8_PRIV_KEY_INFO", info, "PKCS8_PRIV_KEY_INFO_free")
        address = library.PKCS8_encrypt(
            -1, method.address, passphrase, len(passphrase), None, _SALT_BYTES, SEAL_ROUNDS,
            plain.address,
        )  # fmt: skip
        return self._encoded("i2d_X509_SIG", Owned(library, "PKCS8_encrypt", address,
                                                   "X509_SIG_free"))  # fmt: skip

    def open_pfx(self, encoded: bytes, passphrase: bytes) -> Pfx:
        """Open a PKCS#12 file; RC2 files of old tools get the legacy provider."""
        with _read_faults():
            try:
                return self._parse_pfx(encoded, passphrase)
            except LibcryptoFault as fault:
                if not any("unsupported" in reason for reason in fault.reasons):
                    raise
                # Keeps the default provider; a machine without the module fails again below.
                self._library.OSSL_PROVIDER_try_load(None, b"legacy", 1)
                self._library.drain()
                return self._parse_pfx(encoded, passphrase)

    def _parse_pfx(self, encoded: bytes, passphrase: bytes) -> Pfx:
        library = self._library
        store = self._decoded("d2i_PKCS12", encoded, "PKCS12_free")
        key, certificate, chain = c_void_p(), c_void_p(), c_void_p()
        done = library.PKCS12_parse(
            store.address, passphrase, byref(key), byref(certificate), byref(chain)
        )
        if done != 1:
            raise library.failed("PKCS12_parse")
        others = tuple(self._chain(chain.value))
        own = self._certificate(certificate.value) if certificate.value else None
        if not key.value:
            raise BadKeyFile("the PFX file holds no private key")
        held = Owned(library, "PKCS12_parse", key.value, "EVP_PKEY_free")
        return Pfx(exported(library, held), own, others)

    def _chain(self, stack: int | None) -> Iterator[bytes]:
        if not stack:
            return
        owned = Owned(self._library, "PKCS12_parse", stack, "OPENSSL_sk_free")
        count = self._library.OPENSSL_sk_num(owned.address)
        for index in range(count):
            encoded = self._certificate(self._library.OPENSSL_sk_shift(owned.address))
            if index < _CHAIN_MAX:
                yield encoded

    def _certificate(self, address: int) -> bytes:
        owned = Owned(self._library, "PKCS12_parse", address, "X509_free")
        return self._encoded("i2d_X509", owned)

    def _decoded(self, call: str, encoded: bytes, free: str) -> Owned:
        address = getattr(self._library, call)(None, byref(c_char_p(encoded)), len(encoded))
        return Owned(self._library, call, address, free)

    def _encoded(self, call: str, owned: Owned) -> bytes:
        out = c_void_p()
        size = getattr(self._library, call)(owned.address, byref(out))
        if size <= 0 or not out.value:
            raise self._library.failed(call)
        return taken(self._library, out.value, size)


# Reasons by which libcrypto 3 says that the passphrase does not fit.
_WRONG: Final = ("mac verify failure", "bad decrypt", "cipherfinal error", "bad password read")


@contextmanager
def _read_faults() -> Iterator[None]:
    try:
        yield
    except LibcryptoFault as fault:
        said = " ".join(fault.reasons).lower()
        if "mac absent" in said:
            raise BadKeyFile("the PFX file has no integrity check") from fault
        # One wrong passphrase in 256 leaves good padding, and then the ASN.1 inside is broken.
        garbled = (
            fault.call == "PKCS8_decrypt" and "unsupported" not in said and "unknown" not in said
        )
        if garbled or any(word in said for word in _WRONG):
            raise WrongPassphrase("the passphrase does not open the key file") from fault
        raise BadKeyFile(f"libcrypto cannot read the key file: {fault}") from fault
