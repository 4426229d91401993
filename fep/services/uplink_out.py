"""The sending side of one channel: what is due becomes batches, batches become answers.

Order: read, build off the reactor, store batch + uploads + head in one transaction, only
then write the file. A batch is written again, byte for byte, until the platform answered
every record of it; the file's disappearance is never an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from fep.domain.link_window import Flight, RoundTrip, timeout_s
from fep.services.link_rate import Rate
from fep.services.uplink_build import Plan, RowBroken
from fep.services.uplink_cargo import Cargo
from fep.services.uplink_ends import Ends
from fep.services.uplink_pulse import Pulse
from fep.store.link import ZERO, Head, LinkStart
from fep.store.link_out import (
    ANSWERS_MAX,
    FREED_MAX,
    Answer,
    Answered,
    Made,
    bytes_q,
    written_txn,
)
from fep.wire.fpb import Unreadable
from fep.wire.fpb_ack import Ack, Nack
from fep.wire.fpb_name import parse_name
from fep.wire.fpb_record import JournalHead

PAGE_ROWS: Final = 50  # one read, well under the 5 ms a read may take
WRITE_AGAIN_S: Final = 10.0  # after a carrier fault
REPEATS_S: Final = (600.0, 21_000.0)  # one way: again at 10 minutes and at 6 hours
NEVER_S: Final = 1e9
REFUSALS: Final = ("key-unknown", "version", "receiver", "too-big")


class Outbox:
    """Batches of one channel under way to one platform, and what is due."""

    def __init__(self, ends: Ends, pulse: Pulse, cargo: Cargo) -> None:
        self._ends = ends
        self._pulse = pulse
        self._cargo = cargo
        self.channel = cargo.channel
        self._window = ends.settings.window()
        self._timing = ends.settings.timing()
        self._trip = RoundTrip()
        self._rate = Rate(ends.clock)
        self.head = Head()
        self.flights: dict[int, Flight] = {}
        self.cum_ack = Head()  # where the other direction stands, for our headers

    @property
    def epoch(self) -> int:
        """Return the epoch our records are numbered in."""
        return self.head.epoch

    # from Uplink
    def resume(self, start: LinkStart) -> None:
        """Take up unanswered batches: unwritten ones go out now, the others in time."""
        now = self._ends.clock.mono()
        self.head = start.outs[self.channel]
        for batch in start.batches:
            if batch.channel != self.channel:
                continue
            tries = batch.tries if self._ends.settings.one_way else 1
            due = now if batch.state == "made" else now + self._timeout(max(1, tries))
            tail = self.head.rec_hash if batch.seq == self.head.seq else b""
            self.flights[batch.seq] = Flight(
                batch.id, batch.seq, batch.first_rec, batch.n_rec, batch.size, tail,
                tries=batch.tries, first_s=now, due_s=due, written_s=now,
            )  # fmt: skip

    def oldest_sent_s(self) -> float | None:
        """Return how long the oldest unanswered batch has been under way."""
        firsts = [flight.first_s for flight in self.flights.values()]
        return self._ends.clock.mono() - min(firsts) if firsts else None

    def next_due_s(self) -> float:
        """Return seconds until a batch is to be written again; a day when none is."""
        dues = [flight.due_s for flight in self.flights.values()]
        return min(dues) - self._ends.clock.mono() if dues else 86_400.0

    def in_flight(self) -> tuple[int, int]:
        """Return (batches, bytes) that wait for an answer."""
        return len(self.flights), sum(flight.size for flight in self.flights.values())

    def applied_per_s(self) -> float:
        """Return the mean rate of final answers over the last minute at most."""
        return self._rate.per_s()

    async def send_due(self, go_on: Callable[[], bool]) -> bool:
        """Make and write batches while there is work and room; True when some is left.

        The first batch may be small; what does not fill another one waits to linger.
        """
        first = True
        while self._window.open(*self.in_flight()) and go_on():
            rows, full = await self._gather()
            if not rows or not (full or first):
                return bool(rows)
            first = False
            made = await self._made(rows)
            if made is None:
                continue
            batch_id = await self._ends.store.do(
                "link.send", self._cargo.send, self._ends.dest, made
            )
            now = self._ends.clock.mono()
            self.head = made.head
            flight = Flight(
                batch_id, made.head.seq, made.first_rec, len(made.uploads), len(made.content),
                made.head.rec_hash, first_s=now, due_s=now,
            )  # fmt: skip
            self.flights[flight.seq] = flight
            await self._write(flight, made.content)
        return False

    async def resend_due(self) -> None:
        """Write again what is overdue, oldest first."""
        now = self._ends.clock.mono()
        for seq in sorted(seq for seq, flight in self.flights.items() if flight.due_s <= now):
            await self._again(seq)

    def hasten(self) -> None:
        """The platform is back after a silence: forget the long waits of its absence."""
        now = self._ends.clock.mono()
        for flight in list(self.flights.values()):
            due = min(flight.due_s, max(now, flight.written_s + self._timeout(1)))
            self.flights[flight.seq] = replace(flight, due_s=due)

    # from Inbox
    async def acked(self, ack: Ack, answers: tuple[Answer, ...]) -> None:
        """Store answers and free what is answered; a wrong head stops the channel."""
        if ack.channel != self.channel or ack.epoch != self.head.epoch:
            return
        if not self._head_fits(ack):
            self._pulse.stopped_out = "head"
            self._ends.log.error("link.head_differs", dest=self._ends.dest, at=ack.applied_upto)
            return
        self._pulse.refused = ""
        total = Answered()
        if ack.level == "APPLIED":
            for start in range(0, len(answers), ANSWERS_MAX):
                part = answers[start : start + ANSWERS_MAX]
                total = total.plus(await self._ends.store.do(
                    "link.answers", self._cargo.answer, self._ends.dest, part
                ))  # fmt: skip
            self._count(total)
            freed = await self._free(ack.applied_upto)
            if total.count or freed:
                self._progress()
        self._arrived(ack)

    def nacked(self, nack: Nack, *, fresh: bool) -> None:
        """Make what the platform asks for due at once, or stop when it cannot be sent."""
        if nack.channel != self.channel or nack.epoch != self.head.epoch:
            return
        if nack.reason == "chain":
            self._pulse.stopped_out = "peer-chain"
            return
        if nack.reason in REFUSALS:
            self._pulse.refused = nack.reason
        lost = [low for low, _ in nack.missing
                if 0 < low <= self.head.seq and low not in self.flights]  # fmt: skip
        if fresh and lost:
            self._pulse.stopped_out = "peer-lost"
            self._ends.log.error("link.peer_lost", dest=self._ends.dest, seq=lost[0])
        now = self._ends.clock.mono()
        for seq in list(self._wanted(nack)):
            flight = self.flights[seq]
            # A repeated NACK must not multiply our files.
            if now - flight.written_s >= self._ends.settings.poll_s:
                self.flights[seq] = replace(flight, due_s=now)

    # making
    async def _gather(self) -> tuple[list[Any], bool]:
        """Read due receipts for one batch in small reads; True when they fill it."""
        settings = self._ends.settings
        rows: list[Any] = []
        size = 0
        while len(rows) < settings.records_max:
            after = rows[-1].upload_id if rows else 0
            limit = min(PAGE_ROWS, settings.records_max - len(rows))
            page = self._ends.store.read(self._cargo.due, self._ends.dest, after, limit)
            for row in page:
                size += self._cargo.size(row)
                if rows and size > settings.target_bytes:
                    return rows, True
                rows.append(row)
            if len(page) < limit:
                return rows, False
            await self._ends.pause(0.0)  # others' turn
        return rows, True

    async def _made(self, rows: list[Any]) -> Made | None:
        """Build a batch off the reactor; None when a broken receipt was put out of the way."""
        while True:
            heads = self._ends.store.heads
            plan = Plan(
                tuple(rows), self.head, JournalHead(heads.journal_seq, heads.journal_hash.hex()),
                self._ends.now_ms(), self.cum_ack.rec_seq, self.cum_ack.rec_hash,
            )  # fmt: skip
            try:
                return await self._ends.work(self._cargo.build, self._ends, plan)
            except RowBroken as broken:
                self._ends.log.error("link.unsendable", channel=self.channel, why=broken.why)
                counted = await self._ends.store.do(
                    "link.unsendable", self._cargo.unsendable, broken.row, broken.why[:1000]
                )
                if counted >= 0:
                    self._ends.on_answered(1, counted)
                return None
            except Unreadable:
                assert len(rows) > 1, "a single receipt too big is RowBroken"
                rows = rows[: len(rows) // 2]

    async def _again(self, seq: int) -> None:
        flight = self.flights.get(seq)
        if flight is None:
            return
        content = self._ends.store.read(bytes_q, flight.id)
        if content is None:
            # Its answer was committed a moment ago and is being worked through.
            self.flights.pop(seq, None)
            return
        await self._write(flight, content)

    async def _write(self, flight: Flight, content: bytes) -> None:
        """Write one file and note it; on a carrier fault try again soon."""
        tries = flight.tries + 1
        name = self._ends.name(self.head.epoch, self.channel, flight.seq, tries)
        try:
            await self._ends.work(self._ends.carrier.put, name.text(), content)
        except OSError as error:
            self._pulse.carrier_fault = str(error)
            due = self._ends.clock.mono() + WRITE_AGAIN_S
            if flight.seq in self.flights:
                self.flights[flight.seq] = replace(flight, due_s=due)
            return
        self._pulse.carrier_fault = ""
        now = self._ends.clock.mono()
        wait = self._timeout(tries)
        if flight.seq in self.flights:
            self.flights[flight.seq] = replace(flight, tries=tries, written_s=now, due_s=now + wait)
        await self._ends.store.do(
            "link.written", written_txn, flight.id, tries,
            self._ends.now_ms() + int(wait * 1000),
        )  # fmt: skip
        if flight.seq not in self.flights:
            # Answered while it was being written once more.
            await self._ends.work(self._ends.carrier.recall, {name.stem()})

    # answers
    def _head_fits(self, ack: Ack) -> bool:
        if ack.applied_upto > self.head.rec_seq:
            return False
        known = {flight.last_rec: flight.tail_hash for flight in self.flights.values()}
        known[self.head.rec_seq] = self.head.rec_hash
        known[0] = ZERO
        expected = known.get(ack.applied_upto, b"")
        return not expected or expected.hex() == ack.head

    async def _free(self, applied_upto: int) -> bool:
        """Drop what is answered; True when that was anything."""
        stems: set[str] = set()
        now = self._ends.clock.mono()
        while True:
            seqs = await self._ends.store.do(
                "link.free", self._cargo.free, self._ends.dest, self.head.epoch, applied_upto
            )
            for seq in seqs:
                flight = self.flights.pop(seq, None)
                if flight is not None and flight.tries == 1:
                    self._trip = self._trip.measured(now - flight.written_s)
                stems.add(self._ends.name(self.head.epoch, self.channel, seq, 1).stem())
            if len(seqs) < FREED_MAX:
                break
        if stems:
            await self._ends.work(self._ends.carrier.recall, stems)
        return bool(stems)

    def _progress(self) -> None:
        """The platform works through a queue: what stands behind in it is not lost."""
        now = self._ends.clock.mono()
        for seq, flight in list(self.flights.items()):
            due = max(flight.due_s, now + self._timeout(max(1, flight.tries)))
            self.flights[seq] = replace(flight, due_s=due)

    def _arrived(self, ack: Ack) -> None:
        """Give batches that reached the platform the time to be applied.

        One that is applied and still here has lost its results: it keeps its time-out, or
        every heartbeat would put its repeat off for ever.
        """
        now = self._ends.clock.mono()
        for seq, flight in list(self.flights.items()):
            if flight.last_rec <= ack.applied_upto:
                continue
            if any(low <= seq <= high for low, high in ack.received):
                due = max(flight.due_s, now + self._timeout(max(1, flight.tries)))
                self.flights[seq] = replace(flight, due_s=due)

    def _wanted(self, nack: Nack) -> Iterable[int]:
        names = [parse_name(name) for name in nack.names]
        asked = {name.seq for name in names if name is not None and name.channel == self.channel}
        for seq in self.flights:
            if seq in asked or any(low <= seq <= high for low, high in nack.missing):
                yield seq

    def _count(self, answered: Answered) -> None:
        if answered.doubted:
            self._pulse.doubt(answered.doubted, answered.doubted_ref)
        if answered.count:
            self._ends.on_answered(answered.receipts, answered.amount_fen)
            self._rate.count(answered.count)

    def synced(self, received: Sequence[tuple[int, int]]) -> None:
        """The platform told what it holds: what it lacks is due now, but not twice in a poll."""
        now = self._ends.clock.mono()
        for seq, flight in list(self.flights.items()):
            held = any(low <= seq <= high for low, high in received)
            if not held and now - flight.written_s >= self._ends.settings.poll_s:
                self.flights[seq] = replace(flight, due_s=now)

    def _timeout(self, tries: int) -> float:
        if self._ends.settings.one_way:
            return REPEATS_S[tries - 1] if tries <= len(REPEATS_S) else NEVER_S
        return timeout_s(self._trip, self._timing, tries, self._ends.draw())
