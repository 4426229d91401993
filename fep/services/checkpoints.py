"""Checkpoints: every five minutes or thousand records the node signs the journal's head.

An idle journal gets none. The key is the node's, never a unit's. A site whose node key cannot
be opened goes on without, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fep.crypto import certs, keyfile
from fep.crypto.errors import CryptoError
from fep.crypto.sm2 import PrivateKey
from fep.ports import Clock, Entropy
from fep.settings import Settings, read_secret
from fep.settings_toml import SettingsError
from fep.store.certificates import certificate_txn
from fep.store.checkpoints import checkpoint_txn
from fep.store.writer import Store

EVERY_S = 300.0
EVERY_RECORDS = 1000


class NodeSeal:
    """The node's key and certificate, for checkpoints and evidence."""

    def __init__(self, key: PrivateKey, certificate: certs.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    def sign(self, message: bytes) -> bytes:
        """Return the DER signature over a message."""
        return self._key.sign(message)


def open_seal(settings: Settings, entropy: Entropy, log: Any) -> NodeSeal | None:
    """Return the node's seal, None (and a log line) when its files cannot be used."""
    node = settings.node
    try:
        secret = read_secret(node.passphrase, settings.root) if node.passphrase else None
        key = keyfile.load_private(node.key.read_bytes(), secret, entropy=entropy)
        return NodeSeal(key, certs.parse(node.cert.read_bytes()))
    except (OSError, CryptoError, SettingsError) as error:
        log.error("node.no_seal", why=str(error)[:200])
        return None


class Checkpoints:
    """Signs the head of one store's journal."""

    def __init__(self, clock: Clock, store: Store, seal: NodeSeal | None, log: Any) -> None:
        self._clock = clock
        self._store = store
        self._seal = seal
        self._log = log
        self._at_s = clock.mono()
        self._upto = store.heads.journal_seq
        self._under_way = False

    # from node
    async def start(self) -> None:
        """Keep the node's certificate with the store: whoever verifies needs it."""
        if self._seal is not None:
            found = self._seal.certificate
            await self._store.do(
                "certificate", certificate_txn, found.der, found.serial_hex, found.subject
            )

    def tick(self) -> None:
        """Sign when it is time."""
        fresh = self._store.heads.journal_seq - self._upto
        waited_s = self._clock.mono() - self._at_s
        if fresh >= EVERY_RECORDS or (fresh > 0 and waited_s >= EVERY_S):
            self.sign()

    def sign(self, then: Callable[[], None] = lambda: None) -> None:
        """Sign the head now; `then` is called when the record is durable."""
        if self._seal is None or self._under_way or self._store.dead:
            return
        self._under_way = True
        self._at_s = self._clock.mono()
        work = self._store.do(
            "checkpoint", checkpoint_txn, self._seal.certificate.serial_hex, self._seal.sign
        )

        def signed(_seq: int) -> None:
            self._under_way = False
            self._upto = self._store.heads.journal_seq
            then()

        def failed(failure: Any) -> None:
            self._under_way = False
            self._log.error("checkpoint", why=str(failure.value)[:200])

        work.addCallbacks(signed, failed)
