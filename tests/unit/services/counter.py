"""A counter for tests: the real issuing path on a real store and a fake clock, with the signer
in the test's hand. Nothing happens between two statements of a test.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from fep.domain.faults import Refused, refuse
from fep.domain.link_budget import OfflineBudget
from fep.services.budget import RunningBudget, unanswered_q
from fep.services.doubles import Doubles
from fep.services.issue import Issue
from tests.harness.books import Books, read
from tests.harness.checkers import check_all
from tests.harness.storeroom import DAY_MS, UNIT, Storeroom

DEADLINE_S = 3.0


class Notes:
    """A log that keeps the names of what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __getattr__(self, _level: str) -> Any:
        return lambda name, **_facts: self.said.append(name)


class HandClock:
    """The clock port over a task.Clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def wall(self) -> datetime:
        return datetime.fromtimestamp(DAY_MS / 1000 + self._clock.seconds(), UTC)

    def mono(self) -> float:
        return self._clock.seconds()


class HandSigner:
    """Signs with the real key, at once or when the test says so."""

    cert_serial = "4d"

    def __init__(self, room: Storeroom) -> None:
        self._key = room.key
        self.cert_id = room.cert_id
        self.at_once = True
        self.refuses = False
        self.asked: list[tuple[bytes, Deferred[bytes]]] = []

    def digest_of(self, message: bytes) -> bytes:
        return message  # the simulators' key hashes for itself

    def sign(self, digest: bytes) -> Deferred[bytes]:
        done: Deferred[bytes] = Deferred()
        if self.refuses:
            done.errback(refuse("SIG_DOWN"))
        else:
            self.asked.append((digest, done))
            if self.at_once:
                self.answer(len(self.asked) - 1)
        return done

    def answer(self, index: int) -> None:
        digest, done = self.asked[index]
        done.callback(self._key.sign(digest))


class PlainDraw:
    """The part of drafting that issue asks: where a receipt goes, what it looks like after."""

    group = ""

    def effects(self, _entry: Any) -> tuple[str, str]:
        return "province", self.group

    def offline_refusal(self, _kind: str) -> None:
        return None

    def wish(self, _row: Any) -> None:
        return None

    def sealed(self, receipt: Any, job: int | None) -> Any:
        from fep.services.drafting import Draw

        return Draw.sealed(self, receipt, job)


class SlowDisk:
    """Commits that wait for `turn()` while it is held."""

    def __init__(self) -> None:
        self.held = False
        self._waiting: list[tuple[Any, Deferred[None]]] = []

    def __call__(self, commit: Any) -> Deferred[None]:
        if not self.held:
            return execute(commit)
        done: Deferred[None] = Deferred()
        self._waiting.append((commit, done))
        return done

    def turn(self) -> None:
        """Let the held commits through."""
        self.held = False
        waiting, self._waiting = self._waiting, []
        for commit, done in waiting:
            execute(commit).chainDeferred(done)


class Counter:
    """Issue, with a thousand numbers unless told otherwise."""

    def __init__(
        self,
        site: Path,
        *,
        numbers: int = 1000,
        events_max: int = 100,
        bytes_max: int = 100_000,
        limits: OfflineBudget | None = None,
    ) -> None:
        self.room = Storeroom(site)
        self.site = site
        self.limits = limits or OfflineBudget(None, None, None)
        self._bounds = {"events_max": events_max, "bytes_max": bytes_max}
        self.notes = Notes()
        self.room.open()
        if numbers:
            self.room.grant(1, numbers)
        self._build()

    def _build(self) -> None:
        room = self.room
        self.disk = room.store._commits = SlowDisk()
        self.signer = HandSigner(room)
        self.draw = PlainDraw()
        count, amount = room.store.read(unanswered_q)
        self.budget = RunningBudget(self.limits, lambda: 0, count, amount, self.notes)
        self.issue = Issue(
            room.clock, HandClock(room.clock), room.store, {UNIT: self.signer}, self.draw,
            self.budget, self.notes, deadline_s=DEADLINE_S, doubles=Doubles(600), **self._bounds,
        )  # fmt: skip

    # acting
    def call(self, key: str, amount_fen: int = 1234, *, queued: bool = False,
             **changes: Any) -> list[Any]:  # fmt: skip
        """Issue; the list gets (number, repeated) or the fault's code when answered."""
        answers: list[Any] = []
        draft = self.room.draft(key, amount_fen, **changes)
        self.issue.issue(draft, queued=queued).addCallbacks(
            lambda answer: answers.append((answer[0].number, answer[1])),
            lambda failure: answers.append(_code(failure)),
        )
        return answers

    def turn(self, turns: int = 12) -> None:
        """Let due calls happen, without time passing."""
        for _ in range(turns):
            self.room.clock.advance(0)

    def wait(self, seconds: float) -> None:
        """Let time pass in small steps."""
        for _ in range(int(seconds * 10)):
            self.room.clock.advance(0.1)
            self.room.wall_ms += 100
        self.turn()

    def issued(self, key: str, amount_fen: int = 1234, **changes: Any) -> Any:
        """Issue and return the one answer."""
        answers = self.call(key, amount_fen, **changes)
        self.turn()
        (answer,) = answers
        return answer

    def crash(self) -> None:
        """Lose the memory and come up again; nothing runs until the test says so."""
        self.room.clock = Clock()
        self.room.close()
        self.room.open()
        self._build()

    def close(self) -> None:
        """Close the store."""
        self.room.close()

    # looking
    def books(self) -> Books:
        """Return what is in the store; it stays open."""
        return read(self.site / "data" / "fep.db")

    def states(self) -> dict[str, str]:
        """Return the state of every number."""
        return {row.number: row.state for row in self.books()["receipt"]}

    def violations(self) -> list[str]:
        """Close, and return what the general checkers find."""
        self.room.close()
        return [str(violation) for violation in check_all(self.site, None, None, None)]


def number(value: int) -> str:
    """Return the ten digits of a number."""
    return f"{value:010d}"


def _code(failure: Failure) -> str:
    error = failure.value
    return error.code if isinstance(error, Refused) else type(error).__name__
