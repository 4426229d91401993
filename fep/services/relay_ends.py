"""What every part of the relay shares: who we are, the tools, and files to and from one node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from fep.crypto.certs import Certificate
from fep.crypto.sm2 import PrivateKey, PublicKey
from fep.domain.calendar import to_ms
from fep.ports import Carrier, Clock, Entropy
from fep.services.uplink_ends import Log, Timers, Work
from fep.services.uplink_peers import Peers
from fep.settings_relay import RelayPart
from fep.store.writer import Store
from fep.wire.fpb import ALG_CBC, ALG_GCM, Header, Kind, Seat, pack
from fep.wire.fpb_name import BatchName, node8

TRANSPORT: Final = 0
RECEIPTS: Final = 1
CONTROL: Final = 2
RECORDS: Final = (1, 2, 3)  # channels whose batches hold records for us
EPOCHS: Final = 1 << 16


def stream_of(channel: int, epoch: int) -> int:
    """Return the number by which we keep a channel's epoch; that of receipts is the epoch."""
    return (channel - RECEIPTS) * EPOCHS + epoch


def channel_of(stream: int) -> tuple[int, int]:
    """Return channel and epoch of a stream."""
    channel, epoch = divmod(stream, EPOCHS)
    return channel + RECEIPTS, epoch


@dataclass(frozen=True, slots=True)
class RelayEnds:
    """Us and the tools."""

    reactor: Timers
    clock: Clock
    entropy: Entropy
    store: Store
    settings: RelayPart
    key: PrivateKey
    cert: Certificate
    work: Work
    log: Log

    def now_ms(self) -> int:
        """Return wall clock milliseconds."""
        return to_ms(self.clock.wall())


@dataclass(frozen=True, slots=True)
class NodeEnds:
    """One node: its certificate and the carrier to it. Methods may be called in threads.

    `cert` is the configured one; `peers` has those it rotated in, too.
    """

    us: RelayEnds
    node: str
    cert: Certificate
    carrier: Carrier
    units: Mapping[str, str]  # unit -> destination
    peers: Peers = field(init=False)

    def __post_init__(self) -> None:
        """Believe the configured certificate."""
        object.__setattr__(self, "peers", Peers(self.node, self.cert))

    def seat(self) -> Seat:
        """Return who reads here."""
        return Seat(self.us.settings.id, self.us.cert.serial_bytes(), self.us.key)

    def key_of(self, sender: str, serial: bytes) -> PublicKey | None:
        """Return the node's key for its own files, None for anybody else's."""
        return self.peers.key_of(sender, serial)

    def header(self, kind: Kind, epoch: int, channel: int, seq: int) -> Header:
        """Return the part of a header that is the same for all our files to this node."""
        return Header(
            kind=kind, sender=self.us.settings.id, receiver=self.node, epoch=epoch,
            channel=channel, seq=seq, created_ms=self.us.now_ms(),
            sender_serial=self.us.cert.serial_bytes(),
            receiver_serial=self.peers.newest.serial_bytes(),
            sym_alg=ALG_GCM if self.us.settings.cipher == "gcm" else ALG_CBC,
        )  # fmt: skip

    def pack(self, header: Header, plain: bytes) -> bytes:
        """Return the file of a batch. Raises Unreadable TOO_BIG."""
        receiver = self.peers.newest
        header = replace(header, receiver_serial=receiver.serial_bytes())
        return pack(header, plain, self.us.key, receiver.public_key, self.us.entropy)

    def name(self, epoch: int, channel: int, seq: int, attempt: int) -> str:
        """Return the name of one of our files."""
        sender = node8(self.us.settings.id)
        return BatchName(sender, epoch, channel, seq, attempt, self.us.settings.ext).text()
