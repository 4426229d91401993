"""SM2 by gmssl: the independent second implementation, and the signer of last resort.

Rules: every nonce comes from our Entropy (gmssl's own is a Mersenne Twister); points and
ranges are checked before gmssl sees them; C3 is compared here because gmssl's decrypt does
not; what gmssl raises on strange input is a False. It holds the interpreter lock for about
10 ms a call and its timing depends on the key: not for a busy issuing path.
"""

from __future__ import annotations

import hmac
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Final

from gmssl import sm2 as _sm2
from gmssl import sm3 as _sm3

from fep.crypto import der
from fep.crypto.curve import FIELD_BYTES, N, checked_point, checked_scalar
from fep.crypto.errors import BackendMissing, BadCipher, BadDer, CryptoError

if TYPE_CHECKING:
    from fep.ports import Entropy

NAME: Final = "gmssl"

# r = 0, s = 0 and an all-zero key stream each have a chance of 2^-100 or less.
_TRIES_MAX: Final = 4


def multiply_base(scalar: int) -> bytes:
    """Return d*G as x‖y, computed without libcrypto. Raises `BadKey`."""
    return _times(checked_scalar(scalar), _sm2.default_ecc_table["g"])


def _times(scalar: int, point_hex: str) -> bytes:
    # The scalar multiplication is private in gmssl and has no public twin.
    return bytes.fromhex(_sm2.CryptSM2("", "")._kg(scalar, point_hex))


def _machine(scalar: int, point: bytes) -> _sm2.CryptSM2:
    machine = _sm2.CryptSM2(f"{scalar:064x}", "")
    # The constructor strips every leading 0 and 4 of the key, so it is set afterwards.
    machine.public_key = point.hex()
    return machine


def _sm3_of(data: bytes) -> bytes:
    # gmssl pads the list it is given in place: it gets a fresh one.
    return bytes.fromhex(_sm3.sm3_hash(list(data)))


def _key_stream(shared: bytes, size: int) -> bytes:
    return bytes.fromhex(_sm3.sm3_kdf(shared.hex().encode(), size))


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


class GmSecret:
    """A private key held by gmssl."""

    def __init__(self, scalar: int, point: bytes, entropy: Entropy | None) -> None:
        self._machine = _machine(scalar, point)
        self._scalar = scalar
        self._entropy = entropy

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign the 32-byte e; return DER."""
        if len(digest) != FIELD_BYTES:
            raise ValueError("e has 32 bytes")
        if self._entropy is None:
            raise BackendMissing("gmssl signs only with entropy of ours: give it with the key")
        for _ in range(_TRIES_MAX):
            nonce = 1 + self._entropy.below(N - 1)
            raw = self._machine.sign(digest, f"{nonce:064x}")
            if raw is not None:
                return der.raw_to_der(bytes.fromhex(raw))
        raise CryptoError("gmssl found no signature: the entropy is broken")

    def decrypt(self, cipher: bytes) -> bytes:
        """Return the plain text of DER {x, y, C3, C2}, or raise `BadCipher`."""
        point, mac, masked = der.read_cipher(cipher)
        shared = _times(self._scalar, checked_point(point).hex())
        stream = _key_stream(shared, len(masked))
        plain = _xor(masked, stream)
        ours = _sm3_of(shared[:FIELD_BYTES] + plain + shared[FIELD_BYTES:])
        if not any(stream) or not hmac.compare_digest(ours, mac):
            raise BadCipher("C3 does not fit")
        return plain


class GmPublic:
    """A public key held by gmssl."""

    def __init__(self, point: bytes) -> None:
        self._machine = _machine(0, point)
        self._point_hex = point.hex()

    def verify_digest(self, digest: bytes, signature: bytes) -> bool:
        """Say whether the DER signature over e is good; anything malformed is False."""
        if len(digest) != FIELD_BYTES:
            return False
        try:
            raw = der.der_to_raw(signature)
            return bool(self._machine.verify(raw.hex(), digest))
        except (BadDer, TypeError, ValueError):
            # A point at infinity comes out of gmssl as None, and the next step trips on it.
            return False

    def encrypt(self, plain: bytes, entropy: Entropy) -> bytes:
        """Return DER {x, y, C3, C2}."""
        for _ in range(_TRIES_MAX):
            nonce = 1 + entropy.below(N - 1)
            shared = _times(nonce, self._point_hex)
            stream = _key_stream(shared, len(plain))
            if any(stream):
                point = _times(nonce, _sm2.default_ecc_table["g"])
                mac = _sm3_of(shared[:FIELD_BYTES] + plain + shared[FIELD_BYTES:])
                return der.write_cipher(point, mac, _xor(plain, stream))
        raise CryptoError("gmssl found no key stream: the entropy is broken")


class Gm:
    """The gmssl backend."""

    name = NAME

    @property
    def version(self) -> str:
        """Say which gmssl this is."""
        return f"gmssl {_version('gmssl')}"

    def secret(self, scalar: int, point: bytes, entropy: Entropy | None) -> GmSecret:
        """Take a private key in; without entropy it can decrypt, not sign."""
        return GmSecret(scalar, point, entropy)

    def public(self, point: bytes) -> GmPublic:
        """Take a public key in."""
        return GmPublic(point)
