"""Channel 2 from the relay to a node: numbers fetched ahead, as signed grants.

A batch is made once and written again byte for byte, with a growing pause, until the node's
ACK covers it with the same head.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from fep.crypto import sm3
from fep.domain.numbers import number_text
from fep.services.relay_ends import CONTROL, NodeEnds
from fep.services.uplink_keys import Pair
from fep.store.relay_out import (
    ControlBatch,
    PeerRow,
    Run,
    applied_txn,
    control_txn,
    own_q,
    peer_q,
    runs_q,
    tried_txn,
    waiting_q,
)
from fep.wire.fpb import Kind
from fep.wire.fpb_ack import Ack
from fep.wire.fpb_record import JournalHead, idem, record_line

EPOCH: Final = 1
RESEND_MOST_S: Final = 600.0


@dataclass(slots=True)
class _Resend:
    due_s: float = 0.0
    wait_s: float = 0.0


class ControlOut:
    """Grants on their way to one node."""

    def __init__(self, ends: NodeEnds) -> None:
        self._ends = ends
        self._store = ends.us.store
        self._resends: dict[int, _Resend] = {}
        self.forked = False
        self.hold: Callable[[str], bool] = lambda node: False

    async def step(self, now_s: float) -> None:
        """Make a batch of what was fetched, and write what is due.

        While `hold` says so more numbers are coming, and a block of all is better than many.
        """
        await self._announce()
        held = self.hold(self._ends.node)
        runs = [] if held else self._store.read(runs_q, self._ends.node)
        if runs:
            row = self._store.read(peer_q, self._ends.node)
            made = await self._ends.us.work(self._make, tuple(runs), row)
            await self._store.do("relay.control", control_txn, self._ends.node, made)
        for waiting in self._store.read(waiting_q, self._ends.node):
            first = self._ends.us.settings.resend_s
            resend = self._resends.setdefault(waiting.seq, _Resend(wait_s=first))
            if now_s < resend.due_s:
                continue
            resend.due_s = now_s + resend.wait_s
            resend.wait_s = min(RESEND_MOST_S, resend.wait_s * 2)
            tries = waiting.tries + 1
            await self._store.do("relay.tried", tried_txn, self._ends.node, waiting.seq, tries)
            name = self._ends.name(EPOCH, CONTROL, waiting.seq, tries)
            await self._ends.us.work(self._ends.carrier.put, name, waiting.content)

    async def acked(self, ack: Ack) -> None:
        """Free what the node has applied; a head that differs is told and frees nothing."""
        results = [(one.rec_seq, f"{one.result} {one.code}".strip()) for one in ack.results]
        fits = await self._store.do(
            "relay.applied", applied_txn, self._ends.node, ack.applied_upto,
            bytes.fromhex(ack.head), results,
        )  # fmt: skip
        self._turn()
        if not fits and not self.forked:
            self.forked = True
            self._ends.us.log.error("relay.control_fork", node=self._ends.node)

    async def _announce(self) -> None:
        """Tell the node of our next certificate, once."""
        ends, following = self._ends, self._ends.own.following
        if following is None or ends.own.now is following:
            return
        if self._store.read(own_q, ends.node, following.serial) is None:
            row = self._store.read(peer_q, ends.node)
            made = await ends.us.work(self._make_own, following, row)
            await self._store.do("relay.own", control_txn, ends.node, made)
        self._turn()

    def _turn(self) -> None:
        """Sign with the next key once the node believes it."""
        own = self._ends.own
        if own.following is None or own.now is own.following:
            return
        result = self._store.read(own_q, self._ends.node, own.following.serial) or ""
        if result.split(" ")[0] in ("OK", "DUP"):
            own.believed()
            self._ends.us.log.warning("relay.own_cert", node=self._ends.node,
                                      serial=own.now.serial)  # fmt: skip

    def _make_own(self, following: Pair, row: PeerRow) -> ControlBatch:
        """Build the announcement of a certificate. For a worker thread."""
        serial = following.serial
        body: dict[str, object] = {
            "cert": base64.b64encode(following.cert.der).decode(), "serial": serial,
        }  # fmt: skip
        line, tail = record_line(
            row.rec_seq + 1, "ROTATE", idem(self._ends.own.party, serial, "ROTATE"),
            self._ends.us.now_ms(), body, JournalHead(0, ""), row.head,
        )  # fmt: skip
        header = replace(
            self._ends.header(Kind.CTRL, EPOCH, CONTROL, row.seq + 1),
            first_rec=row.rec_seq + 1, n_rec=1, prev_batch_sm3=row.batch_sm3,
        )  # fmt: skip
        content = self._ends.pack(header, line)
        return ControlBatch(row.seq + 1, row.rec_seq + 1, content, sm3.digest(content), tail,
                            own=serial)  # fmt: skip

    def hasten(self) -> None:
        """The node asks for what it has not: write everything again now."""
        for resend in self._resends.values():
            resend.due_s = 0.0

    def _make(self, runs: tuple[Run, ...], row: PeerRow) -> ControlBatch:
        """Build and sign a batch. For a worker thread."""
        now_ms = self._ends.us.now_ms()
        prev, lines = row.head, []
        for place, run in enumerate(runs):
            rec_seq = row.rec_seq + 1 + place
            first, last = number_text(run.first), number_text(run.last)
            body: dict[str, object] = {
                "code": run.code, "first": first, "last": last, "not_after": None,
                "unit": run.unit, "grant_id": f"R{rec_seq:08d}",
                "quota": {"amount_fen": None, "count": None, "hours": None},
            }  # fmt: skip
            line, prev = record_line(
                rec_seq, "GRANT", idem(run.code, first, "GRANT", last), now_ms, body,
                JournalHead(0, ""), prev,
            )  # fmt: skip
            lines.append(line)
        header = replace(
            self._ends.header(Kind.CTRL, EPOCH, CONTROL, row.seq + 1),
            first_rec=row.rec_seq + 1, n_rec=len(lines), prev_batch_sm3=row.batch_sm3,
        )  # fmt: skip
        content = self._ends.pack(header, b"\n".join(lines))
        return ControlBatch(row.seq + 1, row.rec_seq + 1, content, sm3.digest(content), prev, runs)
