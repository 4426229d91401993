"""SM2 by the system's libcrypto (OpenSSL 3) through ctypes: the issuing path's signer.

Rules: e is computed by us, libcrypto only signs the 32 bytes (so its empty default user id
can never slip in); long calls let go of the interpreter lock, accessors keep it; every
failed call drains the thread's error queue into the exception; one EVP_PKEY_CTX per key and
thread is set up once and used again. Key files are read in `containers`.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_ulong, c_void_p
from typing import TYPE_CHECKING, Any, Final

from fep.crypto import der
from fep.crypto.curve import FIELD_BYTES
from fep.crypto.errors import BackendMissing, BadCipher, BadDer, LibcryptoFault

if TYPE_CHECKING:
    from fep.ports import Entropy

NAME: Final = "libcrypto"

_SONAMES: Final = ("libcrypto.so.3", "libcrypto.so.4")
_VERSION_MIN: Final = 0x30000000
_SIGNATURE_MAX_BYTES: Final = 80
_ERRORS_MAX: Final = 16
_ERROR_TEXT_BYTES: Final = 256

# An SM2 key in PKCS#8 and a point in SubjectPublicKeyInfo have one layout each.
_ALGORITHM: Final = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
_POINT_HEAD: Final = bytes.fromhex("03420004")

_HANDLE = c_void_p
_SIZE_OUT = POINTER(c_size_t)
_HANDLE_OUT = POINTER(c_void_p)

# name: (result, arguments). These keep the interpreter lock: they only touch memory.
_QUICK: Final[dict[str, tuple[Any, list[Any]]]] = {
    "OpenSSL_version_num": (c_ulong, []),
    "OpenSSL_version": (c_char_p, [c_int]),
    "ERR_get_error": (c_ulong, []),
    "ERR_error_string_n": (None, [c_ulong, c_char_p, c_size_t]),
    "d2i_AutoPrivateKey": (_HANDLE, [c_void_p, POINTER(c_char_p), c_long]),
    "d2i_PUBKEY": (_HANDLE, [c_void_p, POINTER(c_char_p), c_long]),
    "EVP_PKEY_free": (None, [_HANDLE]),
    "EVP_PKEY_CTX_new": (_HANDLE, [_HANDLE, c_void_p]),
    "EVP_PKEY_CTX_new_from_name": (_HANDLE, [c_void_p, c_char_p, c_char_p]),
    "EVP_PKEY_CTX_free": (None, [_HANDLE]),
    "EVP_PKEY_sign_init": (c_int, [_HANDLE]),
    "EVP_PKEY_verify_init": (c_int, [_HANDLE]),
    "EVP_PKEY_encrypt_init": (c_int, [_HANDLE]),
    "EVP_PKEY_decrypt_init": (c_int, [_HANDLE]),
    "EVP_PKEY_keygen_init": (c_int, [_HANDLE]),
    "i2d_PrivateKey": (c_int, [_HANDLE, POINTER(c_void_p)]),
    "CRYPTO_free": (None, [c_void_p, c_char_p, c_int]),
}

# These compute and let the other threads run.
_LONG: Final[dict[str, tuple[Any, list[Any]]]] = {
    "EVP_PKEY_keygen": (c_int, [_HANDLE, _HANDLE_OUT]),
    "EVP_PKEY_sign": (c_int, [_HANDLE, c_char_p, _SIZE_OUT, c_char_p, c_size_t]),
    "EVP_PKEY_verify": (c_int, [_HANDLE, c_char_p, c_size_t, c_char_p, c_size_t]),
    "EVP_PKEY_encrypt": (c_int, [_HANDLE, c_char_p, _SIZE_OUT, c_char_p, c_size_t]),
    "EVP_PKEY_decrypt": (c_int, [_HANDLE, c_char_p, _SIZE_OUT, c_char_p, c_size_t]),
}


class Library:
    """The shared object with typed calls: `library.EVP_PKEY_sign(...)`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._holding = ctypes.PyDLL(path)
        self._releasing = ctypes.CDLL(path)
        self.declare(_QUICK, _LONG)

    def declare(
        self, quick: dict[str, tuple[Any, list[Any]]], long: dict[str, tuple[Any, list[Any]]]
    ) -> None:
        """Bind more symbols; raises AttributeError for one the library lacks."""
        for handle, table in ((self._holding, quick), (self._releasing, long)):
            for name, (result, arguments) in table.items():
                call = handle[name]
                call.restype, call.argtypes = result, arguments
                setattr(self, name, call)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Callable[..., Any]:
            """Symbols are bound by `declare`; ctypes calls have no types to check."""

    def drain(self) -> tuple[str, ...]:
        """Empty this thread's error queue; return its sentences, oldest first."""
        reasons = []
        for _ in range(_ERRORS_MAX):
            code = self.ERR_get_error()
            if not code:
                break
            text = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
            self.ERR_error_string_n(code, text, _ERROR_TEXT_BYTES)
            reasons.append(text.value.decode("ascii", "replace"))
        return tuple(reasons)

    def failed(self, call: str) -> LibcryptoFault:
        """Return the exception for a failed call, with the queue drained into it."""
        return LibcryptoFault(call, self.drain())

    def version(self) -> str:
        """Return the library's own version line."""
        return str(self.OpenSSL_version(0).decode("ascii", "replace"))


