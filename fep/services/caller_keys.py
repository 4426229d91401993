"""Keys of business systems at rest: SM4-GCM under a key derived from the node's.

The key itself must be kept, not a digest of it: answers of the dialects are signed with it.
Rules: a sealed key is bound to its appid, so that files cannot change places; a plain file of
the site is read as it is. Without the node's key a sealed one cannot be opened, and says so.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fep.crypto import keyfile, sm3, sm4
from fep.crypto.errors import BadCipher, CryptoError
from fep.domain.faults import refuse
from fep.ports import Entropy
from fep.settings import Settings, read_secret
from fep.settings_callers import SEALED
from fep.settings_toml import SettingsError

KEY_BYTES_MIN, KEY_BYTES_MAX = 8, 512
_LABEL = b"fep caller keys 1"
_MARK_BYTES = 4


class KeyCase:
    """Seals and opens keys of callers; the node's key is read when it is first needed."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self._sm4 = b""

    def seal(self, appid: str, key: bytes, entropy: Entropy) -> str:
        """Return the text of a key file. Raises Refused CALLER_NODE_KEY."""
        nonce = entropy.token(sm4.NONCE_BYTES)
        body = nonce + sm4.gcm_encrypt(self._key(), nonce, key, _bound(appid))
        return f"{SEALED.decode()}{self._mark()} {base64.b64encode(body).decode()}\n"

    def read(self, appid: str, path: Path) -> bytes:
        """Return the key in a file, sealed or plain.

        Raises Refused CALLER_KEY_FILE, CALLER_KEY_SEAL, CALLER_NODE_KEY.
        """
        try:
            raw = path.read_bytes()[: 2 * KEY_BYTES_MAX + 1].strip()
        except OSError as error:
            raise refuse("CALLER_KEY_FILE", path=path.name, why=error.strerror) from error
        if not raw.startswith(SEALED):
            return raw
        try:
            mark, packed = raw.removeprefix(SEALED).split()
            body = base64.b64decode(packed, validate=True)
            if mark.decode() != self._mark():
                raise refuse("CALLER_KEY_SEAL", appid=appid, path=path.name)
            nonce, sealed = body[: sm4.NONCE_BYTES], body[sm4.NONCE_BYTES :]
            return sm4.gcm_decrypt(self._key(), nonce, sealed, _bound(appid))
        except (ValueError, binascii.Error, BadCipher) as error:
            raise refuse("CALLER_KEY_SEAL", appid=appid, path=path.name) from error

    def _key(self) -> bytes:
        if not self._sm4:
            self._sm4 = sm3.hmac(self._secret(), _LABEL)[: sm4.KEY_BYTES]
        return self._sm4

    def _mark(self) -> str:
        """Return what says under which node key a file was sealed; it gives nothing away."""
        return sm3.hmac(self._key(), b"mark")[:_MARK_BYTES].hex()


def key_case(settings: Settings) -> KeyCase:
    """Return the case of a site; nothing is read yet."""

    def secret() -> bytes:
        node = settings.node
        try:
            passphrase = read_secret(node.passphrase, settings.root) if node.passphrase else None
            private = keyfile.load_private(node.key.read_bytes(), passphrase)
        except (OSError, CryptoError, SettingsError) as error:
            raise refuse("CALLER_NODE_KEY", why=str(error)[:200]) from error
        return private.scalar.to_bytes(32, "big")

    return KeyCase(secret)


def checked_key(text: Any) -> bytes:
    """Return a key that may be used. Raises Refused CALLER_KEY_SHAPE."""
    key = text.strip() if isinstance(text, str) else ""
    fits = key.isascii() and key.isprintable() and KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX
    if not fits or " " in key or key.encode().startswith(SEALED.strip()):
        raise refuse("CALLER_KEY_SHAPE", least=KEY_BYTES_MIN, most=KEY_BYTES_MAX)
    return key.encode()


def _bound(appid: str) -> bytes:
    return b"fep1|caller|" + appid.encode()
