"""Copy the data directory, go on issuing, put the copy back: no number is ever given twice.

The real node in one process on a fake clock, with HIS, gate and province; the data directory
is copied at rest or under load, the node stopped or killed, the witness torn or lost.
"""

from __future__ import annotations

import functools
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from fep.crypto import selftest
from fep.domain.faults import Refused
from fep.sim import province_desk
from tests.harness import books
from tests.harness.check_chain import check_chain
from tests.harness.check_numbers import check_unique
from tests.harness.world import World
from tests.simulation import city as simulation
from tests.simulation.city import City

ROUNDS = int(os.environ.get("FEP_RESTORES", "50"))
FENCED = ("FENCE_OLDER", "FENCE_DIVERGED", "FENCE_MISSING")


@dataclass
class Story:
    """A site whose operators put old copies back; `given` remembers every number for ever."""

    city: City
    dice: random.Random
    given: dict[str, str] = field(default_factory=dict)  # code-number -> unit and key
    fenced: int = 0
    lifted: int = 0
    seen: set[str] = field(default_factory=set)

    @property
    def data(self) -> Path:
        return self.city.place / "data"

    @property
    def copy(self) -> Path:
        return self.city.place / "copy"

    @property
    def witness(self) -> Path:
        return self.city.place / "witness"

    def issue(self, count: int) -> None:
        """Let that many events happen, and be answered."""
        self.city.his.want(count)
        assert self.city.hub.run(600, until=lambda: self.city.his.done), self.city.notes.tail()

    def down(self) -> None:
        """Stop the node in order, or take it away."""
        if self.dice.random() < 0.5:
            self.city.stop()
        else:
            self.city.crash()
            if self.dice.random() < 0.5 and self.witness.is_dir():
                newest = max(self.witness.iterdir())
                with newest.open("ab") as file:
                    file.write(b"fepw1 torn by the power cut 1 2 3"[: self.dice.randrange(1, 30)])
        self.remember()

    def remember(self) -> None:
        """Write down every number of the store; a second holder of one is the end."""
        rows = _rows(self.data / "fep.db")
        for ref, key in rows:
            assert key == self.given.setdefault(ref, key), f"{ref} was given twice"
        for acked in self.city.his.told:
            assert f"{acked.unit} {acked.key}" == self.given[acked.ref], acked

    def put_back(self, source: Path) -> None:
        """Replace the data directory."""
        shutil.rmtree(self.data)
        shutil.copytree(source, self.data, ignore=_no_sockets)

    def numbers_come(self) -> None:
        """Have numbers granted until there are enough for a round."""
        if self.city.numbers_left() < 40:
            self.city.grant(self.dice.randrange(40, 90))
            came = self.city.hub.run(900, until=lambda: self.city.numbers_left() >= 40)
            assert came, self.city.notes.tail()

    def lift(self) -> Any:
        """Two people lift the fence."""
        results: list[Any] = []
        fence = self.city.node.guard.fence
        work = fence.lift("数据已丢失", "admin", ("张三", "李四"))
        Deferred.fromCoroutine(work).addBoth(results.append)
        assert self.city.hub.run(60, until=lambda: bool(results))
        self.lifted += 1
        return results[0]


def _no_sockets(_directory: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".sock")]


