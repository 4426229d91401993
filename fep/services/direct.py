"""The link without a relay: the daemon speaks the province's dialect through a mapped port.

Has all that a node asks of an uplink. Rules: what leaves is `sent` first; what was sent and
not answered is asked for by key, also after a restart; at most CALLS deliveries are taken
off the books at a time. The platform is asked its time when nothing else is said, so that
silence is real.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec
from twisted.internet.defer import Deferred, succeed

from fep.domain.life_delivery import RECEIPT_OPS
from fep.domain.link import LinkState, LinkStatus
from fep.domain.platform import CallState, Operation, Parcel, Reply, Verdict
from fep.services.link_rate import Rate
from fep.services.number_fetch import NumberFetch, Shelf
from fep.services.relay_courier import Courier, Errand
from fep.services.relay_platform import DialectPlatform
from fep.services.relay_streams import result_of
from fep.services.uplink_ends import Bell, Ends
from fep.services.uplink_pulse import Pulse
from fep.store.direct import doubt_txn, doubtful_q, take_txn
from fep.store.link import DueRow, backlog_q, start_q
from fep.store.link_out import Answer, answers_txn
from fep.store.tx import Tx
from fep.wire.fpb import Header, Kind

CALLS: Final = 200
JUDGE_S: Final = 1.0


class Wire:
    """What stands where a carrier stands: it carries no files, it only may be broken."""

    fault = ""


class Direct:
    """One platform, called by the daemon: `Direct(ends, platform, …)`, then `start()`."""

    def __init__(self, ends: Ends, platform: DialectPlatform, shelf: Shelf, *, in_flight: int,
                 settle_s: float, unit: str) -> None:  # fmt: skip
        self.platform = platform
        self._fetch = NumberFetch(platform, shelf)
        self._ends = ends
        self._unit = unit
        self._pulse = Pulse(ends)
        self._pulse.resume(ends.store.read(start_q, ends.dest))
        self._courier = Courier(
            ends.reactor, ends.clock.mono, self._fetch, self, ends.log,
            in_flight_max=in_flight, settle_s=settle_s, on_done=self._done,
        )  # fmt: skip
        self._bell = Bell(ends.reactor)
        self._answers = 0
        self._rate = Rate(ends.clock)
        self._moved_s = ends.clock.mono()  # when a delivery was last answered, or none was open
        self._paused = self._running = False
        self._loop: Deferred[None] | None = None

    # from Node
    def start(self) -> None:
        """Set the loop going; what had left is in doubt."""
        assert self._loop is None, "a link starts once"
        self._running = True
        for row in self._ends.store.read(doubtful_q, self._ends.dest):
            self._add(row, CallState.DOUBT)
        self._courier.start()
        self._loop = Deferred.fromCoroutine(self._run())

    def reload(self) -> None:
        """A lifted fence changes nothing here: there are no epochs and no batches."""

    async def stop(self) -> None:
        """Let no more leave, hear the answers of those under way, write the pulse down."""
        if not self._running:
            return
        self._running = False
        self._fetch.end()
        self._bell.ring()
        await self._courier.stop()
        if self._loop is not None:
            await self._loop
        self.platform.close()
        if not self._ends.store.dead:
            await self._pulse.keep(changed=False)

    # from Issue
    def wake(self) -> None:
        """Something is due."""
        self._bell.ring()

    def offline_ms(self) -> int:
        """Return milliseconds since the platform last answered (or the first start)."""
        return self._pulse.silent_ms()

    def absent(self, gap_ms: int) -> None:
        """Count at least this much of silence for the time before this start."""
        self._pulse.absent(gap_ms)

    def offset_ms(self) -> int | None:
        """Return platform time minus ours, None before it told it."""
        return self.platform.offset_ms

    # from Desk
    async def pause(self, reason: str, by: str) -> LinkStatus:
        """Let nothing new leave until `resume`."""
        self._paused = True
        await self._note("link.paused", reason, by)
        return self.status()

    async def resume(self, reason: str, by: str) -> LinkStatus:
        """Go on."""
        self._paused = False
        await self._note("link.resumed", reason, by)
        self._bell.ring()
        return self.status()

    async def bring(self, _content: bytes) -> str:
        """Take nothing: files are for the link with batches. Raises OSError."""
        raise OSError("this link has no files")

    @property
    def offline(self) -> bool:
        """Say whether the platform cannot be reached now; asked for every receipt, so it reads
        nothing."""
        return self._pulse.standing.state is LinkState.OFFLINE

    def status(self) -> LinkStatus:
        """Return what an operator sees."""
        backlog = self._ends.store.read(backlog_q, self._ends.dest)
        standing, pulse = self._pulse.standing, self._pulse
        age_ms = self._ends.now_ms() - backlog.oldest_at if backlog.oldest_at else 0
        return LinkStatus(
            dest=self._ends.dest, state=standing.state, reason=standing.reason,
            since_at=standing.since_at, backlog=backlog.due + backlog.sent, due=backlog.due,
            oldest_age_s=max(0, age_ms) / 1000, batches_in_flight=self._courier.in_flight,
            bytes_in_flight=0, last_heard_at=pulse.last_heard_at, applied_per_s=self._rate.per_s(),
            platform_offset_ms=self.platform.offset_ms or 0, offline_s=pulse.silent_ms() / 1000,
            rejected=backlog.rejected, conflicts=backlog.conflicts, quarantined=0,
            paused=self._paused, supervision_bad=0, supervision_bad_last="",
        )  # fmt: skip

    # the loop
    async def _run(self) -> None:
        probe_s = 0.0
        while self._running:
            try:
                await self._take()
                if self._ends.clock.mono() >= probe_s:
                    probe_s = self._ends.clock.mono() + self._ends.settings.heartbeat_s
                    await self.platform.ask(Operation.TIME, {"unit": self._unit})
                await self._judge()
            except Exception as error:  # a failed turn must not end the link
                self._ends.log.error("link.turn_failed", dest=self._ends.dest, why=repr(error))
                if self._ends.store.dead:
                    return
            if self._running:
                await self._bell.wait(JUDGE_S)

    async def _take(self) -> None:
        while self._running and not self._paused and self._courier.open < CALLS:
            room = min(50, CALLS - self._courier.open)
            rows = await self._ends.store.do("direct.take", take_txn, self._ends.dest, room)
            for row in rows:
                self._add(row, CallState.CALLING)
            self._courier.pump()
            if len(rows) < room:
                return

    def _add(self, row: DueRow, state: CallState) -> None:
        lane = f"{row.blue_code}-{row.blue_number}" if row.blue_code else f"{row.code}-{row.number}"
        self._courier.add(Errand(row.rec_seq, lane, partial(parcel_of, row), state, note=row))

    async def _judge(self) -> None:
        if self.platform.answers != self._answers:
            self._answers = self.platform.answers
            # Any answer is a sign of life; the stamp is only a place for it.
            self._pulse.heard(Header(Kind.ACK, "", "", 1, 1, 0, self._ends.now_ms()))
        now_s = self._ends.clock.mono()
        if not self._courier.open:
            self._moved_s = now_s
        oldest = now_s - self._moved_s if self._courier.open else None
        self._ends.carrier.fault = self._courier.fault
        if self._pulse.judge(paused=self._paused, oldest_sent_s=oldest):
            await self._pulse.keep(changed=True)

    # from Courier, as its ledger
    def leaving(self, ids: Sequence[int]) -> Deferred[None]:
        """What is taken off the books is marked already."""
        assert ids, "asked for nothing"
        return succeed(None)

    def answered(self, errand: Errand, state: CallState, reply: Reply) -> Deferred[Any]:
        """Keep an answer, or the doubt."""
        dest, detail = self._ends.dest, f"{reply.why} {reply.detail}".strip()
        if state is CallState.DOUBT:
            return self._ends.store.do("direct.doubt", doubt_txn, dest, errand.id, detail)
        if state is not CallState.DONE:
            return succeed(None)  # it comes again, and stays `sent` till then
        answer = Answer(errand.id, result_of(reply), detail)
        return self._ends.store.group("direct.answers", partial(_answers_txn, dest), answer)

    def _done(self, errand: Errand, reply: Reply) -> None:
        row: DueRow = errand.note
        self._rate.count(1)
        self._moved_s = self._ends.clock.mono()
        if row.op in RECEIPT_OPS and not row.repeat:
            self._ends.on_answered(1, max(row.amount_fen, 0))
        self._bell.ring()

    async def _note(self, op: str, reason: str, by: str) -> None:
        await self._judge()
        body: dict[str, object] = {"by": by, "reason": reason}
        await self._ends.store.do("link.note", _note_txn, op, self._ends.dest, body)


def parcel_of(row: DueRow) -> Parcel | Reply:
    """Return what a delivery says; a reply where it cannot be said."""
    op = Operation(row.op)
    if row.op in RECEIPT_OPS:
        try:
            original = zlib.decompress(row.body)
        except zlib.error as error:
            return Reply(Verdict.REJECT, "form", str(error))
        return Parcel(
            op, str(row.upload_id), row.unit, row.code, row.number, kind=row.kind,
            event_key=row.event_key, check_code=row.check_code, amount_fen=row.amount_fen,
            issued_at=row.issued_at, original=original, signature=row.der,
            cert_serial=row.cert_serial, signed_at=row.signed_at, related_code=row.blue_code,
            related_number=row.blue_number, reason=row.reason,
        )  # fmt: skip
    act: dict[str, Any] = msgspec.json.decode(row.act)
    told = {name: str(act.get(name) or "") for name in ("sheet_code", "sheet_number", "last")}
    return Parcel(op, str(row.upload_id), row.unit, row.code, row.number,
                  sheet_code=told["sheet_code"], sheet_number=told["sheet_number"],
                  last=told["last"], reason=str(act.get("reason") or ""),
                  count=int(act.get("count") or 0))  # fmt: skip


def _answers_txn(dest: str, tx: Tx, answers: list[Answer]) -> list[None]:
    answers_txn(tx, dest, tuple(answers))
    return [None] * len(answers)


def _note_txn(tx: Tx, op: str, ref: str, body: dict[str, object]) -> None:
    tx.journal(op, ref, body)
