"""The offline budget against somebody who knows the true time: I12.

The product sees a wall clock that anybody sets, a monotonic clock that begins anew with a
boot, and what it wrote down before it went. The model knows how long the platform has really
been silent and what is really unseen. Its rules: setting a clock never lessens what is used;
a restart forgets nothing; only a newer file of the platform is a sign of life.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from fep.domain import clock
from fep.domain.clock import Bounds, Reading
from fep.domain.link_budget import OfflineBudget
from fep.services.budget import RunningBudget
from fep.services.uplink_pulse import Pulse
from fep.settings_link import LinkSettings
from fep.store.link import Head, Kept, LinkStart
from fep.wire.fpb import Header, Kind
from tests.property.stepping import Stepping

HOUR_S = 3600
SMALL_BACK_S = 600
LIMITS = st.builds(
    OfflineBudget,
    st.sampled_from([None, 1, 12, 40]),
    st.sampled_from([None, 0, 3, 5, 9]),
    st.sampled_from([None, 900, 2_000]),
    st.sampled_from([None, 250]),
)


@dataclass(frozen=True, slots=True)
class Written:
    """What is on the disk, and when it was really written."""

    kept: Kept
    heads: Head
    mark: Reading
    true_s: int
    signs: int  # of life, so far


class Ledger(Stepping):
    """One link, one budget, two clocks, and the truth."""

    EXAMPLES = 200
    LENGTH = 160

    def __init__(self) -> None:
        super().__init__()
        self.true_s = 5_000_000
        self.skew_s = 1_790_000_000  # wall minus true
        self.boot_s = self.true_s - 50
        self.said: list[int] = []
        self.told = 0  # the highest warning of now
        self.ours, self.signed = OfflineBudget(None, None, None, None), None
        self.limits = self.ours
        self.inflight: list[int] = []
        self.unseen: list[int] = []
        self.silent_since_s = self.true_s
        self.clock_was_set = False
        self.floor_ms, self.floor_at_s = 0, self.true_s
        self.last_created_ms = self.signs = 0
        self.pulse = self._pulse()
        self.budget = self._budget()
        self._write()

    # the world
    def wall_ms(self) -> int:
        return (self.true_s + self.skew_s) * 1000

    def mono(self) -> float:
        return float(self.true_s - self.boot_s)

    def info(self, _event: str, **_details: object) -> None:
        """Take a line of the log."""

    def warning(self, _event: str, used_percent: int) -> None:
        """Take the budget's warning."""
        self.said.append(used_percent)

    # what may happen to the clocks
    @rule(seconds=st.sampled_from([1, 30, 60, 119, 121, HOUR_S, 5 * HOUR_S, 12 * HOUR_S]))
    def time_passes(self, seconds: int) -> None:
        """The daemon runs."""
        self.true_s += seconds

    @rule(seconds=st.sampled_from([-90 * HOUR_S, -601, -600, -5, 3, 700, 30 * HOUR_S]))
    def somebody_sets_the_clock(self, seconds: int) -> None:
        """It does not matter to us while we run."""
        self._set_clock(seconds)

    @rule()
    def the_minute_is_written_down(self) -> None:
        """State of the link and both clocks go to the disk."""
        self._write()

    @rule(
        down_s=st.sampled_from([1, 60, 700, 4 * HOUR_S, 30 * HOUR_S]),
        booted=st.booleans(),
        step_s=st.sampled_from([0, 0, -200 * HOUR_S, -3 * HOUR_S, -60, 50 * HOUR_S]),
        stopped=st.booleans(),
    )
    def restart(self, down_s: int, booted: bool, step_s: int, stopped: bool) -> None:
        """The daemon goes, with or without a last word; the clock may be set meanwhile."""
        if stopped:
            self._write()
        self.true_s += down_s
        if booted:
            self.boot_s = self.true_s - min(down_s, 40)
        self._set_clock(step_s)
        self._come_up()

    # what may happen to receipts
    @rule(amount=st.sampled_from([-300, -1, 1, 100, 250, 251, 900]))
    def reserve(self, amount: int) -> None:
        """A receipt is wanted; red ones count, their money does not."""
        broken = self._broken(amount)
        refused = self.budget.reserve(amount)
        assert (refused.code if refused is not None else "") in (broken or {""})
        if refused is None:
            self.inflight.append(amount)
            self._warned()

    @rule(data=st.data())
    def one_ends(self, data: st.DataObject) -> None:
        """It is sealed, or nothing came of it."""
        if self.inflight:
            amount = self.inflight.pop(data.draw(st.integers(0, len(self.inflight) - 1)))
            if data.draw(st.booleans()):
                self.unseen.append(amount)
            else:
                self.budget.release(amount)

    @rule(count=st.integers(1, 5))
    def the_platform_answers(self, count: int) -> None:
        """It has seen some of the receipts."""
        seen, self.unseen = self.unseen[:count], self.unseen[count:]
        self.budget.answered(len(seen), sum(amount for amount in seen if amount > 0))
        self.told = min(self.told, self._mark())

    @rule(newer=st.booleans())
    def a_file_comes(self, newer: bool) -> None:
        """A new file is a sign of life; one that was seen before is none."""
        created = self.last_created_ms + 1000 if newer else self.last_created_ms
        fresh = self.pulse.heard(Header(Kind.ACK, "P", "N", 1, 1, 1, created))
        assert newer == fresh
        if newer:
            self.last_created_ms = created
            self.signs += 1
            self.silent_since_s, self.clock_was_set = self.true_s, False
            self.floor_ms, self.floor_at_s = 0, self.true_s

    @rule(limits=LIMITS)
    def our_limits_are_configured(self, limits: OfflineBudget) -> None:
        """At a restart; what the platform signed stays."""
        self.ours = limits
        self.restart(1, False, 0, True)

    @rule(limits=LIMITS)
    def the_platform_signs_limits(self, limits: OfflineBudget) -> None:
        """The newest signed limits hold."""
        self.signed = limits
        self.budget.bind(limits)
        self._bind()

    # what must hold
    @invariant()
    def nothing_used_is_forgotten(self) -> None:
        """Hours, count and amount are at least the truth, and the truth when no clock was set."""
        counted = self.pulse.silent_ms()
        assert counted >= self.floor_ms + (self.true_s - self.floor_at_s) * 1000
        if not self.clock_was_set:
            assert (self.true_s - self.silent_since_s) * 1000 == counted
        use = self.budget.use()
        open_ = [*self.inflight, *self.unseen]
        assert (counted, len(open_), sum(amount for amount in open_ if amount > 0)) == (
            use.offline_ms, use.count, use.amount_fen,
        )  # fmt: skip
        assert self.limits == self.budget.limits
        assert self._mark() == self.limits.warning(use)

    # the model
    def _set_clock(self, seconds: int) -> None:
        self.skew_s += seconds
        self.clock_was_set |= seconds != 0

    def _write(self) -> None:
        pulse = self.pulse
        kept = Kept(pulse.standing, pulse.last_heard_at, pulse.silent_ms(), pulse.offset_ms)
        mark = Reading(self.wall_ms(), int(self.mono() * 1000))
        self.written = Written(kept, pulse.transport_in, mark, self.true_s, self.signs)

    def _pulse(self) -> Pulse:
        ends: Any = SimpleNamespace(
            clock=self, now_ms=self.wall_ms, log=self, settings=LinkSettings()
        )
        return Pulse(ends)

    def _budget(self) -> RunningBudget:
        open_ = [*self.inflight, *self.unseen]
        amount = sum(fen for fen in open_ if fen > 0)
        return RunningBudget(self.ours, self.pulse.silent_ms, len(open_), amount, self)

    def _come_up(self) -> None:
        """Begin anew from what was written, as the node does."""
        was = self.written
        now = Reading(self.wall_ms(), int(self.mono() * 1000))
        down_ms = clock.downtime_ms(was.mark, now, Bounds())
        self.pulse = self._pulse()
        self.pulse.resume(LinkStart({}, {}, Head(), was.heads, (), {}, was.kept))
        self.last_created_ms = was.heads.rec_seq
        self.unseen += self.inflight  # frozen ones are found and signed
        self.inflight = []
        self.budget, self.told = self._budget(), 0
        if self.signed is not None:
            self.budget.bind(self.signed)
        self._bind()
        whole_ms = (self.limits.hours or 0) * HOUR_S * 1000
        self.pulse.absent(whole_ms if down_ms is None else down_ms)
        self._floor(was, now, whole_ms)
        self._write()

    def _floor(self, was: Written, now: Reading, whole_ms: int) -> None:
        """What must be counted at least after a restart, the truth being known."""
        away_ms = (self.true_s - was.true_s) * 1000
        gap_ms = now.wall_ms - was.mark.wall_ms
        booted = now.mono_ms - was.mark.mono_ms != away_ms
        if gap_ms < -SMALL_BACK_S * 1000:
            least = whole_ms  # nobody can tell: all of it is taken as used
        elif not booted or gap_ms >= away_ms:
            least = away_ms
        else:
            least = max(gap_ms, SMALL_BACK_S * 1000 if gap_ms < 0 else 0)
        self.floor_ms, self.floor_at_s = was.kept.offline_ms + least, self.true_s
        if was.signs < self.signs:
            self.signs, self.clock_was_set = was.signs, True  # a sign of life was lost

    def _bind(self) -> None:
        theirs = self.signed or OfflineBudget(None, None, None, None)
        names = ("hours", "count", "amount_fen", "single_fen")
        pairs = [(getattr(self.ours, name), getattr(theirs, name)) for name in names]
        tight = [min((n for n in pair if n is not None), default=None) for pair in pairs]
        self.limits = OfflineBudget(*tight)

    def _broken(self, amount: int) -> set[str]:
        """Return which limits one more receipt would break."""
        limits, open_ = self.limits, [*self.inflight, *self.unseen]
        silent_s = self.pulse.silent_ms() // 1000
        money = sum(fen for fen in (*open_, amount) if fen > 0)
        broken = {
            "OFF_HOURS": limits.hours is not None and silent_s >= limits.hours * HOUR_S,
            "OFF_COUNT": limits.count is not None and len(open_) >= limits.count,
            "OFF_AMOUNT": limits.amount_fen is not None and money > limits.amount_fen,
            "OFF_SINGLE": limits.single_fen is not None
            and silent_s >= 120
            and amount > limits.single_fen,
        }
        return {code for code, holds in broken.items() if holds}

    def _mark(self) -> int:
        """Return the highest of the four marks that is reached."""
        limits, open_ = self.limits, [*self.inflight, *self.unseen]
        hours_ms = None if limits.hours is None else limits.hours * HOUR_S * 1000
        parts = [
            (self.pulse.silent_ms(), hours_ms),
            (len(open_), limits.count),
            (sum(fen for fen in open_ if fen > 0), limits.amount_fen),
        ]
        reached = [
            mark
            for mark in (50, 80, 95, 100)
            for used, limit in parts
            if limit is not None and (limit == 0 or used * 100 >= mark * limit)
        ]
        return max(reached, default=0)

    def _warned(self) -> None:
        """A mark is told once, when it is passed."""
        mark = self._mark()
        assert ([mark] if mark > self.told else []) == self.said
        self.told = max(self.told, mark)
        self.said = []
