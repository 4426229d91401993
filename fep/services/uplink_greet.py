"""HELLO, SYNC and MANIFEST: how both sides find out what the other has.

Rules: all three only ask and tell, none frees a record or proves a delivery; a SYNC that
contradicts our own chain stops the channel as a wrong ACK does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from fep.domain.link_gap import ranges
from fep.services.uplink_ends import Ends
from fep.services.uplink_out import Outbox
from fep.services.uplink_transport import Transport
from fep.store.link import Head
from fep.store.schema import link_batch
from fep.wire.fpb import Kind
from fep.wire.fpb_ack import Ack
from fep.wire.fpb_greet import (
    BATCHES_MAX,
    Hello,
    Holding,
    Listed,
    Manifest,
    Sent,
    Sync,
    encode,
)


@dataclass(frozen=True, slots=True)
class Greeter:
    """Speaks of the outgoing channels in `outboxes`."""

    ends: Ends
    transport: Transport
    outboxes: Mapping[int, Outbox]

    async def hello(self) -> None:
        """Say where our channels stand and ask what the platform holds."""
        channels = tuple(
            Sent(channel, box.head.epoch, box.head.seq, box.head.rec_seq, box.head.rec_hash.hex())
            for channel, box in sorted(self.outboxes.items())
        )
        await self.transport.send(Kind.HELLO, encode(Hello(channels, self.ends.now_ms())))

    async def manifest(self) -> None:
        """List the unanswered batches of every channel that has sent any."""
        for channel, box in sorted(self.outboxes.items()):
            if box.head.seq:
                listed = self.ends.store.read(listed_q, self.ends.dest, channel, box.head.epoch)
                body = Manifest(
                    channel, box.head.epoch, box.head.seq, box.head.rec_seq,
                    box.head.rec_hash.hex(), self.ends.now_ms(), listed,
                )  # fmt: skip
                await self.transport.send(Kind.MANIFEST, encode(body))

    async def sync(self, heads: Mapping[int, Head], held: Mapping[int, Iterable[int]]) -> None:
        """Say what we hold of the platform's channels."""
        channels = tuple(
            Holding(
                channel, head.epoch, head.rec_seq, head.rec_hash.hex(),
                (*(((1, head.seq),) if head.seq else ()), *ranges(held.get(channel, ()))),
            )
            for channel, head in sorted(heads.items())
        )  # fmt: skip
        await self.transport.send(Kind.SYNC, encode(Sync(channels, self.ends.now_ms())))

    async def synced(self, sync: Sync) -> None:
        """Hear what the platform holds: what it lacks is written again now."""
        for told in sync.channels:
            box = self.outboxes.get(told.channel)
            if box is None or told.epoch != box.head.epoch:
                continue
            ack = Ack(told.applied_upto, told.channel, told.epoch, told.head, "RECEIVED",
                      sync.time_ms, told.received)  # fmt: skip
            await box.acked(ack, ())
            box.synced(told.received)


def listed_q(conn: Connection, dest: str, channel: int, epoch: int) -> tuple[Listed, ...]:
    """Return the oldest unanswered batches of a channel, at most BATCHES_MAX."""
    batch = link_batch.c
    rows = conn.execute(
        select(batch.seq, batch.first_rec, batch.n_rec, batch.sm3)
        .where(batch.dest == dest, batch.channel == channel, batch.epoch == epoch,
               batch.state != "acked")
        .order_by(batch.seq)
        .limit(BATCHES_MAX)
    )  # fmt: skip
    return tuple(Listed(r.seq, r.first_rec, r.n_rec, bytes(r.sm3).hex()) for r in rows)
