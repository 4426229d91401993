"""SM4 in the two modes of the batch file: CBC with PKCS#7, and GCM.

Two rules: key, IV and nonce come from the caller (Entropy port) and are never reused by it;
a CBC plain text is only trusted after the signature over its ciphertext was verified.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from fep.crypto.errors import BadCipher

KEY_BYTES: Final = 16
BLOCK_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16


def cbc_encrypt(key: bytes, iv: bytes, plain: bytes) -> bytes:
    """Return the ciphertext of PKCS#7-padded `plain`; key and iv have 16 bytes each."""
    pad = BLOCK_BYTES - len(plain) % BLOCK_BYTES
    context = Cipher(algorithms.SM4(key), modes.CBC(iv)).encryptor()
    return context.update(plain + bytes((pad,)) * pad) + context.finalize()


def cbc_decrypt(key: bytes, iv: bytes, cipher: bytes) -> bytes:
    """Return the plain text without padding, or raise `BadCipher`."""
    if not cipher or len(cipher) % BLOCK_BYTES:
        raise BadCipher("the ciphertext is not a whole number of blocks")
    context = Cipher(algorithms.SM4(key), modes.CBC(iv)).decryptor()
    padded = context.update(cipher) + context.finalize()
    return unpad(padded)


def unpad(padded: bytes) -> bytes:
    """Take PKCS#7 padding of a 16-byte block off, or raise `BadCipher`."""
    pad = padded[-1] if padded else 0
    if not 1 <= pad <= BLOCK_BYTES or not padded.endswith(bytes((pad,)) * pad):
        raise BadCipher("bad padding")
    return padded[:-pad]


def gcm_encrypt(key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
    """Return ciphertext ‖ 16-byte tag; the nonce has 12 bytes."""
    _check_nonce(nonce)
    context = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    context.authenticate_additional_data(aad)
    return context.update(plain) + context.finalize() + context.tag


def gcm_decrypt(key: bytes, nonce: bytes, cipher: bytes, aad: bytes) -> bytes:
    """Return the plain text, or raise `BadCipher` if tag, data or key do not fit."""
    _check_nonce(nonce)
    if len(cipher) < TAG_BYTES:
        raise BadCipher("the ciphertext is shorter than its tag")
    tag = cipher[-TAG_BYTES:]
    context = Cipher(algorithms.SM4(key), modes.GCM(nonce, tag)).decryptor()
    context.authenticate_additional_data(aad)
    try:
        return context.update(cipher[:-TAG_BYTES]) + context.finalize()
    except InvalidTag as broken:
        raise BadCipher("the tag does not fit") from broken


def _check_nonce(nonce: bytes) -> None:
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a GCM nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
