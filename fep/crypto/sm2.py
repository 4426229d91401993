"""SM2 keys: signatures over e = SM3(Z ‖ M), and encryption of short secrets.

Rules: a key is checked before a backend sees it; Z always carries the user id, by default
that of GM/T 0009; signatures are DER inside and r‖s only at the edges; `verify` answers,
it never raises for what a stranger sent. Which implementation computes is `active()`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

from fep.crypto import der, gm, libcrypto, sm3
from fep.crypto.curve import DEFAULT_ID, DOMAIN, checked_point, checked_scalar
from fep.crypto.der import der_to_raw, raw_to_der
from fep.crypto.errors import BackendMissing, BadCipher, BadDer, BadKey

if TYPE_CHECKING:
    from fep.ports import Entropy

__all__ = [
    "BACKENDS",
    "DEFAULT_ID",
    "PrivateKey",
    "PublicKey",
    "active",
    "backend",
    "der_to_raw",
    "message_digest",
    "raw_to_der",
    "za",
]

BACKENDS: Final = (libcrypto.NAME, gm.NAME)
"""In order of preference."""

_ID_MAX_BYTES: Final = 0xFFFF // 8
_PLAIN_MAX_BYTES: Final = 64 * 1024


class Secret(Protocol):
    """What a backend does with a private key."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign the 32-byte e; return DER."""

    def decrypt(self, cipher: bytes) -> bytes:
        """Open a checked DER ciphertext, or raise `BadCipher`."""


class Public(Protocol):
    """What a backend does with a public key."""

    def verify_digest(self, digest: bytes, signature: bytes) -> bool:
        """Say whether the DER signature over e is good."""

    def encrypt(self, plain: bytes, entropy: Entropy) -> bytes:
        """Return DER {x, y, C3, C2}."""


class Backend(Protocol):
    """An implementation of SM2."""

    @property
    def name(self) -> str:
        """One of `BACKENDS`."""

    @property
    def version(self) -> str:
        """The sentence for the operator."""

    def secret(self, scalar: int, point: bytes, entropy: Entropy | None) -> Secret:
        """Take a checked private key in."""

    def public(self, point: bytes) -> Public:
        """Take a checked public key in."""


@cache
def _opened(name: str) -> Backend:
    if name == libcrypto.NAME:
        return libcrypto.Libcrypto(libcrypto.open_library())
    if name == gm.NAME:
        return gm.Gm()
    raise BackendMissing(f"no SM2 backend is called {name!r}: {', '.join(BACKENDS)}")


@cache
def active() -> str:
    """Return the name of the first usable backend; the answer holds for the process."""
    try:
        return _opened(libcrypto.NAME).name
    except BackendMissing:
        return gm.NAME


def backend(name: str | None = None) -> Backend:
    """Return a backend by name, by default the active one. Raises `BackendMissing`."""
    return _opened(name or active())


def za(point: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
    """Return Z, the 32 bytes that bind id, curve and public key (GB/T 32918.2, 5.5)."""
    if len(user_id) > _ID_MAX_BYTES:
        raise ValueError(f"a user id has at most {_ID_MAX_BYTES} bytes")
    bits = (8 * len(user_id)).to_bytes(2, "big")
    return sm3.digest(bits + user_id + DOMAIN + point)


def message_digest(point: bytes, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
    """Return e = SM3(Z ‖ M), the 32 bytes that are signed."""
    return sm3.digest(za(point, user_id) + message)


class PublicKey:
    """A point of the SM2 curve. Equal points are equal keys, whoever computes."""

    __slots__ = ("_public", "_z", "backend", "point")

    def __init__(self, point: bytes, *, backend_name: str | None = None) -> None:
        """Take 64 bytes x‖y; raises `BadKey` off the curve, `BackendMissing`."""
        self.point: Final = checked_point(bytes(point))
        self.backend: Final = backend_name or active()
        self._public: Final = backend(self.backend).public(self.point)
        self._z: Final = za(self.point)

    def digest(self, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
        """Return e of a message under this key, 32 bytes."""
        z = self._z if user_id == DEFAULT_ID else za(self.point, user_id)
        return sm3.digest(z + message)

    def verify(self, message: bytes, signature: bytes, user_id: bytes = DEFAULT_ID) -> bool:
        """Say whether the DER signature is good for the message; malformed is False."""
        return self._public.verify_digest(self.digest(message, user_id), signature)

    def verify_digest(self, digest: bytes, signature: bytes) -> bool:
        """Say whether the DER signature is good for e; malformed is False."""
        return self._public.verify_digest(digest, signature)

    def encrypt(self, plain: bytes, entropy: Entropy) -> bytes:
        """Encrypt a short secret (1..65536 bytes) as DER SEQUENCE {x, y, C3, C2}."""
        if not 1 <= len(plain) <= _PLAIN_MAX_BYTES:
            raise ValueError(f"SM2 encrypts 1 to {_PLAIN_MAX_BYTES} bytes, not {len(plain)}")
        return self._public.encrypt(plain, entropy)

    def info(self) -> bytes:
        """Return the SubjectPublicKeyInfo, DER."""
        return libcrypto.public_key_info(self.point)

    def on(self, backend_name: str) -> PublicKey:
        """Return the same key computed by another backend."""
        return PublicKey(self.point, backend_name=backend_name)

    def __eq__(self, other: object) -> bool:
        """Compare points."""
        return isinstance(other, PublicKey) and other.point == self.point

    def __hash__(self) -> int:
        """Hash the point."""
        return hash(self.point)

    def __repr__(self) -> str:
        """Show the first bytes of the point."""
        return f"<SM2 public key {self.point[:6].hex()}… {self.backend}>"


class PrivateKey:
    """An SM2 private key with its public key.

    `sign_digest(e)` is bound straight to the backend, because the issuing path calls nothing
    else: 32 bytes in, DER out. On gmssl it needs the entropy given here.
    """

    __slots__ = ("_secret", "backend", "public", "scalar", "sign_digest")

    def __init__(
        self, scalar: int, *, entropy: Entropy | None = None, backend_name: str | None = None
    ) -> None:
        """Take d; raises `BadKey`, `BackendMissing`. The point is d*G by gmssl."""
        point = gm.multiply_base(checked_scalar(scalar))
        self.scalar: Final = scalar
        self.public: Final = PublicKey(point, backend_name=backend_name)
        self.backend: Final = self.public.backend
        self._secret: Final = backend(self.backend).secret(scalar, point, entropy)
        self.sign_digest: Final[Callable[[bytes], bytes]] = self._secret.sign_digest

    def sign(self, message: bytes, user_id: bytes = DEFAULT_ID) -> bytes:
        """Sign a message; return DER."""
        return self.sign_digest(self.public.digest(message, user_id))

    def decrypt(self, cipher: bytes) -> bytes:
        """Open DER SEQUENCE {x, y, C3, C2}, or raise `BadCipher`."""
        try:
            point, _, _ = der.read_cipher(cipher)
            checked_point(point)
        except (BadDer, BadKey) as strange:
            raise BadCipher("not an SM2 ciphertext") from strange
        return self._secret.decrypt(cipher)

    def info(self) -> bytes:
        """Return the unprotected PKCS#8 PrivateKeyInfo, DER. Handle like the key itself."""
        return libcrypto.private_key_info(self.scalar, self.public.point)

    def on(self, backend_name: str, entropy: Entropy | None = None) -> PrivateKey:
        """Return the same key computed by another backend."""
        return PrivateKey(self.scalar, entropy=entropy, backend_name=backend_name)

    def __repr__(self) -> str:
        """Show the public half only."""
        return f"<SM2 private key of {self.public!r}>"
