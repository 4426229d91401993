"""The receiving side of an uplink: arrivals are read, proven, applied, answered, unlinked.

Order: open off the reactor, one transaction for content and effect, and only then the file
goes. A half-visible file is looked at again after 1, 2, 4 … 60 s; what stays unreadable is
set aside and the platform is told.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import Final

from fep.crypto import sm3
from fep.domain.link_gap import GapWatch, missing, ranges
from fep.services.ferry import TooBig
from fep.services.uplink_build import SignatureXml
from fep.services.uplink_ends import Ends
from fep.services.uplink_finance import examined
from fep.services.uplink_out import Outbox
from fep.services.uplink_pulse import CHAIN, Pulse
from fep.store.link import CONTROL, TRANSPORT, Head, LinkStart
from fep.store.link_in import (
    Control,
    Fate,
    OnGrant,
    Outcome,
    control_txn,
    held_q,
    next_held_txn,
)
from fep.store.link_out import Answer
from fep.wire.fpb import Header, Kind, Reason, Unreadable, unpack
from fep.wire.fpb_ack import Ack, Nack, Result, read_ack, read_nack
from fep.wire.fpb_name import parse_name

ARRIVALS_MAX: Final = 64  # a turn
LOOKS_MAX: Final = 10_000  # names remembered as not ready
FIRST_LOOK_S: Final = 1.0
LATEST_LOOK_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Opened:
    """An arrival that is genuine and for us."""

    header: Header
    plain: bytes
    sm3: bytes
    ack: Ack | None = None
    answers: tuple[Answer, ...] = ()
    nack: Nack | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A file that was not ready."""

    first_s: float
    next_s: float
    wait_s: float


