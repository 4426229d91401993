"""From held batches to calls and back to answers: one owner for all records of one node.

Rules: batches are opened in order and only while there is room; the answers of a record are
owed to the node until they are sent, and can be told again from the store at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush

from twisted.internet.defer import Deferred

from fep.domain.platform import CallState, Parcel, Reply, Verdict
from fep.services.relay_courier import Courier, Errand
from fep.services.relay_ends import CONTROL, NodeEnds, channel_of
from fep.services.relay_reading import OPS, Shapeless, lane_of, parcel_of, read_again, read_batch
from fep.store.relay import (
    Arrived,
    OpenCall,
    Settled,
    Stream,
    Told,
    answers_txn,
    batch_q,
    closed_txn,
    hash_q,
    held_q,
    leaving_txn,
    open_txn,
    stop_txn,
    stream_q,
)
from fep.store.relay_certs import CERT_OPS, cert_txn, peer_certs_q
from fep.store.writer import Store
from fep.wire.fpb import Unreadable
from fep.wire.fpb_record import Record

RESULTS = {
    Verdict.OK: "OK", Verdict.DUP: "DUP", Verdict.CONFLICT: "CONFLICT",
    Verdict.UNSUPPORTED: "OK",  # kept local: the word is in `why`
}  # fmt: skip


class StoreLedger:
    """The courier's ledger in the relay's store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def leaving(self, ids: Sequence[int]) -> Deferred[None]:
        """Mark calls as leaving."""
        return self._store.do("relay.leaving", leaving_txn, list(ids))

    def answered(self, errand: Errand, state: CallState, reply: Reply) -> Deferred[None]:
        """Keep an answer, together with all others of the moment."""
        result = result_of(reply) if state is CallState.DONE else ""
        settled = Settled(errand.id, state.value, result, reply.why[:40], reply.detail[:1000])
        return self._store.group("relay.answers", answers_txn, settled)


def result_of(reply: Reply) -> str:
    """Return the word of an ACK for a final reply."""
    return RESULTS.get(reply.verdict, "REJECT")


@dataclass(slots=True)
class Tally:
    """One epoch's records that are open, and the answers owed."""

    top: int = 0  # opened up to here
    closed: int = 0
    undone: list[int] = field(default_factory=list)  # a heap
    done: set[int] = field(default_factory=set)
    owed: list[Told] = field(default_factory=list)

    @property
    def upto(self) -> int:
        """Return up to which record everything is answered."""
        return self.undone[0] - 1 if self.undone else self.top

    def opened(self, rec_seq: int) -> None:
        """A record has been opened."""
        heappush(self.undone, rec_seq)
        self.top = max(self.top, rec_seq)

    def settled(self, rec_seq: int) -> None:
        """It is answered: move what is applied without a gap."""
        self.done.add(rec_seq)
        while self.undone and self.undone[0] in self.done:
            self.done.discard(heappop(self.undone))


