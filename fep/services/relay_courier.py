"""The courier: calls to one platform, up to a bound in flight, in order for each receipt.

Rules: a call is stored as leaving before it leaves and its answer before anybody is told;
what was not answered is asked for by key before it is sent again; the lane of a receipt lets
its red one go only after its blue one is done. When the platform cannot be reached one call
tries it, with a growing pause, and everything else waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred

from fep.domain.platform import CallState, Parcel, Reply, Verdict, decide
from fep.ports import Platform
from fep.services.uplink_ends import Log, Timers

PAUSE_FIRST_S: Final = 1.0
PAUSE_MOST_S: Final = 60.0
CLAIMED: Final = 2  # times the bound of calls in flight are marked as leaving at once


@dataclass(slots=True)
class Errand:
    """One call to be made: `parcel` is made when it leaves, `lane` is its receipt."""

    id: int
    lane: str
    parcel: Callable[[], Parcel | Reply]  # a reply: it cannot be one, and this is the answer
    state: CallState = CallState.DUE
    tries: int = 0
    note: Any = None  # whose it is; the courier never looks


class Ledger(Protocol):
    """Where calls and answers are kept."""

    def leaving(self, ids: Sequence[int]) -> Deferred[None]:
        """Mark calls as leaving; fires after the commit."""

    def answered(self, errand: Errand, state: CallState, reply: Reply) -> Deferred[None]:
        """Keep an answer; fires after the commit."""


@dataclass(slots=True)
class _Lane:
    """The errands of one receipt; only the first may be under way."""

    errands: deque[Errand] = field(default_factory=deque)


class Courier:
    """Makes the calls to one platform."""

    def __init__(
        self,
        reactor: Timers,
        seconds: Callable[[], float],
        platform: Platform,
        ledger: Ledger,
        log: Log,
        *,
        in_flight_max: int,
        settle_s: float,
        on_done: Callable[[Errand, Reply], None],
    ) -> None:
        self.platform = platform
        self._reactor = reactor
        self._seconds = seconds
        self._ledger = ledger
        self._log = log
        self._max = in_flight_max
        self._settle_s = settle_s
        self._on_done = on_done
        self._lanes: dict[str, _Lane] = {}
        self._ready: deque[Errand] = deque()
        self._claimed: deque[Errand] = deque()
        self._later: list[tuple[float, int, Errand]] = []
        self._claiming = False
        self._timer: Any = None
        self._pause_s = 0.0
        self._paused_until = 0.0
        self._running = False
        self._idle: list[Deferred[None]] = []
        self._keeping = 0  # answers that are not stored yet
        self.in_flight = 0
        self.open = 0
        self.doubts = 0
        self.broken = ""
        self.fault = ""

    # from the relay
    def add(self, errand: Errand) -> None:
        """Take an errand; it leaves when its lane and the bound let it."""
        self.open += 1
        self.doubts += errand.state is CallState.DOUBT
        lane = self._lanes.setdefault(errand.lane, _Lane())
        lane.errands.append(errand)
        if len(lane.errands) == 1:
            self._ready.append(errand)

    def start(self) -> None:
        """Let errands leave."""
        self._running = True
        self.pump()

    async def stop(self) -> None:
        """Let no more leave, and wait for those under way."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self.in_flight or self._keeping or self._claiming:
            done: Deferred[None] = Deferred()
            self._idle.append(done)
            await done

    def pump(self) -> None:
        """Let leave what may."""
        if not self._running or self.broken:
            return
        now = self._seconds()
        while self._later and self._later[0][0] <= now:
            self._ready.append(heappop(self._later)[2])
        if now < self._paused_until:
            self._wake(self._paused_until - now)
            return
        bound = self._max if not self._pause_s else 1
        while self._claimed and self.in_flight < bound:
            self._go(self._claimed.popleft())
        self._claim(bound)
        if self._later:
            self._wake(max(0.0, self._later[0][0] - now))

    def asked(self) -> dict[str, int]:
        """Return what is open, under way and in doubt."""
        return {"open": self.open, "in_flight": self.in_flight, "doubt": self.doubts}

    # leaving
    def _claim(self, bound: int) -> None:
        """Mark the next errands as leaving, many in one transaction."""
        if self._claiming or len(self._claimed) >= bound or not self._ready:
            return
        taken = [self._ready.popleft() for _ in range(min(len(self._ready), bound * CLAIMED))]
        leaving = [errand.id for errand in taken if errand.state is CallState.DUE]
        if not leaving:
            self._claimed.extend(taken)
            self._reactor.callLater(0, self.pump)
            return
        self._claiming = True
        work = self._ledger.leaving(leaving)
        work.addCallbacks(lambda _: self._marked(taken), self._ledger_failed)

    def _marked(self, taken: list[Errand]) -> None:
        self._claiming = False
        for errand in taken:
            if errand.state is CallState.DUE:
                errand.state = CallState.CALLING
                errand.tries += 1
        self._claimed.extend(taken)
        self.pump()
        self._settled()

    def _go(self, errand: Errand) -> None:
        self.in_flight += 1
        done = Deferred.fromCoroutine(self._errand(errand))
        done.addErrback(lambda failure: self._broken(errand, failure))

    async def _errand(self, errand: Errand) -> None:
        try:
            reply = await self._call(errand)
        finally:
            self.in_flight -= 1
        state = decide(errand.state, reply)
        if state is errand.state is CallState.DOUBT:
            self._again(errand, state, reply)  # nothing new to keep
            return
        self._keeping += 1
        work = self._ledger.answered(errand, state, reply)
        work.addCallbacks(lambda _: self._kept(errand, state, reply), self._ledger_failed)
        if state is CallState.DONE:
            self.pump()  # the next one leaves while this answer is being kept

    async def _call(self, errand: Errand) -> Reply:
        parcel = errand.parcel()
        if isinstance(parcel, Reply):
            errand.state = CallState.CALLING
            return parcel
        if errand.state is CallState.DOUBT:
            return await self.platform.find(parcel)
        return await self.platform.deliver(parcel)

    # answers
    def _kept(self, errand: Errand, state: CallState, reply: Reply) -> None:
        self._keeping -= 1
        if state is CallState.DONE:
            self._reached()
            self._leave(errand, reply)
        else:
            self._again(errand, state, reply)

    def _leave(self, errand: Errand, reply: Reply) -> None:
        self.open -= 1
        self.doubts -= errand.state is CallState.DOUBT
        errand.state = CallState.DONE
        lane = self._lanes[errand.lane]
        assert lane.errands[0] is errand, errand.lane
        lane.errands.popleft()
        if lane.errands:
            self._ready.append(lane.errands[0])
        else:
            del self._lanes[errand.lane]
        self._on_done(errand, reply)
        self.pump()
        self._settled()

    def _again(self, errand: Errand, state: CallState, reply: Reply) -> None:
        """It comes again: at once when the platform does not know it, else after a while."""
        self.doubts += (state is CallState.DOUBT) - (errand.state is CallState.DOUBT)
        errand.state = state
        if reply.verdict is Verdict.ABSENT:
            self._reached()
            self._ready.appendleft(errand)
        elif state is CallState.DOUBT and reply.why == "duplicate":
            self._ready.appendleft(errand)
        else:
            if reply.why in ("unreachable", "busy"):
                self._unreached(reply)
            wait = self._settle_s * min(2 ** max(0, errand.tries - 1), 32)
            if state is CallState.DOUBT:
                errand.tries += 1
            heappush(self._later, (self._seconds() + wait, errand.id, errand))
        self.pump()
        self._settled()

    def _reached(self) -> None:
        if self._pause_s:
            self._log.info("platform.back", platform=self.platform.name)
        self._pause_s = self._paused_until = 0.0
        self.fault = ""

    def _unreached(self, reply: Reply) -> None:
        now = self._seconds()
        if now < self._paused_until:
            return  # others failed with it
        self._pause_s = min(PAUSE_MOST_S, self._pause_s * 2) or PAUSE_FIRST_S
        self._paused_until = now + self._pause_s
        self.fault = reply.detail
        self._log.warning("platform.away", platform=self.platform.name, why=reply.detail,
                          pause_s=self._pause_s)  # fmt: skip

    # what must not happen
    def _broken(self, errand: Errand, failure: Any) -> None:
        """A bug of ours in one errand: it stays in doubt, and the others go on."""
        self._log.error("courier.errand", id=errand.id, failure=failure.getTraceback()[-2000:])
        # It may have left: to send it again would be blind.
        self._again(errand, CallState.DOUBT, Reply(Verdict.DOUBT, "internal"))

    def _ledger_failed(self, failure: Any) -> None:
        """The store does not take it: nothing may leave any more until a restart."""
        self.broken = str(failure.value)[:200]
        self._log.error("courier.store", why=self.broken)
        self._claiming = False
        self._keeping = 0
        self._settled()

    def _settled(self) -> None:
        if not (self.in_flight or self._keeping or self._claiming or self._running):
            waiting, self._idle = self._idle, []
            for waiter in waiting:
                waiter.callback(None)

    def _wake(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            return
        self._timer = self._reactor.callLater(min(seconds, 1.0) + 0.001, self.pump)
