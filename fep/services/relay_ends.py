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
from fep.services.uplink_keys import OwnKeys, Pair
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
    following: Pair | None = None  # our next key and certificate

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
    own: OwnKeys = field(init=False)

    def __post_init__(self) -> None:
        """Believe the configured certificate, and sign with our own."""
        object.__setattr__(self, "peers", Peers(self.node, self.cert))
        now = Pair(self.us.key, self.us.cert)
        object.__setattr__(self, "own", OwnKeys(self.us.settings.id, now, self.us.following))

    def seat(self, serial: bytes) -> Seat:
        """Return who reads a file here that is sealed to a serial."""
        return self.own.seat(serial)

    def key_of(self, sender: str, serial: bytes) -> PublicKey | None:
        """Return the node's key for its own files, None for anybody else's."""
        return self.peers.key_of(sender, serial)

    def header(self, kind: Kind, epoch: int, channel: int, seq: int) -> Header:
        """Return the part of a header that is the same for all our files to this node."""
        return Header(
            kind=kind, sender=self.us.settings.id, receiver=self.node, epoch=epoch,
            channel=channel, seq=seq, created_ms=self.us.now_ms(),
            sender_serial=self.own.now.cert.serial_bytes(),
            receiver_serial=self.peers.newest.serial_bytes(),
            sym_alg=ALG_GCM if self.us.settings.cipher == "gcm" else ALG_CBC,
        )  # fmt: skip

    def pack(self, header: Header, plain: bytes) -> bytes:
        """Return the file of a batch. Raises Unreadable TOO_BIG."""
        receiver, pair = self.peers.newest, self.own.now
        header = replace(header, receiver_serial=receiver.serial_bytes(),
                         sender_serial=pair.cert.serial_bytes())  # fmt: skip
        return pack(header, plain, pair.key, receiver.public_key, self.us.entropy)

    def name(self, epoch: int, channel: int, seq: int, attempt: int) -> str:
        """Return the name of one of our files."""
        sender = node8(self.us.settings.id)
        return BatchName(sender, epoch, channel, seq, attempt, self.us.settings.ext).text()
