"""Load as a hospital makes it: many windows, one call each at a time, nothing forgotten.

Two rules: an unanswered call is repeated with the same key and the same bytes or counted as
unanswered; an answer that contradicts its call is a fault, whatever it says.
"""

from __future__ import annotations

import asyncio
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count as numbers_from
from pathlib import Path
from typing import Any

from fep.env import RealClock
from fep.sim.his_content import Call, Content
from fep.sim.his_dialect import Saying
from fep.sim.his_kinds import AllKinds
from fep.sim.his_ledger import Ledger
from fep.sim.his_line import Denied, Line, Lost, connect
from fep.sim.his_medical import DialectLine
from fep.sim.ports import Clock, wall_ms

BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
METHODS = {"issue": "receipt.issue", "submit": "event.submit"}
MONEY = re.compile(r"\d+\.\d\d")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the windows do. `rate` is calls a second over all windows, 0 for no limit."""

    unit: str = ""
    point: str = ""
    kind: str = "outpatient"
    mode: str = "issue"
    phase: str = ""
    rate: float = 0.0
    retry: bool = False
    give_up_s: float = 120.0
    timeout_s: float = 30.0
    wants_print: bool = False
    start: int = 0
    events: tuple[Call, ...] = ()
    kinds: tuple[str, ...] = ()
    dialect: Saying | None = None  # None: the socket API
    keep_alive: bool = True
    style: str = "plain"


@dataclass(slots=True)
class LoadReport:
    """What came of it. Latencies are ms from send to answer, of acknowledged calls."""

    sent: int = 0
    acked: int = 0
    repeated: int = 0
    retried: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)
    latencies_ms: array[float] = field(default_factory=lambda: array("d"))

    @property
    def per_s(self) -> float:
        """Acknowledged calls a second."""
        return self.acked / self.seconds if self.seconds else 0.0

    def percentile_ms(self, share: float) -> float:
        """Return the latency that `share` (0 to 1) of the calls stayed under, 0 for none."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0

    def summary(self) -> dict[str, Any]:
        """Return the closing line."""
        return {
            "sent": self.sent,
            "acked": self.acked,
            "repeated": self.repeated,
            "refused": dict(self.refused),
            "retried": self.retried,
            "unanswered": self.unanswered,
            "seconds": round(self.seconds, 3),
            "per_s": round(self.per_s, 1),
            "p50_ms": round(self.percentile_ms(0.5), 2),
            "p99_ms": round(self.percentile_ms(0.99), 2),
        }


def run_load(
    connect_to: str,
    appid: str,
    key: bytes,
    *,
    count: int | None = None,
    seconds: float | None = None,
    concurrency: int = 1,
    seed: int = 0,
    ledger: Path | None = None,
    plan: Plan | None = None,
) -> LoadReport:
    """Make `count` calls, or calls for `seconds`, from `concurrency` windows.

    Raises Denied when the login is refused; a server that is away ends the run.
    """
    chosen = plan or Plan()
    assert count is not None or seconds is not None or chosen.events, "how many calls?"
    load = _Load(connect_to, appid, key, chosen, RealClock(), seconds)
    return asyncio.run(load.run(_calls(chosen, seed, count, RealClock()), concurrency, ledger))


def _calls(plan: Plan, seed: int, count: int | None, clock: Clock) -> Iterator[Call]:
    if plan.events:
        total = len(plan.events) if count is None else count
        return (plan.events[number % len(plan.events)] for number in range(total))
    at = (clock.wall() + timedelta(hours=8)).strftime("%Y%m%d%H%M%S000")
    content: Content | AllKinds
    if plan.kinds:
        content = AllKinds(
            seed=seed, unit=plan.unit, point=plan.point, kinds=plan.kinds, at=at,
            wants_print=plan.wants_print,
        )  # fmt: skip
    else:
        content = Content(
            seed=seed, unit=plan.unit, point=plan.point, kind=plan.kind, at=at,
            wants_print=plan.wants_print,
        )  # fmt: skip
    order = numbers_from(plan.start) if count is None else range(plan.start, plan.start + count)
    return (content.call(number) for number in order)