class Owned:
    """A pointer of libcrypto that is freed with its owner."""

    __slots__ = ("_free", "address")

    def __init__(self, library: Library, call: str, address: int | None, free: str) -> None:
        if not address:
            raise library.failed(call)
        self.address = address
        self._free = getattr(library, free)

    def __del__(self) -> None:
        """Give the memory back; a constructor that failed owns nothing."""
        if hasattr(self, "_free"):
            self._free(self.address)


def open_library() -> Library:
    """Find and bind the system's libcrypto, or raise `BackendMissing`."""
    for name in (*_SONAMES, ctypes.util.find_library("crypto")):
        if name is None:
            continue
        try:
            library = Library(name)
        except (OSError, AttributeError):
            continue
        if library.OpenSSL_version_num() >= _VERSION_MIN:
            return library
    raise BackendMissing("no libcrypto of OpenSSL 3 or later on this machine")


def private_key_info(scalar: int, point: bytes) -> bytes:
    """Return the PKCS#8 PrivateKeyInfo (DER) of an SM2 key, public point included."""
    inner = der.integer(1) + der.element(der.OCTET_STRING, scalar.to_bytes(FIELD_BYTES, "big"))
    inner += der.element(0xA1, _POINT_HEAD + point)
    wrapped = der.element(der.OCTET_STRING, der.element(der.SEQUENCE, inner))
    return der.element(der.SEQUENCE, der.integer(0) + _ALGORITHM + wrapped)


