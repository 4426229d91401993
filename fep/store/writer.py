"""The single writer: everything that changes the store goes through one group commit.

Statements run on the reactor thread, only COMMIT (the fsync) runs on a thread of its own,
so a slow disk delays answers but never timers. Whatever arrives during a commit forms the
next group: one fsync serves all. The heads (next ids, journal head, blocks, last issue
times) are a snapshot tied to the transaction: a failed group leaves no gap and no broken
link. A failed group is run again one by one, so one bad row never fails its neighbours;
a number found used is a `Fence`, never skipped; an I/O error is the end of the store.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError
from twisted.internet.defer import Deferred

from fep.domain.faults import refuse
from fep.store.tx import Fence, Heads, Tx

T = TypeVar("T")
MAX_GROUP = 256


class Commits(Protocol):
    """Runs a blocking commit elsewhere and reports back on the reactor thread."""

    def __call__(self, commit: Callable[[], None]) -> Deferred[None]: ...


@dataclass(slots=True)
class Work:
    """One caller's wish; `grouped` items of one name run as one call of `fn`."""

    name: str
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    grouped: bool
    done: Deferred[Any]


class Store:
    """Owns the committing connection. All calls on the reactor thread only."""

    def __init__(
        self,
        reactor: Any,  # any IReactorTime; Twisted's interfaces are not types
        writer: Connection,
        reader: Connection,
        heads: Heads,
        commits: Commits,
        *,
        now_ms: Callable[[], int],
        on_fatal: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._conn = writer
        self._reader = reader
        self.heads = heads
        self._commits = commits
        self._now_ms = now_ms
        self._on_fatal = on_fatal
        self._thread = threading.get_ident()
        self._pending: deque[Work] = deque()
        self._busy = False
        self._scheduled = False
        self._suspects = 0  # so many of the next works are run one a transaction
        self._idle: list[Deferred[None]] = []
        self.dead = ""
        self.fenced = ""
        self.commits = 0
        self.after_commit: list[Callable[[Heads], None]] = []  # quick, and must not raise

    # from everybody
    def do(self, name: str, fn: Callable[..., T], *args: Any) -> Deferred[T]:
        """Run `fn(tx, *args)` in the next group; fires after its commit.

        Fails with what `fn` raises (its work alone is undone), or Refused STORE_DEAD.
        """
        return cast("Deferred[T]", self._add(Work(name, fn, args, False, Deferred())))

    def group(self, name: str, fn: Callable[[Tx, list[Any]], Sequence[T | Exception]],
              item: Any) -> Deferred[T]:  # fmt: skip
        """Run `fn(tx, items)` once for all items of that name in a group.

        `fn` answers one value an item; an Exception as value fails that caller only.
        """
        return cast("Deferred[T]", self._add(Work(name, fn, (item,), True, Deferred())))

    def read(self, fn: Callable[..., T], *args: Any) -> T:
        """Run a short query-only read at once; `fn(conn, *args)`.

        The read transaction ends with the call: an open one would grow the WAL.
        """
        assert threading.get_ident() == self._thread, "the store belongs to the reactor thread"
        try:
            return fn(self._reader, *args)
        except DBAPIError as error:
            if not self.dead and _store_failed(error):
                self._die([], error)
            raise
        finally:
            self._reader.rollback()

    def drained(self) -> Deferred[None]:
        """Fire when nothing is waiting and no commit is under way."""
        done: Deferred[None] = Deferred()
        if self._busy or self._pending:
            self._idle.append(done)
        else:
            done.callback(None)
        return done

    def close(self) -> None:
        """Close reader first, the writer last: its close checkpoints alone."""
        self._reader.close()
        self._reader.engine.dispose()
        self._conn.close()
        self._conn.engine.dispose()

    # the group
    def _add(self, work: Work) -> Deferred[Any]:
        assert threading.get_ident() == self._thread, "the store belongs to the reactor thread"
        if self.dead:
            work.done.errback(refuse("STORE_DEAD", why=self.dead))
            return work.done
        self._pending.append(work)
        self._kick()
        return work.done

    def _kick(self) -> None:
        if not self._busy and not self._scheduled and self._pending:
            self._scheduled = True
            # One turn of the reactor: all sockets readable now join one group.
            self._reactor.callLater(0, self._run)

    def _run(self) -> None:
        self._scheduled = False
        if self._busy or self.dead:
            return
        count = min(len(self._pending), MAX_GROUP)
        if self._suspects:
            self._suspects -= 1
            count = 1
        self._attempt([self._pending.popleft() for _ in range(count)])

    def _attempt(self, works: list[Work]) -> None:
        """Run works in one transaction; on trouble undo all and run each alone."""
        tx = Tx(self._conn, self.heads.copy(), self._now_ms())
        try:
            transaction = self._conn.begin()
        except DBAPIError as error:
            self._die(works, error)
            return
        try:
            results = _execute(tx, works)
            tx.flush()
        except Exception as error:
            try:
                transaction.rollback()
            except Exception as worse:  # nobody knows any more what the file holds
                self._die(works, worse)
                return
            self._undone(works, error)
            return
        self._busy = True
        done = self._commits(transaction.commit)
        done.addCallbacks(
            lambda _: self._committed(tx, works, results),
            lambda failure: self._die(works, failure.value),
        )

    def _undone(self, works: list[Work], error: Exception) -> None:
        if isinstance(error, Fence):
            self.fenced = str(error)
            # No neighbour of it gets a number any more; seals and notes go on.
            for work in works:
                if work.name == "freeze":
                    work.done.errback(error)
            works = [work for work in works if work.name != "freeze"]
        elif _store_failed(error):
            self._die(works, error)
            return
        if len(works) == 1:
            works[0].done.errback(error)
        elif works:
            # One a turn of the reactor: a long group would outgrow the stack otherwise.
            self._pending.extendleft(reversed(works))
            self._suspects = len(works)
        self._next()

    def _committed(self, tx: Tx, works: list[Work], results: list[Any]) -> None:
        self._busy = False
        self.heads = tx.heads
        self.commits += 1
        for told in self.after_commit:
            told(tx.heads)
        for work, result in zip(works, results, strict=True):
            if isinstance(result, Exception):
                work.done.errback(result)
            else:
                work.done.callback(result)
        self._next()

    def _next(self) -> None:
        self._kick()
        if not self._busy and not self._pending:
            idle, self._idle = self._idle, []
            for waiter in idle:
                waiter.callback(None)

    def _die(self, works: list[Work], error: BaseException) -> None:
        """After an I/O error nothing is issued until a restart has recovered (I14)."""
        self._busy = False
        self.dead = f"{type(error).__name__}: {error}"[:300]
        waiting = [*works, *self._pending]
        self._pending.clear()
        for work in waiting:
            work.done.errback(refuse("STORE_DEAD", why=self.dead))
        idle, self._idle = self._idle, []
        for waiter in idle:
            waiter.callback(None)
        self._on_fatal(self.dead)


def _store_failed(error: Exception) -> bool:
    """Tell a failing disk or file from a row that the rules refuse."""
    if isinstance(error, DBAPIError):
        return not isinstance(error, IntegrityError)
    return isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError)


def _execute(tx: Tx, works: list[Work]) -> list[Any]:
    """Run the works in order; items of one grouped name run together at the first's place."""
    results: list[Any] = [None] * len(works)
    grouped: dict[str, list[int]] = {}
    for index, work in enumerate(works):
        if work.grouped:
            grouped.setdefault(work.name, []).append(index)
    for index, work in enumerate(works):
        if not work.grouped:
            results[index] = work.fn(tx, *work.args)
        elif grouped[work.name][0] == index:
            indexes = grouped[work.name]
            answers = work.fn(tx, [works[i].args[0] for i in indexes])
            for i, answer in zip(indexes, answers, strict=True):
                results[i] = answer
    return results
