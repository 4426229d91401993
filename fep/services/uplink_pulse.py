"""Signs of life of one link: state, silence, clock offset, transport counter.

Silence is counted on the monotonic clock while we run, plus the wall clock's gap over a
restart when that is positive; setting the clock back prolongs nothing (I12). Only a file
newer than all seen counts as life, so a replayed one prolongs nothing either.
A file may have lain in the gate for hours: the platform's clock is read off the one that was
quickest within READING_S, and what lay there while we were down does not count against it.
"""

from __future__ import annotations

from dataclasses import replace

from fep.domain.link import LinkFacts, LinkState, Standing, standing
from fep.services.uplink_ends import Ends
from fep.store.link import Head, Kept, LinkStart, pulse_txn
from fep.store.supervision import Doubted
from fep.wire.fpb import Header

DAMAGED_SHOWN_S = 3600.0
READING_S = 900.0
CHAIN = "chain"
SILENT = "silent"  # the reason fep/domain/link.py gives for a platform not heard from lately


class Pulse:
    """The health of a link."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self.standing = Standing(LinkState.OFFLINE, "never-heard", ends.now_ms())
        self._told = self.standing  # as journalled
        self.last_heard_at = 0
        self.offset_ms = 0
        self.stopped_out = ""  # why receipts do not leave: head, peer-chain, peer-lost
        self.stopped_in = ""  # why grants are not taken: chain
        self.refused = ""
        self.carrier_fault = ""
        self.quarantined = 0
        self.doubted = Doubted()
        self._damaged_s: float | None = None
        self._quickest: tuple[float, int] | None = None  # when read, platform - monotonic (ms)
        self._silent_ms = 0  # at `_anchor_s`
        self._kept_ms = 0  # of it, from before this start
        self._anchor_s = ends.clock.mono()
        self.transport_out = Head()
        self.transport_in = Head()

    # from Uplink
    def resume(self, start: LinkStart) -> None:
        """Take up what was kept; a first start begins to count its silence now."""
        self.transport_out, self.transport_in = start.transport_out, start.transport_in
        kept = start.kept
        if kept is None:
            return
        self.standing = self._told = kept.standing
        self.last_heard_at = kept.last_heard_at
        self.offset_ms = kept.platform_offset_ms
        if kept.last_heard_at:
            self._read_clock(self._ends.now_ms() + kept.platform_offset_ms)
        if kept.standing.state is LinkState.STALLED:
            reason = kept.standing.reason
            self.stopped_in = reason if reason == CHAIN else ""
            self.stopped_out = reason if reason != CHAIN else ""
        since = (kept.last_heard_at or kept.standing.since_at) + kept.offline_ms
        self._kept_ms = kept.offline_ms
        self._silent_ms = kept.offline_ms + max(0, self._ends.now_ms() - since)
        self._ended_meanwhile()

    def absent(self, gap_ms: int) -> None:
        """Count at least this much for the time we were down, whatever the wall clock says."""
        self._silent_ms = max(self._silent_ms, self._kept_ms + gap_ms)
        self._ended_meanwhile()

    def _ended_meanwhile(self) -> None:
        """What was heard from before a long absence is so no more: silence came meanwhile."""
        patience_ms = int(self._ends.settings.silent_after_s * 1000)
        heard = self.standing.state in (LinkState.ONLINE, LinkState.DEGRADED)
        if heard and self._silent_ms > patience_ms:
            since_at = min(self.last_heard_at + patience_ms, self._ends.now_ms())
            self.standing = Standing(LinkState.OFFLINE, SILENT, since_at)

    # from Inbox
    def heard(self, header: Header) -> bool:
        """Note a verified file; True when it is newer than all before it."""
        seen = self.transport_in
        fresh = header.created_ms > seen.rec_seq or (
            header.channel == 0 and (header.epoch, header.seq) > (seen.epoch, seen.seq)
        )
        if not fresh:
            return False
        seq = max(seen.seq, header.seq) if header.channel == 0 else seen.seq
        self.transport_in = replace(
            seen, epoch=max(seen.epoch, header.epoch), seq=seq,
            rec_seq=max(seen.rec_seq, header.created_ms),
        )  # fmt: skip
        now_ms = self._ends.now_ms()
        self.last_heard_at = now_ms
        self.offset_ms = self._read_clock(header.created_ms) - now_ms
        self._silent_ms = 0
        self._anchor_s = self._ends.clock.mono()
        return True

    def _read_clock(self, said_ms: int) -> int:
        """Return the platform's time now by the quickest file of late."""
        now_s = self._ends.clock.mono()
        reading = said_ms - int(now_s * 1000)
        best = self._quickest
        if best is None or reading >= best[1] or now_s - best[0] > READING_S:
            self._quickest = best = (now_s, reading)
        return best[1] + int(now_s * 1000)

    def doubt(self, count: int, last: str) -> None:
        """Note supervision signatures that did not verify; the store has them too."""
        self.doubted = Doubted(self.doubted.count + count, last)
        self._ends.log.error("link.supervision_bad", dest=self._ends.dest, count=count, last=last)

    def damaged(self) -> None:
        """Note a file that was set aside."""
        self.quarantined += 1
        self._damaged_s = self._ends.clock.mono()

    # from Uplink and Inbox
    def silent_ms(self) -> int:
        """Return milliseconds since the platform was last heard, or since the first start."""
        return self._silent_ms + int((self._ends.clock.mono() - self._anchor_s) * 1000)

    # from Uplink's clockwork
    def judge(self, *, paused: bool, oldest_sent_s: float | None) -> bool:
        """Work the standing out anew; True when it changed."""
        settings = self._ends.settings
        damaged = 0
        if self._damaged_s is not None:
            damaged = int(self._ends.clock.mono() - self._damaged_s < DAMAGED_SHOWN_S)
        facts = LinkFacts(
            stopped=self.stopped_out or self.stopped_in,
            paused=paused,
            silent_s=self.silent_ms() / 1000 if self.last_heard_at else None,
            carrier_fault=self.carrier_fault or self._ends.carrier.fault,
            refused=self.refused,
            oldest_sent_s=oldest_sent_s,
            damaged=damaged,
            one_way=settings.one_way,
        )
        before = self._told
        self.standing = self._told = standing(
            facts, self.standing, self._ends.now_ms(), silent_after_s=settings.silent_after_s,
            late_after_s=settings.late_after_s,
        )  # fmt: skip
        if self.standing == before:
            return False
        self._ends.log.info(
            "link.state", dest=self._ends.dest, state=self.standing.state.value,
            reason=self.standing.reason, was=before.state.value,
        )  # fmt: skip
        return True

    async def keep(self, *, changed: bool) -> None:
        """Write state and counters down."""
        kept = Kept(self.standing, self.last_heard_at, self.silent_ms(), self.offset_ms)
        await self._ends.store.do(
            "link.pulse", pulse_txn, self._ends.dest, kept, changed, self.transport_out,
            self.transport_in,
        )  # fmt: skip

    async def next_transport(self) -> int:
        """Return the number of our next transport file, never used before or after."""
        self.transport_out = replace(self.transport_out, seq=self.transport_out.seq + 1)
        await self.keep(changed=False)
        return self.transport_out.seq