def public_key_info(point: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo (DER) of x‖y."""
    return der.element(der.SEQUENCE, _ALGORITHM + _POINT_HEAD + point)


def _import(library: Library, call: str, encoded: bytes) -> Owned:
    source = c_char_p(encoded)
    address = getattr(library, call)(None, byref(source), len(encoded))
    return Owned(library, call, address, "EVP_PKEY_free")


def _context(library: Library, key: Owned, begin: str) -> Owned:
    address = library.EVP_PKEY_CTX_new(key.address, None)
    context = Owned(library, "EVP_PKEY_CTX_new", address, "EVP_PKEY_CTX_free")
    if getattr(library, begin)(context.address) != 1:
        raise library.failed(begin)
    return context


class _Desk(threading.local):
    """One thread's set-up context and result buffer: contexts are not for sharing."""

    def __init__(self, library: Library, key: Owned, begin: str) -> None:
        self.owned = _context(library, key, begin)
        self.context = self.owned.address
        self.result = ctypes.create_string_buffer(_SIGNATURE_MAX_BYTES)
        self.size = c_size_t(0)
        self.size_out = byref(self.size)


class LibcryptoSecret:
    """A private key held by libcrypto."""

    def __init__(self, library: Library, scalar: int, point: bytes) -> None:
        self._library = library
        self._key = _import(library, "d2i_AutoPrivateKey", private_key_info(scalar, point))
        self._desk = _Desk(library, self._key, "EVP_PKEY_sign_init")
        self._sign = library.EVP_PKEY_sign

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign the 32-byte e; return DER. The nonce is libcrypto's own."""
        desk = self._desk
        size = desk.size
        size.value = _SIGNATURE_MAX_BYTES
        # Another length than SM3's is refused by libcrypto, so it costs nothing to check late.
        if self._sign(desk.context, desk.result, desk.size_out, digest, len(digest)) != 1:
            fault = self._library.failed("EVP_PKEY_sign")
            if len(digest) != FIELD_BYTES:
                raise ValueError("e has 32 bytes") from fault
            raise fault
        return desk.result.raw[: size.value]

    def decrypt(self, cipher: bytes) -> bytes:
        """Return the plain text of DER {x, y, C3, C2}, or raise `BadCipher`."""
        context = _context(self._library, self._key, "EVP_PKEY_decrypt_init")
        size = c_size_t(len(cipher))
        plain = ctypes.create_string_buffer(len(cipher))
        done = self._library.EVP_PKEY_decrypt(
            context.address, plain, byref(size), cipher, len(cipher)
        )
        if done != 1:
            raise BadCipher("the key does not open it") from self._library.failed(
                "EVP_PKEY_decrypt"
            )
        return plain.raw[: size.value]


class LibcryptoPublic:
    """A public key held by libcrypto."""

    def __init__(self, library: Library, point: bytes) -> None:
        self._library = library
        self._key = _import(library, "d2i_PUBKEY", public_key_info(point))
        self._desk = _Desk(library, self._key, "EVP_PKEY_verify_init")
        self._verify = library.EVP_PKEY_verify

    def verify_digest(self, digest: bytes, signature: bytes) -> bool:
        """Say whether the DER signature over e is good; anything malformed is False."""
        try:
            der.read_signature(signature)
        except BadDer:
            return False
        answer = self._verify(self._desk.context, signature, len(signature), digest, len(digest))
        if answer == 1:
            return True
        self._library.drain()
        return False

    def encrypt(self, plain: bytes, entropy: Entropy) -> bytes:
        """Return DER {x, y, C3, C2}; the nonce is libcrypto's own, `entropy` stays unused."""
        context = _context(self._library, self._key, "EVP_PKEY_encrypt_init")
        size = c_size_t(0)
        call = self._library.EVP_PKEY_encrypt
        if call(context.address, None, byref(size), plain, len(plain)) != 1:
            raise self._library.failed("EVP_PKEY_encrypt")
        cipher = ctypes.create_string_buffer(size.value)
        if call(context.address, cipher, byref(size), plain, len(plain)) != 1:
            raise self._library.failed("EVP_PKEY_encrypt")
        return cipher.raw[: size.value]


class Libcrypto:
    """The libcrypto backend. Raises `BackendMissing` where SM2 was left out of the build."""

    name = NAME

    def __init__(self, library: Library) -> None:
        self.library = library
        try:
            self.generate()
        except LibcryptoFault as fault:
            raise BackendMissing(f"{library.version()} was built without SM2") from fault

    @property
    def version(self) -> str:
        """Say which libcrypto this is."""
        return f"{self.library.version()} ({self.library.path})"

    def secret(self, scalar: int, point: bytes, entropy: Entropy | None) -> LibcryptoSecret:
        """Take a private key in; `entropy` is not needed."""
        return LibcryptoSecret(self.library, scalar, point)

    def public(self, point: bytes) -> LibcryptoPublic:
        """Take a public key in; a point off the curve is a `LibcryptoFault`."""
        return LibcryptoPublic(self.library, point)

    def generate(self) -> bytes:
        """Make a key pair by libcrypto's generator; return its SEC 1 ECPrivateKey (DER)."""
        library = self.library
        address = library.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        context = Owned(library, "EVP_PKEY_CTX_new_from_name", address, "EVP_PKEY_CTX_free")
        if library.EVP_PKEY_keygen_init(context.address) != 1:
            raise library.failed("EVP_PKEY_keygen_init")
        made = c_void_p()
        if library.EVP_PKEY_keygen(context.address, byref(made)) != 1:
            raise library.failed("EVP_PKEY_keygen")
        return exported(library, Owned(library, "EVP_PKEY_keygen", made.value, "EVP_PKEY_free"))


def exported(library: Library, key: Owned) -> bytes:
    """Return the SEC 1 ECPrivateKey (DER) of a key held by libcrypto."""
    out = c_void_p()
    size = library.i2d_PrivateKey(key.address, byref(out))
    if size <= 0 or not out.value:
        raise library.failed("i2d_PrivateKey")
    return taken(library, out.value, size)


def taken(library: Library, address: int, size: int) -> bytes:
    """Copy `size` bytes that libcrypto allocated for us, and free them."""
    try:
        return ctypes.string_at(address, size)
    finally:
        library.CRYPTO_free(address, None, 0)