def _rows(store: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(store, isolation_level=None)
    try:
        return connection.execute(
            "SELECT r.code || '-' || r.number, e.unit || ' ' || e.key FROM receipt r"
            " JOIN event e ON e.id = r.event_id"
        ).fetchall()
    finally:
        connection.close()


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Return a site that has begun.

    All starts are of one process and of one configuration that nobody changes: its files are
    read and its crypto is tested against itself at the first of them.
    """
    monkeypatch.setattr(simulation, "load", functools.cache(simulation.load))
    monkeypatch.setattr(selftest, "run", functools.cache(selftest.run))
    city = City(tmp_path / "city", 7)
    city.his.print_every = 0
    city.his.open(3)
    city.start()
    told = Story(city, random.Random(20261121))
    told.numbers_come()
    yield told
    city.close()


def _one_round(story: Story) -> None:
    """Copy, go on, put back, start: fenced; then go on in one of the two ways there are."""
    city, dice = story.city, story.dice
    story.numbers_come()
    story.issue(dice.randrange(1, 5))
    under_load = dice.random() < 0.4
    if not under_load:
        story.down()
    shutil.rmtree(story.copy, ignore_errors=True)
    shutil.copytree(story.data, story.copy, ignore=_no_sockets)
    if not under_load:
        city.start()
    story.issue(dice.randrange(1, 6))
    story.down()
    newest = city.place / "newest"
    shutil.rmtree(newest, ignore_errors=True)
    shutil.copytree(story.data, newest, ignore=_no_sockets)
    lost = dice.random() < 0.15
    if lost:
        shutil.rmtree(story.witness)
    story.put_back(story.copy)

    city.start()

    finding = city.node.guard.fence.finding
    assert finding in FENCED, finding
    story.seen.add(finding)
    told = len(city.his.told)
    story.issue(dice.randrange(1, 4))
    assert told == len(city.his.told), "something was issued behind the fence"
    story.fenced += 1
    if dice.random() < 0.3:  # the fence stays over restarts
        story.down()
        city.start()
        assert city.node.guard.fence.finding in FENCED
    if dice.random() < 0.5 and not lost:
        story.down()
        story.put_back(newest)
        city.start()
        assert "sound" == city.node.guard.fence.finding
    else:
        done = story.lift()
        assert not isinstance(done, Exception), done
        if lost:
            _open_what_comes(story)
    story.numbers_come()
    story.issue(dice.randrange(1, 5))
    assert told < len(city.his.told)


def _delivered(story: Story) -> dict[str, Any]:
    """Let everything that is due be delivered; return the province's own ledger."""
    city = story.city
    due = "SELECT count(*) FROM upload WHERE state IN ('due', 'sent')"

    def left(conn: Any) -> int:
        return int(conn.exec_driver_sql(due).scalar())

    done = city.hub.run(3_600, until=lambda: city.node.store.read(left) == 0)
    assert done, city.notes.tail()
    return province_desk.report(city.book)


def _open_what_comes(story: Story) -> None:
    """After a blind lift grants come in sealed; a person opens one that is new for certain."""
    from fep.store.stock import open_reserve_txn

    city = story.city
    city.grant(60)
    store = city.node.store
    assert city.hub.run(900, until=lambda: bool(store.read(_sealed_q))), city.notes.tail()
    code, first = store.read(_sealed_q)[-1]
    assert not any(f"{code}-{number:010d}" in story.given for number in range(first, first + 60))
    store.do("open", open_reserve_txn, code, f"{first:010d}", "新号段", "admin")
    assert city.hub.run(60, until=lambda: city.numbers_left() >= 40)


def _sealed_q(conn: Any) -> list[Any]:
    return list(
        conn.exec_driver_sql(
            "SELECT code, first FROM number_block WHERE state = 'reserve' ORDER BY first"
        ).all()
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_copy_put_back_is_fenced_and_no_number_is_given_twice(story: Story):
    for _round in range(ROUNDS):
        _one_round(story)
    told = _delivered(story)
    story.down()

    world = World(books.read(story.data / "fep.db"))
    assert [] == [str(each) for check in (check_unique, check_chain) for each in check(world)]
    assert (0, [], 0) == (told["conflicts"], told["rejected"], told["bad_signatures"])
    assert len(told["receipts"]) == len({(row["code"], row["number"]) for row in told["receipts"]})
    assert ROUNDS == story.fenced
    if ROUNDS >= 50:
        assert story.lifted >= 10
        assert {"FENCE_OLDER", "FENCE_MISSING"} <= story.seen


def test_the_newest_data_put_back_ends_the_fence_and_nothing_is_burned(story: Story):
    story.issue(3)
    story.down()
    shutil.copytree(story.data, story.copy, ignore=_no_sockets)
    story.city.start()
    story.issue(3)
    story.down()
    newest = story.city.place / "newest"
    shutil.copytree(story.data, newest, ignore=_no_sockets)
    story.put_back(story.copy)
    story.city.start()
    assert "FENCE_OLDER" == story.city.node.guard.fence.finding
    story.down()

    story.put_back(newest)
    story.city.start()
    story.issue(2)
    story.down()

    assert [] == books.read(story.data / "fep.db")["burn"]
    assert 8 == len(story.given)


def test_one_person_alone_lifts_nothing(story: Story):
    story.issue(2)
    story.down()
    shutil.rmtree(story.witness)
    story.city.start()
    results: list[Any] = []
    fence = story.city.node.guard.fence

    work = fence.lift("试试", "admin", ("张三", " 张三 "))
    Deferred.fromCoroutine(work).addErrback(lambda failure: results.append(failure.value))
    story.city.hub.run(1)

    (refused,) = results
    assert isinstance(refused, Refused)
    assert "FENCE_TWO" == refused.code
    assert fence.closed
