"""The relay's own key and certificate, made once and never in place of others."""

from __future__ import annotations

import base64
import os
from datetime import UTC, timedelta
from pathlib import Path
from typing import Final

from fep.crypto import certs, keyfile, sm3
from fep.ports import Clock, Entropy
from fep.settings import read_secret
from fep.settings_relay import RelaySettings

VALID_DAYS: Final = 3650
SLACK: Final = timedelta(hours=24)


class Exists(Exception):
    """A file is there already; the argument is its path."""


def make_identity(settings: RelaySettings, clock: Clock, entropy: Entropy) -> dict[str, str]:
    """Write key and certificate; return where the certificate is and its SM3, hex.

    Raises Exists, OSError.
    """
    part = settings.file.relay
    key_path, cert_path = settings.path(part.key), settings.path(part.cert)
    for path in (key_path, cert_path):
        if path.exists():
            raise Exists(str(path))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = read_secret(part.passphrase, settings.root) if part.passphrase else None
    key = keyfile.generate(entropy)
    now = clock.wall().astimezone(UTC).replace(microsecond=0)
    serial = int.from_bytes(entropy.token(15), "big") | 1 << 120
    der = certs.self_signed(key, part.id, serial, now - SLACK, now + timedelta(days=VALID_DAYS))
    _write(key_path, keyfile.save_private(key, secret))
    _write(cert_path, _pem(der))
    return {"id": part.id, "cert": str(cert_path), "sm3": sm3.digest(der).hex()}


def _pem(der: bytes) -> bytes:
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode("ascii")


def _write(path: Path, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
