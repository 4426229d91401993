"""The receiving side of an uplink: arrivals are read, proven, applied, answered, unlinked.

Order: open off the reactor, one transaction for content and effect, and only then the file
goes. What stays unreadable is set aside and the platform is told.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred

from fep.crypto import sm3
from fep.domain.link_gap import GapWatch, missing, ranges
from fep.services.arrivals import Arrivals, Reader, content_of
from fep.services.carrier_belt import Tools
from fep.services.uplink_build import SignatureXml
from fep.services.uplink_ends import Ends
from fep.services.uplink_finance import examined
from fep.services.uplink_greet import Greeter
from fep.services.uplink_pulse import CHAIN, Pulse
from fep.store.link import (
    CONTROL,
    LETTERS,
    RECEIPTS,
    RECONCILIATION,
    TRANSPORT,
    Head,
    LinkStart,
    held_q,
)
from fep.store.link_certs import peer_certs_q
from fep.store.link_in import Control, Fate, OnGrant, Outcome, control_txn, next_held_txn
from fep.store.link_out import Answer
from fep.wire.fpb import Header, Kind, Reason, Unreadable, read_header, unpack
from fep.wire.fpb_ack import Ack, Nack, Result, read_ack, read_nack
from fep.wire.fpb_greet import Greeting, Hello, Manifest, Sync, read_greeting
from fep.wire.fpb_name import parse_name

GREETINGS: Final[dict[Kind, type[Greeting]]] = {
    Kind.HELLO: Hello, Kind.SYNC: Sync, Kind.MANIFEST: Manifest,
}  # fmt: skip
CARGO_KINDS: Final = {CONTROL: Kind.CTRL, RECONCILIATION: Kind.DATA}


@dataclass(frozen=True, slots=True)
class Opened:
    """An arrival that is genuine and for us."""

    header: Header
    plain: bytes
    sm3: bytes
    ack: Ack | None = None
    answers: tuple[Answer, ...] = ()
    nack: Nack | None = None
    greeting: Greeting | None = None


def open_arrival(ends: Ends, name: str) -> Opened | None:
    """Read and prove one arrival; None when it is gone. For a worker thread.

    Raises Unreadable, OSError.
    """
    content = content_of(ends.carrier, name)
    if content is None:
        return None
    seat = ends.seat(read_header(content).receiver_serial)
    header, plain = unpack(content, seat, ends.peers.key_of)
    opened = Opened(header, plain, sm3.digest(content))
    if header.channel == TRANSPORT and header.kind is Kind.ACK:
        ack = read_ack(plain)
        return replace(opened, ack=ack, answers=tuple(map(answer, ack.results)))
    if header.channel == TRANSPORT and header.kind is Kind.NACK:
        return replace(opened, nack=read_nack(plain))
    if header.channel == TRANSPORT and header.kind in GREETINGS:
        return replace(opened, greeting=read_greeting(plain, GREETINGS[header.kind]))
    return opened


def prove(ends: Ends, content: bytes) -> None:
    """Look whether a file brought by hand is whole, genuine and for us. For a worker thread.

    A key that is not known may be announced by another file of the same stick: that one waits.
    Raises Unreadable.
    """
    try:
        unpack(content, ends.seat(read_header(content).receiver_serial), ends.peers.key_of)
    except Unreadable as error:
        if error.reason is not Reason.KEY_UNKNOWN:
            raise


def answer(result: Result) -> Answer:
    """Return a result as the store takes it; an unreadable supervision is a bad one."""
    detail = f"{result.code} {result.detail}".strip()
    signed = result.supervision
    if signed is None:
        return Answer(result.rec_seq, result.result, detail)
    try:
        der = base64.b64decode(signed.value, validate=True)
    except (binascii.Error, ValueError):
        return Answer(result.rec_seq, result.result, detail, doubt="unreadable")
    supervision = (signed.signed_at, signed.cert_serial, der)
    return Answer(result.rec_seq, result.result, detail, supervision)


class Inbox:
    """Arrivals from one platform."""

    def __init__(
        self, ends: Ends, pulse: Pulse, greeter: Greeter, on_grant: OnGrant,
        signature_xml: SignatureXml,
    ) -> None:  # fmt: skip
        self._ends = ends
        self._signature_xml = signature_xml
        self._pulse = pulse
        self._greeter = greeter
        self._outboxes = greeter.outboxes
        self._outbox = greeter.outboxes[RECEIPTS]
        self._on_grant = on_grant
        self._arrivals = Arrivals(
            Tools(ends.reactor, ends.clock, ends.work, ends.log), ends.store, ends.carrier,
            Reader(partial(open_arrival, ends), self._take, self._set_aside),
            part_timeout_s=ends.settings.part_timeout_s,
        )  # fmt: skip
        watch = GapWatch(ends.settings.gap_patience_s())
        self._gaps = dict.fromkeys(LETTERS, watch)
        self._tops = dict.fromkeys(LETTERS, (0, 0))  # (epoch, seq) of a manifest
        self.heads = dict.fromkeys(LETTERS, Head())
        self.held: dict[int, tuple[int, ...]] = dict.fromkeys(LETTERS, ())

    # from Uplink
    def resume(self, start: LinkStart) -> None:
        """Take up where the incoming channels stood."""
        for channel in LETTERS:
            self._moved(channel, start.ins[channel])
        self.held = dict(start.held)
        self._greeter.transport.epoch = self._outbox.epoch

    async def turn(self) -> int:
        """Take in what has arrived and is ready; returns how many files were dealt with."""
        try:
            dealt_with = await self._arrivals.turn()
        except OSError as error:
            if self._ends.store.dead:
                raise
            self._pulse.carrier_fault = str(error)
            return 0
        if self._arrivals.fault:
            self._pulse.carrier_fault = self._arrivals.fault
        await self._ask_for_gap()
        return dealt_with

    async def go_on(self) -> None:
        """Look again at all that waits, after a start or an operator's word."""
        self._arrivals.look_again()
        for channel in LETTERS:
            await self._follow_up(channel)

    async def beat(self) -> None:
        """Tell the platform that we live, heard or not: somebody must speak first."""
        await self._send_ack(CONTROL, ())

    # one arrival
    async def _take(self, name: str, opened: Opened) -> bool:
        """Apply an arrival; True when its content is stored and the file may go."""
        before = self._pulse.silent_ms() / 1000 > self._ends.settings.silent_after_s
        fresh = self._pulse.heard(opened.header)
        if fresh and before:
            for outbox in self._outboxes.values():
                outbox.hasten()
            await self._greeter.hello()
        if opened.ack is not None:
            # After a crash no older question may pass for newer than this answer: the pulse is
            # in the transaction of the answers, or in one before it.
            kept = Deferred.fromCoroutine(self._pulse.keep(changed=False)) if fresh else None
            try:
                await self._acked(opened.ack, opened.answers)
            finally:
                if kept is not None:
                    await kept
            return True
        if opened.nack is not None:
            self._ends.log.warning("link.nack", dest=self._ends.dest, reason=opened.nack.reason)
            for outbox in self._outboxes.values():
                outbox.nacked(opened.nack, fresh=fresh)
            return True
        if opened.greeting is not None:
            await self._greeted(opened.greeting)
            return True
        if CARGO_KINDS.get(opened.header.channel) is opened.header.kind:
            if self._pulse.stopped_in:
                self._arrivals.not_ready(name)  # it stays where it is until a person resumes
                return False
            return await self._control(name, opened)
        await self._ends.work(self._ends.carrier.aside, name, "unexpected")
        self._pulse.damaged()
        return False

    async def _acked(self, ack: Ack, answers: tuple[Answer, ...]) -> None:
        outbox = self._outboxes.get(ack.channel)
        if outbox is None:
            return
        wanted = self._ends.settings.verify_supervision and ack.channel == RECEIPTS
        if wanted and ack.epoch == outbox.epoch:
            answers = await examined(self._ends, self._signature_xml, answers)
        await outbox.acked(ack, answers)
        if ack.channel == CONTROL and self._ends.own.turn(self._ends.store, self._ends.dest):
            self._ends.log.warning("link.own_cert", serial=self._ends.own.now.serial)

    async def _greeted(self, greeting: Greeting) -> None:
        if isinstance(greeting, Hello):
            await self._greeter.sync(self.heads, self.held)
        elif isinstance(greeting, Sync):
            await self._greeter.synced(greeting)
        elif greeting.channel in LETTERS:
            top = (greeting.epoch, greeting.seq)
            self._tops[greeting.channel] = max(self._tops[greeting.channel], top)

    async def _control(self, name: str, opened: Opened) -> bool:
        header = opened.header
        batch = Control(
            header.epoch, header.seq, header.kind, opened.sm3, header.prev_batch_sm3,
            header.first_rec, header.n_rec, opened.plain, header.channel,
        )  # fmt: skip
        outcome = await self._ends.store.do(
            "link.control", control_txn, self._ends.dest, batch, self._on_grant
        )
        fate, channel = outcome.fate, header.channel
        self._moved(channel, outcome.head)
        if fate is Fate.APPLIED:
            await self._applied(channel, outcome)
            await self._follow_up(channel)
        elif fate is Fate.REPEATED:
            await self._send_ack(channel, outcome.results)
        elif fate is Fate.HELD:
            self._recount_held(channel)
        elif fate is Fate.LATER:
            self._arrivals.not_ready(name)
            return False
        elif fate is Fate.CHAIN:
            await self._chain_broken(channel, outcome)
            await self._ends.work(self._ends.carrier.aside, name, "chain")
            return False
        else:
            self._ends.log.error("link.set_aside", name=name, why=outcome.detail)
            await self._ends.work(self._ends.carrier.aside, name, fate.value)
            self._pulse.damaged()
            return False
        return True

    async def _follow_up(self, channel: int) -> None:
        """Apply held batches whose turn has come."""
        while True:
            outcome = await self._ends.store.do(
                "link.held", next_held_txn, self._ends.dest, self._on_grant, channel
            )
            if outcome is None:
                break
            if outcome.fate is not Fate.APPLIED:
                await self._chain_broken(channel, outcome)
                break
            await self._applied(channel, outcome)
        self._recount_held(channel)

    async def _applied(self, channel: int, outcome: Outcome) -> None:
        self._moved(channel, outcome.head)
        if outcome.quota is not None:
            self._ends.on_quota(outcome.quota)
        if channel == CONTROL:
            # A record may have brought a certificate, or ended one.
            self._ends.peers.know(self._ends.store.read(peer_certs_q, self._ends.dest))
        await self._send_ack(channel, outcome.results)

    async def _chain_broken(self, channel: int, outcome: Outcome) -> None:
        self._pulse.stopped_in = CHAIN
        self._ends.log.error("link.chain", dest=self._ends.dest, why=outcome.detail)
        await self._send_nack(Reason.CHAIN, (), channel=channel)

    async def _ask_for_gap(self) -> None:
        for channel in LETTERS:
            head, (epoch, top) = self.heads[channel], self._tops[channel]
            beyond = (top + 1,) if epoch == head.epoch and top > head.seq else ()
            holes = missing(head.seq, (*self.held[channel], *beyond))
            watch, ask = self._gaps[channel].look(holes, self._ends.clock.mono())
            self._gaps[channel] = watch
            if ask:
                await self._send_nack(Reason.MISSING, ask, channel=channel)

    # what cannot be read
    async def _set_aside(self, name: str, reason: Reason) -> None:
        self._pulse.damaged()
        self._ends.log.warning("link.set_aside", name=name, why=reason.value)
        await self._ends.work(self._ends.carrier.aside, name, reason.value)
        hint = parse_name(name)
        # Nobody keeps transport files, so there is nothing to ask for again.
        if hint is not None and hint.channel != TRANSPORT:
            ours = reason is not Reason.RECEIVER
            channel = hint.channel if hint.channel in LETTERS else CONTROL
            holes = ((hint.seq, hint.seq),) if ours else ()
            await self._send_nack(reason, holes, (name,), channel)

    # answering
    async def _send_ack(self, channel: int, results: tuple[Result, ...]) -> None:
        head = self.heads[channel]
        applied = ((1, head.seq),) if head.seq else ()
        ack = Ack(
            applied_upto=head.rec_seq, channel=channel, epoch=head.epoch,
            head=head.rec_hash.hex(), level="APPLIED", time_ms=self._ends.now_ms(),
            received=(*applied, *ranges(self.held[channel])), results=results,
        )  # fmt: skip
        await self._greeter.transport.send(Kind.ACK, ack.encode())

    async def _send_nack(self, reason: Reason, holes: tuple[tuple[int, int], ...],
                         names: tuple[str, ...] = (), channel: int = CONTROL) -> None:  # fmt: skip
        nack = Nack(
            channel=channel, epoch=self.heads[channel].epoch, reason=reason.value,
            time_ms=self._ends.now_ms(), missing=holes, names=names,
        )  # fmt: skip
        await self._greeter.transport.send(Kind.NACK, nack.encode())

    def _moved(self, channel: int, head: Head) -> None:
        self.heads[channel] = head
        if channel == CONTROL:
            self._greeter.transport.applied = head
            for outbox in self._outboxes.values():
                outbox.cum_ack = head

    def _recount_held(self, channel: int) -> None:
        self.held[channel] = self._ends.store.read(
            held_q, self._ends.dest, channel, self.heads[channel].epoch
        )
