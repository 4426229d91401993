"""Known answers and the cross-check, run at start and in audits.

Rules: nothing here raises, a failure is a `Check` that is not ok; the two implementations
must agree with the standard and with each other; the standard's nonce is only ever used
with the standard's key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from fep.crypto import der, gm, libcrypto, sm2, sm3, sm4
from fep.crypto.errors import BackendMissing

if TYPE_CHECKING:
    from fep.ports import Entropy

# GB/T 32918.5-2017, annex A and C.
SCALAR: Final = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
POINT: Final = bytes.fromhex(
    "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
NONCE: Final = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
MESSAGE: Final = b"message digest"
DIGEST: Final = bytes.fromhex("f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640")
SIGNATURE: Final = bytes.fromhex(
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)
CIPHER_POINT: Final = bytes.fromhex(
    "04ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73"
    "e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0"
)
CIPHER_MAC: Final = bytes.fromhex(
    "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
)
CIPHER_MASKED: Final = bytes.fromhex("21886ca989ca9c7d58087307ca93092d651efa")
PLAIN: Final = b"encryption standard"

# GB/T 32905-2016, annex A; GB/T 32907-2016, annex A; RFC 8998, appendix A.1.
SM3_ABC: Final = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
SM4_KEY: Final = bytes.fromhex("0123456789abcdeffedcba9876543210")
SM4_BLOCK: Final = "681edf34d206965e86b3e94f536e4246"
GCM_NONCE: Final = bytes.fromhex("00001234567800000000abcd")
GCM_AAD: Final = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
GCM_PLAIN: Final = b"".join(bytes((b,)) * 8 for b in bytes.fromhex("aabbccddeeffeeaa"))
GCM_SEALED: Final = (
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
    "83de3541e4c2b58177e065a9bf7b62ec"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing tried, and what came out."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Probe:
    """The active backend; `fallback` with its reason if it is not the preferred one."""

    name: str
    version: str
    fallback: str | None


class _VectorNonce:
    """Entropy that yields the standard's nonce, for the standard's key alone."""

    def token(self, size: int) -> bytes:
        """Give no bytes: nothing of the vector asks for them."""
        raise AssertionError(size)

    def below(self, bound: int) -> int:
        """Return k-1, to which the signer adds 1."""
        return NONCE - 1


def probe() -> Probe:
    """Say which backend signs on this machine."""
    try:
        found = sm2.backend(libcrypto.NAME)
    except BackendMissing as missing:
        spare = sm2.backend(gm.NAME)
        return Probe(spare.name, spare.version, str(missing))
    return Probe(found.name, found.version, None)


def run(entropy: Entropy | None = None) -> list[Check]:
    """Run every check. `entropy`, if given, feeds fresh nonces and digests (some 80 ms)."""
    return [_checked(name, trial) for name, trial in _trials(entropy)]


def _checked(name: str, trial: Callable[[], str]) -> Check:
    try:
        return Check(name, True, trial())
    except Exception as failure:
        # Whatever a broken library throws must end up in the report, not in the caller.
        return Check(name, False, f"{type(failure).__name__}: {failure}")


def _trials(entropy: Entropy | None) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "sm3", _sm3
    yield "sm4-cbc", _sm4_cbc
    yield "sm4-gcm", _sm4_gcm
    yield "sm2-digest", _digest
    active = sm2.active()
    names = [name for name in sm2.BACKENDS if name in (active, gm.NAME)]
    for name in names:
        yield f"sm2-verify-{name}", partial(_verify, name)
        yield f"sm2-decrypt-{name}", partial(_decrypt, name)
    yield "sm2-sign-gmssl", _sign_vector
    for signer in names:
        for verifier in names:
            yield f"sm2-{signer}-to-{verifier}", partial(_cross, signer, verifier, entropy)


def _same(ours: object, theirs: object) -> None:
    if ours != theirs:
        raise ValueError("the answer is not the known one")


def _sm3() -> str:
    _same(sm3.digest(b"abc").hex(), SM3_ABC)
    _same(sm3.new(b"a" * 5000).digest(), sm3.digest(b"a" * 5000))
    return "GB/T 32905"


def _sm4_cbc() -> str:
    sealed = sm4.cbc_encrypt(SM4_KEY, bytes(16), SM4_KEY)
    _same(sealed[:16].hex(), SM4_BLOCK)
    _same(sm4.cbc_decrypt(SM4_KEY, bytes(16), sealed), SM4_KEY)
    return "GB/T 32907"


def _sm4_gcm() -> str:
    sealed = sm4.gcm_encrypt(SM4_KEY, GCM_NONCE, GCM_PLAIN, GCM_AAD)
    _same(sealed.hex(), GCM_SEALED)
    _same(sm4.gcm_decrypt(SM4_KEY, GCM_NONCE, sealed, GCM_AAD), GCM_PLAIN)
    return "RFC 8998"


def _digest() -> str:
    _same(gm.multiply_base(SCALAR), POINT)
    _same(sm2.message_digest(POINT, MESSAGE), DIGEST)
    return "GB/T 32918.5"


def _verify(name: str) -> str:
    public = sm2.PublicKey(POINT, backend_name=name)
    good = der.raw_to_der(SIGNATURE)
    _same(public.verify_digest(DIGEST, good), True)
    _same(public.verify_digest(sm3.digest(DIGEST), good), False)
    return sm2.backend(name).version


def _decrypt(name: str) -> str:
    key = sm2.PrivateKey(SCALAR, backend_name=name)
    _same(key.decrypt(der.write_cipher(CIPHER_POINT, CIPHER_MAC, CIPHER_MASKED)), PLAIN)
    return sm2.backend(name).version


def _sign_vector() -> str:
    key = sm2.PrivateKey(SCALAR, entropy=_VectorNonce(), backend_name=gm.NAME)
    _same(der.der_to_raw(key.sign_digest(DIGEST)), SIGNATURE)
    return "r and s of GB/T 32918.5"


def _cross(signer: str, verifier: str, entropy: Entropy | None) -> str:
    digest = DIGEST if entropy is None else sm3.digest(entropy.token(sm3.DIGEST_BYTES))
    key = sm2.PrivateKey(SCALAR, entropy=entropy or _VectorNonce(), backend_name=signer)
    public = key.public.on(verifier)
    _same(public.verify_digest(digest, key.sign_digest(digest)), True)
    return "signed by one, verified by the other" if signer != verifier else "by itself"