def open_arrival(ends: Ends, name: str) -> Opened | None:
    """Read and prove one arrival; None when it is gone. For a worker thread.

    Raises Unreadable, OSError.
    """
    try:
        content = ends.carrier.read(name)
    except TooBig as error:
        raise Unreadable(Reason.TOO_BIG, "larger than any batch") from error
    if content is None:
        return None
    header, plain = unpack(content, ends.seat(), ends.key_of)
    opened = Opened(header, plain, sm3.digest(content))
    if header.channel == TRANSPORT and header.kind is Kind.ACK:
        ack = read_ack(plain)
        return replace(opened, ack=ack, answers=tuple(map(answer, ack.results)))
    if header.channel == TRANSPORT and header.kind is Kind.NACK:
        return replace(opened, nack=read_nack(plain))
    return opened


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
        self, ends: Ends, pulse: Pulse, outbox: Outbox, on_grant: OnGrant,
        signature_xml: SignatureXml,
    ) -> None:  # fmt: skip
        self._ends = ends
        self._signature_xml = signature_xml
        self._pulse = pulse
        self._outbox = outbox
        self._on_grant = on_grant
        self._looks: dict[str, Look] = {}
        self._gap = GapWatch(ends.settings.gap_patience_s())
        self.head = Head()
        self.held: tuple[int, ...] = ()

    # from Uplink
    def resume(self, start: LinkStart) -> None:
        """Take up where the control channel stood."""
        self._moved(start.control_in)
        self.held = start.held

    async def turn(self) -> int:
        """Take in what has arrived and is ready; returns how many files were dealt with."""
        try:
            names = await self._ends.work(self._ends.carrier.names)
        except OSError as error:
            self._pulse.carrier_fault = str(error)
            return 0
        present = set(names)
        self._looks = {name: look for name, look in self._looks.items() if name in present}
        now = self._ends.clock.mono()
        ready = [
            name for name in names if name not in self._looks or self._looks[name].next_s <= now
        ]
        for name in ready[:ARRIVALS_MAX]:
            await self._arrival(name)
        await self._ask_for_gap()
        return min(len(ready), ARRIVALS_MAX)

    async def go_on(self) -> None:
        """Look again at all that waits, after a start or an operator's word."""
        self._looks.clear()
        await self._follow_up()

    async def beat(self) -> None:
        """Tell the platform that we live, heard or not: somebody must speak first."""
        await self._send_ack(())

    # one arrival
    async def _arrival(self, name: str) -> None:
        try:
            opened = await self._ends.work(open_arrival, self._ends, name)
        except OSError as error:
            self._pulse.carrier_fault = str(error)
            self._not_ready(name)
            return
        except Unreadable as error:
            if not error.partial or self._not_ready(name):
                await self._set_aside(name, error.reason)
            return
        if opened is None or await self._take(name, opened):
            self._looks.pop(name, None)
            if opened is not None:
                await self._ends.work(self._ends.carrier.taken, name)

    async def _take(self, name: str, opened: Opened) -> bool:
        """Apply an arrival; True when its content is stored and the file may go."""
        before = self._pulse.silent_ms() / 1000 > self._ends.settings.silent_after_s
        fresh = self._pulse.heard(opened.header)
        if fresh and before:
            self._outbox.hasten()
        if opened.ack is not None:
            answers = opened.answers
            if self._ends.settings.verify_supervision and opened.ack.epoch == self._outbox.epoch:
                answers = await examined(self._ends, self._signature_xml, answers)
            await self._outbox.acked(opened.ack, answers)
            return True
        if opened.nack is not None:
            self._ends.log.warning("link.nack", dest=self._ends.dest, reason=opened.nack.reason)
            self._outbox.nacked(opened.nack, fresh=fresh)
            return True
        if opened.header.channel == CONTROL and opened.header.kind is Kind.CTRL:
            if self._pulse.stopped_in:
                self._not_ready(name)  # it stays where it is until a person resumes
                return False
            return await self._control(name, opened)
        await self._ends.work(self._ends.carrier.aside, name, "unexpected")
        self._pulse.damaged()
        return False

    async def _control(self, name: str, opened: Opened) -> bool:
        header = opened.header
        batch = Control(
            header.epoch, header.seq, header.kind, opened.sm3, header.prev_batch_sm3,
            header.first_rec, header.n_rec, opened.plain,
        )  # fmt: skip
        outcome = await self._ends.store.do(
            "link.control", control_txn, self._ends.dest, batch, self._on_grant
        )
        fate = outcome.fate
        self._moved(outcome.head)
        if fate is Fate.APPLIED:
            await self._applied(outcome)
            await self._follow_up()
        elif fate is Fate.REPEATED:
            await self._send_ack(outcome.results)
        elif fate is Fate.HELD:
            self._recount_held()
        elif fate is Fate.LATER:
            self._not_ready(name)
            return False
        elif fate is Fate.CHAIN:
            await self._chain_broken(outcome)
            await self._ends.work(self._ends.carrier.aside, name, "chain")
            return False
        else:
            self._ends.log.error("link.set_aside", name=name, why=outcome.detail)
            await self._ends.work(self._ends.carrier.aside, name, fate.value)
            self._pulse.damaged()
            return False
        return True

    async def _follow_up(self) -> None:
        """Apply held batches whose turn has come."""
        while True:
            outcome = await self._ends.store.do(
                "link.held", next_held_txn, self._ends.dest, self._on_grant
            )
            if outcome is None:
                break
            if outcome.fate is not Fate.APPLIED:
                await self._chain_broken(outcome)
                break
            await self._applied(outcome)
        self._recount_held()

    async def _applied(self, outcome: Outcome) -> None:
        self._moved(outcome.head)
        if outcome.quota is not None:
            self._ends.on_quota(outcome.quota)
        await self._send_ack(outcome.results)

    async def _chain_broken(self, outcome: Outcome) -> None:
        self._pulse.stopped_in = CHAIN
        self._ends.log.error("link.chain", dest=self._ends.dest, why=outcome.detail)
        await self._send_nack(Reason.CHAIN, ())

    async def _ask_for_gap(self) -> None:
        holes = missing(self.head.seq, self.held)
        self._gap, ask = self._gap.look(holes, self._ends.clock.mono())
        if ask:
            await self._send_nack(Reason.MISSING, ask)

    # what cannot be read
    def _not_ready(self, name: str) -> bool:
        """Note that a file is not ready; True when it had all the time it gets."""
        now = self._ends.clock.mono()
        look = self._looks.get(name)
        if look is None:
            if len(self._looks) < LOOKS_MAX:
                self._looks[name] = Look(now, now + FIRST_LOOK_S, FIRST_LOOK_S)
            return False
        wait = min(LATEST_LOOK_S, look.wait_s * 2)
        self._looks[name] = Look(look.first_s, now + wait, wait)
        return now - look.first_s >= self._ends.settings.part_timeout_s

    async def _set_aside(self, name: str, reason: Reason) -> None:
        self._looks.pop(name, None)
        self._pulse.damaged()
        self._ends.log.warning("link.set_aside", name=name, why=reason.value)
        await self._ends.work(self._ends.carrier.aside, name, reason.value)
        hint = parse_name(name)
        # Nobody keeps transport files, so there is nothing to ask for again.
        if hint is not None and hint.channel != TRANSPORT:
            ours = reason is not Reason.RECEIVER
            await self._send_nack(reason, ((hint.seq, hint.seq),) if ours else (), (name,))

    # answering
    async def _send_ack(self, results: tuple[Result, ...]) -> None:
        head = self.head
        applied = ((1, head.seq),) if head.seq else ()
        ack = Ack(
            applied_upto=head.rec_seq, channel=CONTROL, epoch=head.epoch,
            head=head.rec_hash.hex(), level="APPLIED", time_ms=self._ends.now_ms(),
            received=(*applied, *ranges(self.held)), results=results,
        )  # fmt: skip
        await self._send(Kind.ACK, ack.encode())

    async def _send_nack(self, reason: Reason, holes: tuple[tuple[int, int], ...],
                         names: tuple[str, ...] = ()) -> None:  # fmt: skip
        nack = Nack(
            channel=CONTROL, epoch=self.head.epoch, reason=reason.value,
            time_ms=self._ends.now_ms(), missing=holes, names=names,
        )  # fmt: skip
        await self._send(Kind.NACK, nack.encode())

    async def _send(self, kind: Kind, plain: bytes) -> None:
        """Write a transport file; a lost one is repeated on demand, so faults pass."""
        seq = await self._pulse.next_transport()
        epoch = self._outbox.head.epoch
        header = replace(
            self._ends.header(kind, epoch, TRANSPORT, seq, self._ends.now_ms()),
            cum_ack=self.head.rec_seq, ack_head_sm3=self.head.rec_hash,
        )  # fmt: skip

        def write() -> None:
            content = self._ends.pack(header, plain)
            self._ends.carrier.put(self._ends.name(epoch, TRANSPORT, seq, 1).text(), content)

        try:
            await self._ends.work(write)
        except OSError as error:
            self._pulse.carrier_fault = str(error)

    def _moved(self, head: Head) -> None:
        self.head = head
        self._outbox.cum_ack = head

    def _recount_held(self) -> None:
        self.held = self._ends.store.read(held_q, self._ends.dest, self.head.epoch)