class _Load:
    """One run: windows take calls from one iterator until it ends or nobody answers."""

    def __init__(
        self, where: str, appid: str, key: bytes, plan: Plan, clock: Clock, seconds: float | None
    ) -> None:
        self._where = where
        self._appid = appid
        self._key = key
        self._plan = plan
        self._clock = clock
        self._seconds = seconds
        self._method = METHODS[plan.mode]
        self._lines: set[Line | DialectLine] = set()
        self._report = LoadReport()
        self._ledger: Ledger | None = None
        self._started = 0.0
        self._taken = 0
        self._ended = False

    async def run(self, calls: Iterator[Call], windows: int, ledger: Path | None) -> LoadReport:
        """Run all windows to their end."""
        loop = asyncio.get_running_loop()
        if ledger is not None:
            self._ledger = Ledger(ledger, lambda n: loop.call_soon_threadsafe(self._count_acked, n))
        self._started = loop.time()
        watch = asyncio.ensure_future(self._watch())
        try:
            await asyncio.gather(*(self._window(calls) for _ in range(windows)))
        finally:
            watch.cancel()
            for line in self._lines:
                line.abort()
            self._report.seconds = loop.time() - self._started
            if self._ledger is not None:
                await loop.run_in_executor(None, self._ledger.close)
                await asyncio.sleep(0)
        return self._report

    async def _window(self, calls: Iterator[Call]) -> None:
        line: Line | DialectLine | None = None
        loop = asyncio.get_running_loop()
        while not self._ended:
            if self._seconds is not None and loop.time() - self._started >= self._seconds:
                return
            call = next(calls, None)
            if call is None:
                return
            await self._pace()
            line = await self._make(call, line)

    async def _pace(self) -> None:
        self._taken += 1
        if not self._plan.rate:
            return
        due = self._started + (self._taken - 1) / self._plan.rate
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    async def _make(self, call: Call, line: Line | DialectLine | None) -> Line | DialectLine | None:
        """Make one call until it is answered for good; return the line to go on with."""
        loop = asyncio.get_running_loop()
        self._report.sent += 1
        give_up_at = loop.time() + self._plan.give_up_s
        fault = "LOST"
        for attempt in numbers_from(0):
            if attempt:
                if not self._plan.retry or loop.time() >= give_up_at:
                    break
                self._report.retried += 1
                await asyncio.sleep(BACKOFF_S[min(attempt, len(BACKOFF_S)) - 1])
            try:
                if line is None or line.lost:
                    line = await self._connected()
                sent_at = loop.time()
                answer = await line.call(self._method, call.params)
            except Lost:
                fault = "LOST"
                continue
            fault, again = self._taken_in(call, answer, (loop.time() - sent_at) * 1000)
            if not fault:
                return line
            if not again:
                break
        self._lost_or_refused(call, fault)
        if fault == "LOST" and (self._plan.retry or line is None):
            self._ended = True
        return line

    async def _connected(self) -> Line | DialectLine:
        line: Line | DialectLine
        if self._plan.dialect is None:
            line = await connect(self._where, self._appid, self._key)
        else:
            line = DialectLine(self._where, self._appid, self._key, self._plan.dialect,
                               keep=self._plan.keep_alive, style=self._plan.style)  # fmt: skip
        self._lines = {other for other in self._lines if not other.lost} | {line}
        return line

    async def _watch(self) -> None:
        """End connections on which a call waits too long."""
        while True:
            await asyncio.sleep(1)
            for line in list(self._lines):
                if line.oldest_s() > self._plan.timeout_s:
                    line.abort()

    def _taken_in(self, call: Call, answer: dict[str, Any], ms: float) -> tuple[str, bool]:
        """Note an answer; return its fault ("" for none) and whether to try again."""
        error = answer.get("error")
        if error is not None:
            data = error.get("data") or {}
            return str(data.get("fault") or error.get("code")), bool(data.get("retryable"))
        result = answer.get("result") or {}
        told = result.get("receipt") or result.get("event") or {}
        if not _agrees(call, told, self._plan.mode):
            return "SIM_ANSWER", False
        self._report.latencies_ms.append(ms)
        self._report.repeated += bool(result.get("repeated"))
        if self._ledger is None:
            self._count_acked(1)
        else:
            self._ledger.acked(self._entry(call, told, bool(result.get("repeated"))))
        return "", False

    def _count_acked(self, n: int) -> None:
        self._report.acked += n

    def _lost_or_refused(self, call: Call, fault: str) -> None:
        if fault == "LOST":
            self._report.unanswered += 1
        else:
            self._report.refused[fault] += 1
        if self._ledger is not None:
            self._ledger.refused({**self._entry(call, {}, False), "fault": fault})

    def _entry(self, call: Call, told: dict[str, Any], repeated: bool) -> dict[str, Any]:
        return {
            "key": call.key,
            "unit": told.get("unit") or self._plan.unit,
            "code": told.get("code", ""),
            "number": told.get("number", ""),
            "check_code": told.get("check_code", ""),
            "amount_fen": call.amount_fen,
            "payer": call.payer,
            "kind": told.get("kind") or self._plan.kind,
            "acked_at": wall_ms(self._clock),
            "repeated": repeated,
            "phase": self._plan.phase,
        }


def _agrees(call: Call, told: dict[str, Any], mode: str) -> bool:
    """Return whether an answer is about the call it answers, and whole."""
    if told.get("key", call.key) != call.key:
        return False
    if mode == "submit":
        return bool(told.get("id"))
    amount, number = str(told.get("amount")), str(told.get("number"))
    return (
        MONEY.fullmatch(amount) is not None
        and int(amount.replace(".", "")) == call.amount_fen
        and len(number) == 10
        and number.isdigit()
        and bool(told.get("code"))
        and bool(told.get("check_code"))
    )


__all__ = ["Denied", "LoadReport", "Plan", "run_load"]
