"""A storeroom that is guarded: what the tests of fence, clock and audit share."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred

from fep.services.fence import Fence
from tests.harness.storeroom import Storeroom


class Notes:
    """The log, kept in memory."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **facts: self.lines.append((level, event))


class Gate:
    """What a fence closes."""

    def __init__(self, store: Any) -> None:
        self.store, self.fenced = store, ""

    def fence(self, why: str) -> None:
        self.fenced = self.fenced or why

    def unfence(self) -> None:
        self.fenced = self.store.fenced = ""


class Dice:
    """Entropy that counts."""

    def __init__(self) -> None:
        self._next = 0

    def token(self, size: int) -> bytes:
        self._next += 1
        return self._next.to_bytes(size, "big")

    def below(self, bound: int) -> int:
        return bound - 1


class Room(Storeroom):
    """A storeroom with a fence beside it."""

    fence: Fence
    gate: Gate

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine to its end. Raises what it raises."""
        return self.done(Deferred.fromCoroutine(coroutine))

    def ops(self, prefix: str) -> list[str]:
        """Return the ops of the journal that begin so, in order."""
        rows = self.store.read(
            lambda conn: conn.exec_driver_sql("SELECT line FROM journal ORDER BY seq").all()
        )
        found = [json.loads(row[0])["op"] for row in rows]
        return [op for op in found if op.startswith(prefix)]

    def guard(self) -> Fence:
        """Start a fence as the node does."""
        self.gate = Gate(self.store)
        self.fence = Fence(
            Dice(), self.store, self.site / "witness", Notes(), now_ms=lambda: self.wall_ms,
            threads=False,
        )  # fmt: skip
        self.run(self.fence.start(self.gate))
        return self.fence
