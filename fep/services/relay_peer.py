"""One node behind the gate: its files in, our acknowledgements out.

Order: proven off the reactor, stored in one transaction, and only then the file goes.
RECEIVED is said when a batch is durable, APPLIED with the platform's answers; both are
cumulative, idempotent and repeated. What cannot be read is set aside and never deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final, Literal

from twisted.internet.defer import Deferred

from fep.domain.link_gap import GapWatch, missing, ranges
from fep.services.arrivals import ARRIVALS_MAX, Arrivals, Reader
from fep.services.carrier_belt import Tools
from fep.services.relay_control import ControlOut
from fep.services.relay_courier import Courier
from fep.services.relay_ends import (
    CONTROL,
    EPOCHS,
    RECORDS,
    TRANSPORT,
    NodeEnds,
    channel_of,
    stream_of,
)
from fep.services.relay_greet import Manners
from fep.services.relay_reading import Opened, open_file
from fep.services.relay_streams import Streams
from fep.services.uplink_ends import Bell
from fep.store.relay import (
    OpenCall,
    Taken,
    Told,
    arrived_txn,
    held_q,
    stream_q,
    streams_q,
    told_q,
)
from fep.store.relay_certs import peer_certs_q
from fep.store.relay_out import peer_q, transport_txn
from fep.wire.fpb import Kind, Reason
from fep.wire.fpb_ack import Ack, Nack, Result
from fep.wire.fpb_name import parse_name

RESULTS_MAX: Final = 1000
AFTER_FAULT_S: Final = 5.0
WORDS: Final[Mapping[str, Literal["OK", "DUP", "REJECT", "CONFLICT"]]] = {
    "OK": "OK", "DUP": "DUP", "REJECT": "REJECT", "CONFLICT": "CONFLICT",
}  # fmt: skip


class Peer:
    """A node: `Peer(ends, couriers)`, `await start()`, `await stop()`."""

    def __init__(self, ends: NodeEnds, couriers: Mapping[str, Courier]) -> None:
        self.ends = ends
        self._us = ends.us
        self._bell, self._ack_bell = Bell(ends.us.reactor), Bell(ends.us.reactor)
        self.streams = Streams(
            ends, couriers, on_answers=self._ack_bell.ring, on_chain=self._chain_broken
        )
        self.control = ControlOut(ends)
        self._manners = Manners(ends, self.streams, self.control, self._send)
        us = ends.us
        self._arrivals = Arrivals(
            Tools(us.reactor, us.clock, us.work, us.log), us.store, ends.carrier,
            Reader(partial(open_file, ends), self._take, self._set_aside),
            part_timeout_s=us.settings.part_timeout_s,
        )  # fmt: skip
        self._gaps: dict[int, GapWatch] = {}
        self._received: set[int] = set()  # epochs with batches that were not acknowledged
        self._transport_seq = 0
        self.heard_at = 0
        self.quarantined = 0
        self.fault = ""
        self._running = False
        self._loops: list[Deferred[None]] = []

    # from the relay
    async def start(self, calls: list[OpenCall]) -> None:
        """Take up where we stood and set the loops going."""
        row = self._us.store.read(peer_q, self.ends.node)
        self._transport_seq, self.heard_at = row.transport_seq, row.heard_at
        self.ends.peers.know(self._us.store.read(peer_certs_q, self.ends.node))
        for node, epoch in self._us.store.read(streams_q):
            if node == self.ends.node:
                self.streams.tally(epoch)
        await self.streams.resume(calls)
        self.ends.carrier.open()
        self._running = True
        self._loops = [
            Deferred.fromCoroutine(self._receive_loop()),
            Deferred.fromCoroutine(self._ack_loop()),
        ]

    async def stop(self) -> None:
        """Finish the turn under way and say what is owed."""
        if not self._running:
            return
        self._running = False
        self._bell.ring()
        self._ack_bell.ring()
        for loop in self._loops:
            await loop
        if not self._us.store.dead:
            await self._acknowledge()
        await self.ends.carrier.close()

    def wake(self) -> None:
        """Something is to be sent to it."""
        self._bell.ring()

    # the loops
    async def _receive_loop(self) -> None:
        beat_s = self._us.clock.mono()
        while self._running:
            wait = self._us.settings.poll_s
            try:
                if await self._turn() >= ARRIVALS_MAX:
                    wait = 0.0
                await self.control.step(self._us.clock.mono())
                if self._us.clock.mono() >= beat_s:
                    beat_s = self._us.clock.mono() + self._us.settings.heartbeat_s
                    await self._beat()
                self.fault = self._arrivals.fault or self._arrivals.stumble
            except Exception as error:  # one node's trouble must not end the relay
                if not self._survives(error):
                    return
                wait = AFTER_FAULT_S
            if self._running:
                await self._bell.wait(wait)

    async def _ack_loop(self) -> None:
        while self._running:
            try:
                for epoch in list(self.streams.tallies):
                    await self.streams.open_ready(epoch)
                await self._acknowledge()
            except Exception as error:  # as above
                if not self._survives(error):
                    return
            if self._running:
                await self._ack_bell.wait(self._us.settings.poll_s)
                await self._pause(self._us.settings.ack_s)

    def _pause(self, seconds: float) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        self._us.reactor.callLater(seconds if self._running else 0.0, done.callback, None)
        return done

    def _survives(self, error: Exception) -> bool:
        self.fault = str(error)[:200]
        self._us.log.error("relay.turn", node=self.ends.node, why=repr(error), exc_info=error)
        return not self._us.store.dead

    # arrivals
    async def _turn(self) -> int:
        dealt_with = await self._arrivals.turn()
        for epoch in list(self.streams.tallies):
            await self._ask_for_gap(epoch)
        return dealt_with

    async def _take(self, name: str, opened: Opened) -> bool:
        """Store an arrival; True when its file may go."""
        self.heard_at = self._us.now_ms()
        if opened.arrived is not None:
            epoch = opened.arrived.epoch
            taken = await self._us.store.do("relay.arrived", arrived_txn, opened.arrived)
            if taken is Taken.LATER:
                self._arrivals.not_ready(name)
                return False
            if taken in (Taken.CONFLICT, Taken.OVER):
                self._us.log.error("relay.conflict", node=self.ends.node, name=name, why=taken)
                await self._aside(name, taken.value)
                return False
            tally = self.streams.tally(epoch)
            if taken is Taken.REPEATED:
                told = self._us.store.read(told_q, self.ends.node, epoch, opened.arrived.seq)
                tally.owed.extend(told)
            self._received.add(epoch)
            self._ack_bell.ring()
        elif opened.ack is not None and opened.ack.channel == CONTROL:
            await self.control.acked(opened.ack)
        elif opened.nack is not None and opened.nack.channel == CONTROL:
            self.control.hasten()
        elif opened.greeting is not None:
            await self._manners.take(opened.greeting)
        elif opened.header.channel != TRANSPORT:
            await self._aside(name, "unexpected")
            return False
        return True

    async def _ask_for_gap(self, epoch: int) -> None:
        stream = self._us.store.read(stream_q, self.ends.node, epoch)
        held = self._us.store.read(held_q, self.ends.node, epoch)
        holes = missing(stream.batch_seq, (*held, *self._manners.beyond(epoch)))
        settings = self._us.settings
        watch = self._gaps.get(epoch) or GapWatch(max(3 * settings.poll_s, settings.gap_s))
        self._gaps[epoch], ask = watch.look(holes, self._us.clock.mono())
        if ask:
            await self._nack(epoch, Reason.MISSING, ask)

    # what cannot be read
    async def _set_aside(self, name: str, reason: Reason) -> None:
        self._us.log.warning("relay.set_aside", name=name, why=reason.value)
        await self._aside(name, reason.value)
        hint = parse_name(name)
        if hint is not None and hint.channel in RECORDS:
            holes = () if reason is Reason.RECEIVER else ((hint.seq, hint.seq),)
            stream = stream_of(hint.channel, hint.epoch)
            await self._nack(stream, reason, holes, (name,))

    async def _aside(self, name: str, why: str) -> None:
        self.quarantined += 1
        await self._us.work(self.ends.carrier.aside, name, why)

    def _chain_broken(self, epoch: int) -> Deferred[None]:
        return Deferred.fromCoroutine(self._nack(epoch, Reason.CHAIN, ()))

    # acknowledgements
    async def _acknowledge(self) -> None:
        received, self._received = self._received, set()
        for epoch, tally in list(self.streams.tallies.items()):
            if epoch in received and not tally.owed:
                await self._ack(epoch, "RECEIVED", ())
            while tally.owed:
                part, tally.owed = tally.owed[:RESULTS_MAX], tally.owed[RESULTS_MAX:]
                try:
                    await self._ack(epoch, "APPLIED", part)
                except OSError:
                    tally.owed = part + tally.owed
                    raise
            await self.streams.close(epoch)

    async def _beat(self) -> None:
        """Tell a node that was heard that we live."""
        if self.heard_at:
            await self._ack(self._newest() or 1, "APPLIED", ())

    async def _ack(self, epoch: int, level: str, part: list[Told] | tuple[()]) -> None:
        tally = self.streams.tally(epoch)
        stream = self._us.store.read(stream_q, self.ends.node, epoch)
        held = self._us.store.read(held_q, self.ends.node, epoch)
        opened = ((1, stream.batch_seq),) if stream.batch_seq else ()
        ack = Ack(
            applied_upto=tally.upto, channel=channel_of(epoch)[0], epoch=channel_of(epoch)[1],
            head=self.streams.head(epoch).hex(),
            level="APPLIED" if level == "APPLIED" else "RECEIVED", time_ms=self._us.now_ms(),
            received=(*opened, *ranges(held)),
            results=tuple(
                Result(one.rec_seq, WORDS[one.result], one.why, one.detail) for one in part
            ),
        )  # fmt: skip
        await self._send(Kind.ACK, ack.encode())

    async def _nack(self, epoch: int, reason: Reason, holes: tuple[tuple[int, int], ...],
                    names: tuple[str, ...] = ()) -> None:  # fmt: skip
        channel, number = channel_of(epoch)
        nack = Nack(channel=channel, epoch=number, reason=reason.value,
                    time_ms=self._us.now_ms(), missing=holes, names=names)  # fmt: skip
        await self._send(Kind.NACK, nack.encode())

    def _newest(self) -> int:
        """Return the newest epoch of receipts, 0 before the first."""
        return max((one for one in self.streams.tallies if one < EPOCHS), default=0)

    async def _send(self, kind: Kind, plain: bytes) -> None:
        self._transport_seq += 1
        seq = self._transport_seq
        await self._us.store.do(
            "relay.transport", transport_txn, self.ends.node, seq, self.heard_at
        )
        epoch = self._newest()
        header = replace(
            self.ends.header(kind, 1, TRANSPORT, seq),
            cum_ack=self.streams.tally(epoch).upto if epoch else 0,
            ack_head_sm3=self.streams.head(epoch) if epoch else bytes(32),
        )

        def write() -> None:
            content = self.ends.pack(header, plain)
            self.ends.carrier.put(self.ends.name(1, TRANSPORT, seq, 1), content)

        await self._us.work(write)