class Streams:
    """The records of one node."""

    def __init__(
        self,
        ends: NodeEnds,
        couriers: Mapping[str, Courier],
        *,
        on_answers: Callable[[], None],
        on_chain: Callable[[int], Deferred[None]],
    ) -> None:
        self._ends = ends
        self._store = ends.us.store
        self._couriers = couriers
        self._on_answers = on_answers
        self._on_chain = on_chain
        self.tallies: dict[int, Tally] = {}

    # from the peer, at a start
    async def resume(self, calls: Sequence[OpenCall]) -> None:
        """Take up the calls without a final answer."""
        open_calls = {(call.epoch, call.rec_seq): call for call in calls}
        for epoch, seq in sorted({(call.epoch, call.batch_seq) for call in calls}):
            batch = self._store.read(batch_q, self._ends.node, epoch, seq)
            assert batch is not None, f"batch {seq} is open without its content"
            prev = self._store.read(hash_q, self._ends.node, epoch, batch.first_rec - 1)
            for record in await self._ends.us.work(read_again, batch, prev):
                call = open_calls.get((epoch, record.rec_seq))
                if call is not None:
                    self.tally(epoch).opened(record.rec_seq)
                    await self._take(epoch, record, call.id, CallState(call.state), call.tries)

    def tally(self, epoch: int) -> Tally:
        """Return what is known of an epoch's records."""
        found = self.tallies.get(epoch)
        if found is None:
            stream = self._store.read(stream_q, self._ends.node, epoch)
            found = self.tallies[epoch] = Tally(stream.rec_seq)
        return found

    def head(self, epoch: int) -> bytes:
        """Return the hash of the record everything is answered up to."""
        return self._store.read(hash_q, self._ends.node, epoch, self.tally(epoch).upto)

    # from the peer's turn
    async def open_ready(self, epoch: int) -> None:
        """Open the batches whose turn it is, while there is room."""
        tally = self.tally(epoch)
        while len(tally.undone) < self._ends.us.settings.open_calls_max:
            stream = self._store.read(stream_q, self._ends.node, epoch)
            held = self._store.read(held_q, self._ends.node, epoch)
            if stream.stopped or not held or held[0] != stream.batch_seq + 1:
                return
            batch = self._store.read(batch_q, self._ends.node, epoch, held[0])
            assert batch is not None, held[0]
            if not await self._open(epoch, batch, stream):
                return

    async def _open(self, epoch: int, batch: Arrived, stream: Stream) -> bool:
        try:
            records, calls = await self._ends.us.work(read_batch, batch, stream)
        except Unreadable as error:
            await self._store.do("relay.stop", stop_txn, batch.node, epoch, error.detail)
            self._ends.us.log.error("relay.chain", node=batch.node, why=error.detail)
            await self._on_chain(epoch)
            return False
        opened = await self._store.do("relay.open", open_txn, batch, calls)
        tally = self.tally(epoch)
        for record, one in zip(records, opened, strict=True):
            tally.opened(record.rec_seq)
            if one.told is None:
                await self._take(epoch, record, one.id, CallState(one.state), 0)
            else:
                self._settle(epoch, one.told)
        return True

    async def _take(self, epoch: int, record: Record, call_id: int, state: CallState,
                    tries: int) -> None:  # fmt: skip
        """Have a record called for; what a node says of its own certificates is ours to hear."""
        if channel_of(epoch)[0] != CONTROL or record.op not in CERT_OPS:
            self._add(epoch, record, call_id, state, tries)
            return
        node = self._ends.node
        told = await self._store.do("relay.cert", cert_txn, node, call_id, record)
        self._ends.peers.know(self._store.read(peer_certs_q, node))
        self._ends.us.log.warning("relay.cert", node=node, op=record.op, result=told.result)
        self._settle(epoch, told)

    def _add(self, epoch: int, record: Record, call_id: int, state: CallState, tries: int) -> None:
        dest = self._ends.units.get(str(record.body.get("unit", "")), "")
        courier = self._couriers.get(dest, self._couriers[""])
        errand = Errand(
            call_id, lane_of(record), partial(self._parcel, record), state, tries,
            note=(self, epoch, record.rec_seq),
        )  # fmt: skip
        courier.add(errand)
        courier.pump()

    def _parcel(self, record: Record) -> Parcel | Reply:
        try:
            return parcel_of(record, self._ends.node)
        except Shapeless as error:
            why = "unsupported" if record.op not in OPS else "form"
            return Reply(Verdict.REJECT, why, f"{record.op[:20]}: {error}")

    # from the couriers
    def answered(self, epoch: int, rec_seq: int, reply: Reply) -> None:
        """A record has its final answer, and it is stored."""
        self._settle(epoch, Told(rec_seq, result_of(reply), reply.why, reply.detail))

    def _settle(self, epoch: int, told: Told) -> None:
        tally = self.tally(epoch)
        tally.owed.append(told)
        tally.settled(told.rec_seq)
        self._on_answers()

    async def close(self, epoch: int) -> None:
        """Drop the content of batches that are answered whole."""
        tally = self.tally(epoch)
        if tally.upto > tally.closed:
            upto = tally.upto
            await self._store.do("relay.closed", closed_txn, self._ends.node, epoch, upto)
            tally.closed = upto
