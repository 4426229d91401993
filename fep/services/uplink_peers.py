"""Whom we believe: the platform's certificates, the configured one and those rotated in.

The newest that was not revoked is the one we seal to. Reactor thread writes, worker threads
read: the tuple is replaced whole.
"""

from __future__ import annotations

from collections.abc import Iterable

from fep.crypto import certs
from fep.crypto.certs import Certificate
from fep.crypto.sm2 import PublicKey
from fep.store.link_certs import ACTIVE, REVOKED, PeerCert, plain_serial


class Peers:
    """The certificates of one platform."""

    def __init__(
        self, party: str, configured: Certificate, finance: tuple[Certificate, ...] = ()
    ) -> None:
        self.party = party
        self._configured = configured
        self._finance = finance  # they sign receipts (监制), never batches
        self._trusted: tuple[Certificate, ...] = (configured,)

    def know(self, told: Iterable[PeerCert]) -> None:
        """Take over what the store knows; all revoked leaves the newest for sealing only."""
        told = tuple(told)
        revoked = {cert.serial for cert in told if cert.state == REVOKED}
        given = (self._configured, *(certs.parse(c.der) for c in told if c.state == ACTIVE))
        self._trusted = tuple(
            cert for cert in given if plain_serial(cert.serial_hex) not in revoked
        )

    @property
    def newest(self) -> Certificate:
        """Return the certificate to seal to."""
        return self._trusted[-1] if self._trusted else self._configured

    def key_of(self, sender: str, serial: bytes) -> PublicKey | None:
        """Return the key of a trusted certificate of the platform, None for anybody else's."""
        if sender != self.party:
            return None
        found = (c for c in self._trusted if c.serial_bytes() == serial)
        cert = next(found, None)
        return None if cert is None else cert.public_key

    def of_finance(self, serial: str) -> Certificate | None:
        """Return the certificate of a supervision signature, None when it is nobody's we know."""
        wanted = plain_serial(serial)
        known = (*self._finance, *self._trusted)
        return next((c for c in known if plain_serial(c.serial_hex) == wanted), None)
