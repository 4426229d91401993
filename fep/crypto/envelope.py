"""The wrapped key of a batch file: one 16-byte SM4 key for one receiver.

Rule: what comes out is exactly 16 bytes or `BadCipher`; the form is the SM2Cipher of
GM/T 0009, DER SEQUENCE {x, y, C3, C2}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fep.crypto.errors import BadCipher
from fep.crypto.sm2 import PrivateKey, PublicKey
from fep.crypto.sm4 import KEY_BYTES

if TYPE_CHECKING:
    from fep.ports import Entropy


def wrap(key: bytes, receiver: PublicKey, entropy: Entropy) -> bytes:
    """Encrypt a 16-byte SM4 key to the receiver; return DER."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"an SM4 key has {KEY_BYTES} bytes, not {len(key)}")
    return receiver.encrypt(key, entropy)


def unwrap(wrapped: bytes, receiver: PrivateKey) -> bytes:
    """Return the 16-byte SM4 key, or raise `BadCipher`."""
    key = receiver.decrypt(wrapped)
    if len(key) != KEY_BYTES:
        raise BadCipher(f"an SM4 key has {KEY_BYTES} bytes")
    return key
