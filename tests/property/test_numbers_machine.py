"""Numbers and events under any order of freezes, seals, refusals, grants, disk trouble and
restarts, against a model of a few lines: I1, I2, I3 and I5."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from twisted.internet.defer import fail
from twisted.internet.task import Clock

from fep.domain.faults import Refused
from fep.store import issuing, numbers
from tests.harness.books import ask
from tests.harness.checkers import check_all
from tests.harness.storeroom import CODE, UNIT, Storeroom

KEYS = st.sampled_from([f"K{n}" for n in range(6)])


class Counter(RuleBasedStateMachine):
    """The store on one side; on the other what a clerk with a pencil would know."""

    def __init__(self) -> None:
        super().__init__()
        self.site = Path(tempfile.mkdtemp(prefix="fep-numbers-"))
        self.room = Storeroom(self.site / "site")
        self.room.open()
        self.given: list[int] = []  # granted and not yet used, in the order they will be
        self.frozen: dict[str, Any] = {}  # key -> receipt
        self.live: dict[str, tuple[int, int]] = {}  # key -> (number, amount)
        self.burned: list[int] = []

    @initialize(count=st.integers(1, 4))
    def begin(self, count: int) -> None:
        self._grant(1, count)

    # what may happen
    @rule(first=st.integers(0, 60), count=st.integers(1, 6))
    def grant(self, first: int, count: int) -> None:
        """Blocks are taken once, never over numbers that were granted before."""
        self._grant(first, count)

    @rule(keys=st.lists(st.tuples(KEYS, st.sampled_from([100, 200])), min_size=1, max_size=5,
                        unique_by=lambda pair: pair[0]))  # fmt: skip
    def freeze(self, keys: list[tuple[str, int]]) -> None:
        """A group of events, some of them known."""
        answers = self.room.freeze(*(self.room.draft(key, amount) for key, amount in keys))

        assert [self._expected(key, amount) for key, amount in keys] == [
            (each.code if isinstance(each, Refused) else each.receipt.number) for each in answers
        ]
        for (key, _amount), answer in zip(keys, answers, strict=True):
            if not isinstance(answer, Refused) and answer.original is not None:
                self.frozen[key] = answer.receipt

    @rule(key=KEYS, amount=st.sampled_from([100, 200]))
    def freeze_beside_a_bad_row(self, key: str, amount: int) -> None:
        """The bad one costs nothing but itself."""
        bad, good = self.room.freeze(
            self.room.draft("BAD", check_code=None, digest=b"b" * 32),
            self.room.draft(key, amount),
        )
        assert isinstance(bad, Exception)
        assert self._expected(key, amount) == (
            good.code if isinstance(good, Refused) else good.receipt.number
        )
        if not isinstance(good, Refused) and good.original is not None:
            self.frozen[key] = good.receipt

    @rule(data=st.data())
    def seal(self, data: st.DataObject) -> None:
        """Any of the frozen, in any order."""
        if self.frozen:
            keys = data.draw(st.lists(st.sampled_from(sorted(self.frozen)), unique=True))
            answers = self.room.seal(*(self.frozen.pop(key) for key in keys))
            assert [None] * len(keys) == answers

    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        """A caller is told no: its number is burned and its key is free."""
        if self.frozen:
            key = data.draw(st.sampled_from(sorted(self.frozen)))
            receipt = self.frozen.pop(key)
            self.room.done(self.room.store.do("refuse", issuing.refuse_txn, receipt, "SIG_TIMEOUT"))
            self.burned.append(self.live.pop(key)[0])

    @rule()
    def restart(self) -> None:
        """Memory is lost; the frozen ones are found again."""
        self.room.close()
        self.room.clock = Clock()
        self.room.open()
        from fep.store import receipts

        found = self.room.store.read(receipts.frozen_q, 100)
        assert {r.key: r.number for r in self.frozen.values()} == {r.key: r.number for r in found}
        self.frozen = {receipt.key: receipt for receipt in found}

    @rule(key=KEYS)
    def the_disk_fails_under_a_commit(self, key: str) -> None:
        """Nothing of that group happened; a restart goes on."""
        self.room.store._commits = lambda _commit: fail(OSError(5, "Input/output error"))
        (answer,) = self.room.freeze(self.room.draft(key, 100))
        assert "STORE_DEAD" == answer.code
        self.restart()

    # what must hold
    @invariant()
    def the_books_say_what_the_clerk_knows(self) -> None:
        rows = ask(
            self.site / "site" / "data" / "fep.db",
            "SELECT r.number, r.state, e.key FROM receipt r JOIN event e ON e.id = r.event_id",
        )
        live = {key: int(number) for number, state, key in rows if state != "burned"}
        assert {key: number for key, (number, _) in self.live.items()} == live  # I5
        assert len(rows) == len({number for number, _, _ in rows})  # I1
        assert sorted(self.burned) == sorted(int(n) for n, state, _ in rows if state == "burned")
        left = [
            number
            for block in self.room.store.heads.blocks.get((UNIT, CODE), ())
            for number in range(block.next, block.last + 1)
        ]
        assert self.given == left  # I2, I3

    def teardown(self) -> None:
        """Sign what is frozen, close, and let the general checkers look."""
        self.room.seal(*self.frozen.values())
        self.room.close()
        found = [str(violation) for violation in check_all(self.site / "site", None, None, None)]
        shutil.rmtree(self.site)
        assert [] == found

    # the clerk
    def _grant(self, first: int, count: int) -> None:
        last = first + count - 1
        used = [number for number, _ in self.live.values()] + self.burned
        block = numbers.Grant(UNIT, CODE, f"{first:010d}", f"{last:010d}", "person", "1")
        (answer,) = self.room.all_of([self.room.store.do("grant", numbers.grant_txn, block)])
        wanted = set(range(first, last + 1))
        if first == 0:
            assert "NUM_RANGE" == answer.code
        elif answer is True:
            assert not wanted & {*used, *self.given}
            self.given += range(first, last + 1)
        else:  # this very block again, or one that lies over another
            assert answer is False or "NUM_OVERLAP" == answer.code
            assert wanted & {*used, *self.given}

    def _expected(self, key: str, amount: int) -> str:
        if key in self.live:
            number, before = self.live[key]
            return f"{number:010d}" if before == amount else "EVT_CONFLICT"
        if not self.given:
            return "NUM_NONE"
        self.live[key] = (self.given.pop(0), amount)
        return f"{self.live[key][0]:010d}"


TestNumbersMachine = Counter.TestCase
TestNumbersMachine.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
