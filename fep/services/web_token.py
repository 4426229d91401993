"""Tokens of receipt pages: 16 characters that find their receipt and cannot be guessed.

A token is `cover ‖ tag`, 40 + 55 bits, written as one number in base 62:
    tag   = first 55 bits of HMAC-SM3(secret, "fep-web-tag|"   ‖ id ‖ code ‖ number ‖ check code)
    cover = id XOR first 40 bits of HMAC-SM3(secret, "fep-web-cover|" ‖ tag)
which is the synthetic-IV construction of RFC 5297 with HMAC-SM3 as the function: the tag hides
the id and proves it. To look up, uncover the id, read that one row by its key, compute the tag
of what stands there and compare in constant time. No table, no scan; and a store that was
restored and gave an id to another receipt does not show it under the old address.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path

from fep.crypto import sm3
from fep.domain.faults import refuse
from fep.domain.receipt import CHECK_ALPHABET, Receipt
from fep.env import write_durably
from fep.ports import Entropy
from fep.settings_web import PAGE_PATH, TOKEN_CHARS

SECRET_FILE = "web.secret"
SECRET_BYTES = 32
ID_BITS, TAG_BITS = 40, 55
ID_MAX = (1 << ID_BITS) - 1
_TAG_MASK = (1 << TAG_BITS) - 1
_DIGITS = {char: value for value, char in enumerate(CHECK_ALPHABET)}

UrlOf = Callable[[Receipt], str]


class Tokens:
    """Makes and reads tokens under the node's secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, receipt: Receipt) -> str:
        """Return the token of a receipt."""
        tag = self._tag(receipt)
        return _written((receipt.id ^ self._mask(tag)) << TAG_BITS | tag)

    def id_of(self, token: str) -> int | None:
        """Return the id a token speaks of, None when it is no token at all; proves nothing."""
        value = _read(token)
        if value is None or value >> (ID_BITS + TAG_BITS):
            return None
        return value >> TAG_BITS ^ self._mask(value & _TAG_MASK)

    def fits(self, token: str, receipt: Receipt) -> bool:
        """Say whether the token is that of this very receipt; constant time."""
        return hmac.compare_digest(self.of(receipt).encode(), token.encode())

    def _tag(self, receipt: Receipt) -> int:
        assert 0 < receipt.id <= ID_MAX, receipt.id
        told = f"{receipt.id}|{receipt.code}|{receipt.number}|{receipt.check_code}"
        return self._draw("fep-web-tag|", told.encode(), TAG_BITS)

    def _mask(self, tag: int) -> int:
        return self._draw("fep-web-cover|", tag.to_bytes(8, "big"), ID_BITS)

    def _draw(self, what: str, data: bytes, bits: int) -> int:
        head = sm3.hmac(self._secret, what.encode() + data)[:8]
        return int.from_bytes(head, "big") >> (64 - bits)


def _written(value: int) -> str:
    digits = []
    for _ in range(TOKEN_CHARS):
        value, digit = divmod(value, 62)
        digits.append(CHECK_ALPHABET[digit])
    return "".join(reversed(digits))


def _read(token: str) -> int | None:
    if len(token) != TOKEN_CHARS:
        return None
    value = 0
    for char in token:
        digit = _DIGITS.get(char)
        if digit is None:
            return None
        value = value * 62 + digit
    return value


# the secret
def stored_secret(data: Path) -> bytes | None:
    """Return the node's secret, None before the first start. Raises Refused WEB_SECRET."""
    path = data / SECRET_FILE
    try:
        mode = path.stat().st_mode
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise refuse("WEB_SECRET", path=path, why=type(error).__name__) from error
    if len(secret) != SECRET_BYTES or mode & 0o077:
        why = "mode" if mode & 0o077 else f"{len(secret)} bytes"
        raise refuse("WEB_SECRET", path=path, why=why)
    return secret


def secret_of(data: Path, entropy: Entropy) -> bytes:
    """Return the node's secret; made at the first start. Raises Refused WEB_SECRET."""
    secret = stored_secret(data)
    if secret is None:
        secret = entropy.token(SECRET_BYTES)
        write_durably(data / SECRET_FILE, secret.hex().encode() + b"\n", mode=0o600)
    return secret


def no_url(_receipt: Receipt) -> str:
    """Return no address: none is configured."""
    return ""


def url_of(base: str, tokens: Tokens) -> UrlOf:
    """Return the function that says where a receipt's page is."""

    def address(receipt: Receipt) -> str:
        return f"{base}{PAGE_PATH}{tokens.of(receipt)}"

    return address


def stored_url_of(base: str, data: Path) -> UrlOf:
    """Return it for a stopped site: the secret is read and never made."""
    secret = stored_secret(data) if base else None
    return url_of(base, Tokens(secret)) if secret is not None else no_url
