"""SM2, SM3 and SM4 for the simulators, by their own binding of the system libcrypto.

Two rules: the user id is always set, because OpenSSL takes the empty one otherwise;
nothing here is imported by, or imports, the code under test. A key that is used often gets
a table of its multiples (`sm_points`), which takes a third of the time.
Errors of libcrypto are `CryptoFault`; a signature that does not hold is False, never an error.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import hmac
import subprocess
from functools import cache, lru_cache
from pathlib import Path

from fep.sim import sm_points
from fep.sim.sm_der import CryptoFault, cipher_of, der_of_raw, raw_of_der

__all__ = [
    "DEFAULT_ID", "Certificate", "CryptoFault", "PrivateKey", "PublicKey", "create_identity",
    "der_of_raw", "hmac_sm3", "load_certificate", "load_private", "raw_of_der", "sm3",
    "sm4_cbc", "sm4_gcm_open",
]  # fmt: skip

DEFAULT_ID = b"1234567812345678"
OFTEN = 64  # uses of a key from which a table of its multiples pays

_P = ctypes.c_void_p
_SIZE = ctypes.c_size_t
_INT = ctypes.c_int

_PROTOTYPES: dict[str, tuple[object, tuple[object, ...]]] = {
    "BIO_new_mem_buf": (_P, (_P, _INT)),
    "BIO_free": (_INT, (_P,)),
    "PEM_read_bio_PrivateKey": (_P, (_P, _P, _P, _P)),
    "PEM_read_bio_X509": (_P, (_P, _P, _P, _P)),
    "d2i_X509": (_P, (_P, _P, ctypes.c_long)),
    "X509_free": (None, (_P,)),
    "X509_get_pubkey": (_P, (_P,)),
    "X509_get_serialNumber": (_P, (_P,)),
    "ASN1_INTEGER_to_BN": (_P, (_P, _P)),
    "BN_bn2bin": (_INT, (_P, _P)),
    "BN_clear_free": (None, (_P,)),
    "BN_free": (None, (_P,)),
    "i2d_X509": (_INT, (_P, _P)),
    "EVP_PKEY_free": (None, (_P,)),
    "EVP_PKEY_get_bn_param": (_INT, (_P, ctypes.c_char_p, _P)),
    "EVP_PKEY_CTX_new": (_P, (_P, _P)),
    "EVP_PKEY_CTX_free": (None, (_P,)),
    "EVP_PKEY_CTX_set1_id": (_INT, (_P, ctypes.c_char_p, _INT)),
    "EVP_PKEY_encrypt_init": (_INT, (_P,)),
    "EVP_PKEY_encrypt": (_INT, (_P, _P, _P, ctypes.c_char_p, _SIZE)),
    "EVP_PKEY_decrypt_init": (_INT, (_P,)),
    "EVP_PKEY_decrypt": (_INT, (_P, _P, _P, ctypes.c_char_p, _SIZE)),
    "EVP_PKEY_sign_init": (_INT, (_P,)),
    "EVP_PKEY_sign": (_INT, (_P, _P, _P, ctypes.c_char_p, _SIZE)),
    "i2d_PUBKEY": (_INT, (_P, _P)),
    "EVP_MD_CTX_new": (_P, ()),
    "EVP_MD_CTX_free": (None, (_P,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (_P, _P)),
    "EVP_sm3": (_P, ()),
    "EVP_DigestSignInit": (_INT, (_P, _P, _P, _P, _P)),
    "EVP_DigestSign": (_INT, (_P, _P, _P, ctypes.c_char_p, _SIZE)),
    "EVP_DigestVerifyInit": (_INT, (_P, _P, _P, _P, _P)),
    "EVP_DigestVerify": (_INT, (_P, ctypes.c_char_p, _SIZE, ctypes.c_char_p, _SIZE)),
    "EVP_CIPHER_CTX_new": (_P, ()),
    "EVP_CIPHER_CTX_free": (None, (_P,)),
    "EVP_sm4_cbc": (_P, ()),
    "EVP_CipherInit_ex": (_INT, (_P, _P, _P, ctypes.c_char_p, ctypes.c_char_p, _INT)),
    "EVP_CipherUpdate": (_INT, (_P, _P, _P, ctypes.c_char_p, _INT)),
    "EVP_CipherFinal_ex": (_INT, (_P, _P, _P)),
    "ERR_get_error": (ctypes.c_ulong, ()),
    "ERR_error_string_n": (None, (ctypes.c_ulong, _P, _SIZE)),
    "ERR_clear_error": (None, ()),
}


@cache
def _lib() -> ctypes.CDLL:
    library = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def _fault(what: str) -> CryptoFault:
    text = ctypes.create_string_buffer(200)
    code = _lib().ERR_get_error()
    _lib().ERR_error_string_n(code, text, 200)
    _lib().ERR_clear_error()
    return CryptoFault(f"{what}: {text.value.decode('ascii', 'replace')}")


_SM3 = hashlib.new("sm3")


def sm3(data: bytes) -> bytes:
    """Return the 32-byte SM3 digest."""
    running = _SM3.copy()  # looking the algorithm up costs more than a short digest
    running.update(data)
    return running.digest()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """Return the 32-byte HMAC-SM3."""
    return hmac.new(key, data, "sm3").digest()


class PublicKey:
    """An SM2 public key held by libcrypto."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._free = _lib().EVP_PKEY_free  # the module may be gone before the last key
        self._uses = 0
        self._table: sm_points.Table | None = None
        self._began: dict[bytes, hashlib._Hash] = {}

    def __del__(self) -> None:
        if self._handle:
            self._free(self._handle)

    def _multiples(self) -> sm_points.Table | None:
        """Return the table of this key's point once it is used often."""
        self._uses += 1
        if self._table is None and self._uses > OFTEN:
            self._table = sm_points.table_of(self.point())
        return self._table

    def digest(self, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
        """Return e = SM3(Z ‖ M), 32 bytes; Z is made once for each user id."""
        began = self._began.get(user_id)
        if began is None:
            size = (8 * len(user_id)).to_bytes(2, "big")
            began = self._began[user_id] = _SM3.copy()
            began.update(sm3(size + user_id + sm_points.DOMAIN + self.point()))
        running = began.copy()
        running.update(message)
        return running.digest()

    def _digest_context(self, user_id: bytes) -> tuple[int, int]:
        lib = _lib()
        options = lib.EVP_PKEY_CTX_new(self._handle, None)
        context = lib.EVP_MD_CTX_new()
        if not options or lib.EVP_PKEY_CTX_set1_id(options, user_id, len(user_id)) <= 0:
            raise _fault("sm2 id")
        lib.EVP_MD_CTX_set_pkey_ctx(context, options)
        return context, options

    def verify(self, message: bytes, der: bytes, user_id: bytes = DEFAULT_ID) -> bool:
        """Return whether `der` is this key's SM2 signature of `message`."""
        table = self._multiples()
        if table is not None:
            return _quickly(self.digest(message, user_id), der, table)
        lib = _lib()
        context, options = self._digest_context(user_id)
        try:
            if lib.EVP_DigestVerifyInit(context, None, lib.EVP_sm3(), None, self._handle) <= 0:
                raise _fault("sm2 verify")
            done = lib.EVP_DigestVerify(context, der, len(der), message, len(message))
            lib.ERR_clear_error()
            return bool(done == 1)
        finally:
            lib.EVP_MD_CTX_free(context)
            lib.EVP_PKEY_CTX_free(options)

    def point(self) -> bytes:
        """Return x‖y, 64 bytes: the end of the key's SubjectPublicKeyInfo."""
        out = ctypes.create_string_buffer(256)
        start = ctypes.cast(out, _P)
        size = _lib().i2d_PUBKEY(self._handle, ctypes.byref(start))
        return out.raw[:size][-64:]

    def encrypt(self, plain: bytes) -> bytes:
        """Return the SM2 cipher text as DER SEQUENCE {x, y, C3, C2}."""
        table = self._multiples()
        if table is None or not 0 < len(plain) <= 32:  # one block of the key derivation
            return self._crypt("encrypt", plain)
        own, common = sm_points.shared(table)
        stream = sm3(common + b"\0\0\0\1")[: len(plain)]
        hidden = bytes(a ^ b for a, b in zip(plain, stream, strict=True))
        check = sm3(common[:32] + plain + common[32:])
        return cipher_of(own, check, hidden)

    def _crypt(self, verb: str, data: bytes) -> bytes:
        lib = _lib()
        start, run = getattr(lib, f"EVP_PKEY_{verb}_init"), getattr(lib, f"EVP_PKEY_{verb}")
        options = lib.EVP_PKEY_CTX_new(self._handle, None)
        try:
            size = _SIZE(0)
            if start(options) <= 0:
                raise _fault(f"sm2 {verb}")
            if run(options, None, ctypes.byref(size), data, len(data)) <= 0:
                raise _fault(f"sm2 {verb}")
            out = ctypes.create_string_buffer(size.value)
            if run(options, out, ctypes.byref(size), data, len(data)) <= 0:
                raise _fault(f"sm2 {verb}")
            return out.raw[: size.value]
        finally:
            lib.EVP_PKEY_CTX_free(options)


class PrivateKey(PublicKey):
    """An SM2 private key held by libcrypto."""

    _secret: tuple[int, int] | None = None

    def sign(self, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
        """Return the DER signature of `message`."""
        if self._often():
            return self.sign_digest(self.digest(message, user_id))
        lib = _lib()
        context, options = self._digest_context(user_id)
        try:
            if lib.EVP_DigestSignInit(context, None, lib.EVP_sm3(), None, self._handle) <= 0:
                raise _fault("sm2 sign")
            out, size = ctypes.create_string_buffer(128), _SIZE(128)
            if lib.EVP_DigestSign(context, out, ctypes.byref(size), message, len(message)) <= 0:
                raise _fault("sm2 sign")
            return out.raw[: size.value]
        finally:
            lib.EVP_MD_CTX_free(context)
            lib.EVP_PKEY_CTX_free(options)

    def sign_digest(self, digest: bytes) -> bytes:
        """Return the DER signature of the 32 bytes e, as a device signs them."""
        if self._often():
            secret, inverse = self._scalars()
            return der_of_raw(sm_points.signed(digest, secret, inverse))
        return self._crypt("sign", digest)

    def _often(self) -> bool:
        self._uses += 1
        return self._uses > OFTEN

    def _scalars(self) -> tuple[int, int]:
        """Return d and 1/(1+d)."""
        if self._secret is None:
            number = _P(0)
            if _lib().EVP_PKEY_get_bn_param(self._handle, b"priv", ctypes.byref(number)) != 1:
                raise _fault("private number")
            out = ctypes.create_string_buffer(64)
            size = _lib().BN_bn2bin(number, out)
            _lib().BN_clear_free(number)
            found = int.from_bytes(out.raw[:size], "big")
            self._secret = found, pow(1 + found, -1, sm_points.N)
        return self._secret

    def decrypt(self, cipher: bytes) -> bytes:
        """Return the plain text of an SM2 DER cipher text. Raises CryptoFault."""
        return self._crypt("decrypt", cipher)


class Certificate:
    """An X.509 certificate: serial, key, DER. Its own signature is not looked at."""

    def __init__(self, der: bytes, serial: int, public_key: PublicKey) -> None:
        self.der = der
        self.serial = serial
        self.public_key = public_key

    @property
    def serial_hex(self) -> str:
        """Serial number in lower-case hex, an even number of digits."""
        digits = f"{self.serial:x}"
        return digits.zfill(len(digits) + len(digits) % 2)

    @property
    def fingerprint(self) -> str:
        """SM3 of the DER, hex."""
        return sm3(self.der).hex()


def load_private(pem: bytes) -> PrivateKey:
    """Read an unencrypted PEM private key (PKCS#8 or EC). Raises CryptoFault."""
    lib = _lib()
    source = lib.BIO_new_mem_buf(pem, len(pem))
    try:
        handle = lib.PEM_read_bio_PrivateKey(source, None, None, None)
    finally:
        lib.BIO_free(source)
    if not handle:
        raise _fault("private key")
    return PrivateKey(handle)


@lru_cache(maxsize=64)
def load_certificate(content: bytes) -> Certificate:
    """Read a certificate, PEM or DER; the same bytes are the same object. Raises CryptoFault."""
    lib = _lib()
    if content.lstrip().startswith(b"-----BEGIN"):
        source = lib.BIO_new_mem_buf(content, len(content))
        handle = lib.PEM_read_bio_X509(source, None, None, None)
        lib.BIO_free(source)
    else:
        start = ctypes.cast(ctypes.c_char_p(content), _P)
        handle = lib.d2i_X509(None, ctypes.byref(start), len(content))
    if not handle:
        raise _fault("certificate")
    try:
        public = lib.X509_get_pubkey(handle)
        if not public:
            raise _fault("public key of certificate")
        return Certificate(_der_of(handle), _serial_of(handle), PublicKey(public))
    finally:
        lib.X509_free(handle)


def _der_of(handle: int) -> bytes:
    lib = _lib()
    size = lib.i2d_X509(handle, None)
    out = ctypes.create_string_buffer(size)
    end = ctypes.cast(out, _P)
    lib.i2d_X509(handle, ctypes.byref(end))
    return out.raw


def _serial_of(handle: int) -> int:
    lib = _lib()
    number = lib.ASN1_INTEGER_to_BN(lib.X509_get_serialNumber(handle), None)
    out = ctypes.create_string_buffer(64)
    size = lib.BN_bn2bin(number, out)
    lib.BN_free(number)
    return int.from_bytes(out.raw[:size], "big")


def sm4_cbc(key: bytes, iv: bytes, data: bytes, *, encrypt: bool) -> bytes:
    """Encrypt or decrypt with SM4-CBC and PKCS#7 padding. Raises CryptoFault."""
    assert (len(key), len(iv)) == (16, 16)
    lib = _lib()
    context = lib.EVP_CIPHER_CTX_new()
    try:
        out = ctypes.create_string_buffer(len(data) + 32)
        done, rest = _INT(0), _INT(0)
        lib.EVP_CipherInit_ex(context, lib.EVP_sm4_cbc(), None, key, iv, int(encrypt))
        if lib.EVP_CipherUpdate(context, out, ctypes.byref(done), data, len(data)) != 1:
            raise _fault("sm4")
        tail = ctypes.byref(out, done.value)
        if lib.EVP_CipherFinal_ex(context, tail, ctypes.byref(rest)) != 1:
            raise _fault("sm4")
        return out.raw[: done.value + rest.value]
    finally:
        lib.EVP_CIPHER_CTX_free(context)


def sm4_gcm_open(key: bytes, nonce: bytes, data: bytes, aad: bytes) -> bytes:
    """Decrypt SM4-GCM, the tag being the last 16 bytes. Raises CryptoFault.

    OpenSSL 3.0 has no SM4-GCM, so this one comes from `cryptography`.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.SM4(key), modes.GCM(nonce, data[-16:])).decryptor()
    cipher.authenticate_additional_data(aad)
    try:
        return cipher.update(data[:-16]) + cipher.finalize()
    except InvalidTag as error:
        raise CryptoFault("sm4-gcm: tag") from error


def create_identity(key_file: Path, certificate_file: Path, name: str, serial: int) -> None:
    """Make an SM2 key and a self-signed certificate with the `openssl` program.

    The key file gets mode 0600. Raises CryptoFault with the program's own words.
    """
    new_key = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2",
               "-out", str(key_file))  # fmt: skip
    new_certificate = ("req", "-x509", "-new", "-key", str(key_file), "-sm3",
                       "-sigopt", f"distid:{DEFAULT_ID.decode()}", "-subj", f"/C=CN/CN={name}",
                       "-days", "7300", "-set_serial", str(serial), "-utf8",
                       "-out", str(certificate_file))  # fmt: skip
    for arguments in (new_key, new_certificate):
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
        if done.returncode:
            raise CryptoFault(done.stderr.strip())
    key_file.chmod(0o600)


def _quickly(digest: bytes, der: bytes, table: sm_points.Table) -> bool:
    """Return whether `der` signs e; like libcrypto it takes no DER but the shortest."""
    try:
        raw = raw_of_der(der)
    except CryptoFault:
        return False
    return der_of_raw(raw) == der and sm_points.holds(digest, raw, table)
