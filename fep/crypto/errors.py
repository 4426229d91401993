"""What can go wrong behind the crypto door.

Two rules: a signature that does not verify is not an error (the answer is False); whatever
a stranger sent and we cannot use is a ValueError of this family, never a bare crash.
No text here ever holds key material or plain text.
"""

from __future__ import annotations


class CryptoError(Exception):
    """Something behind the crypto door failed."""


class BadDer(CryptoError, ValueError):
    """The bytes are not the one DER encoding of the expected structure."""


class BadCipher(CryptoError, ValueError):
    """The ciphertext is damaged, was made for another key, or is not of the expected form."""


class BadKey(CryptoError, ValueError):
    """The key is not an SM2 key: out of range, or its point is not on the curve."""


class BadKeyFile(BadKey):
    """The key file cannot be read as an SM2 private key."""


class WrongPassphrase(BadKeyFile):
    """The passphrase does not open the key file."""


class BadCertificate(CryptoError, ValueError):
    """The certificate cannot be read, or does not carry an SM2 key."""


class BackendMissing(CryptoError):
    """The asked SM2 implementation is not usable on this machine."""


class LibcryptoFault(CryptoError):
    """A call into libcrypto failed; carries the call and the drained error queue."""

    def __init__(self, call: str, reasons: tuple[str, ...]) -> None:
        self.call = call
        self.reasons = reasons
        super().__init__(f"{call}: {'; '.join(reasons) or 'no reason given'}")
