"""The link without a relay: its rate, and a platform that lives but gets nothing done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from fep.domain.link import LinkState
from fep.domain.platform import Operation, Parcel, Reply, Verdict
from fep.services.direct import Direct
from fep.services.number_fetch import Shelf
from tests.unit.link.link_world import World


class Province:
    """Tells its time always; takes receipts only while `busy` is off."""

    name = "province"
    capabilities = frozenset({Operation.ISSUE, Operation.TIME})
    offset_ms = 0

    def __init__(self) -> None:
        self.answers = 0
        self.busy = False
        self.waiting: list[Deferred[Reply]] = []
        self.sent: list[str] = []
        self.found: list[str] = []

    async def deliver(self, parcel: Parcel) -> Reply:
        assert parcel.op is Operation.ISSUE
        self.sent.append(parcel.number)
        if self.busy:
            self.waiting.append(Deferred())
            return await self.waiting[-1]
        return Reply(Verdict.OK)

    async def find(self, parcel: Parcel) -> Reply:
        self.found.append(parcel.number)
        return Reply(Verdict.DUP)

    async def ask(self, op: Operation, fields: Mapping[str, str]) -> Reply:
        assert (Operation.TIME, "u1") == (op, fields["unit"])
        self.answers += 1
        return Reply(Verdict.OK)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, late_after_s=120.0)
    made.grant()
    yield made
    made.store.close()


def _link(world: World, province: Province) -> Direct:
    shelf = Shelf(lambda _: 0, lambda *_: succeed(True), lambda *_: succeed(None), 1)
    platform: Any = province
    link = Direct(world.uplink._ends, platform, shelf, in_flight=4, settle_s=1.0, unit="u1")
    link.start()
    return link


def test_a_direct_link_tells_how_fast_the_platform_answers(world: World):
    link = _link(world, Province())
    world.issue(20)
    link.wake()
    world.run(5)

    status = link.status()

    assert (LinkState.ONLINE, 0, True) == (status.state, status.backlog, status.moving)
    assert 20 / 10 < status.applied_per_s <= 20 / 5
    world.run(65, step=5)
    assert 0.0 == link.status().applied_per_s


def test_a_platform_that_tells_its_time_and_takes_nothing_is_late(world: World):
    province = Province()
    province.busy = True
    link = _link(world, province)
    world.run(200, step=10)
    idle = link.status()
    world.issue(3)
    link.wake()
    world.run(100, step=10)
    patient = link.status()
    world.run(30, step=10)
    late = link.status()
    for each in province.waiting:
        each.callback(Reply(Verdict.OK))
    world.run(2)

    assert [LinkState.ONLINE, LinkState.ONLINE, LinkState.DEGRADED, LinkState.ONLINE] == [
        one.state for one in (idle, patient, late, link.status())
    ]
    assert ("late", 3, 0) == (late.reason, late.backlog, link.status().backlog)


def test_what_had_left_is_asked_for_by_key_after_a_restart_and_never_sent_blindly(world: World):
    province, later = Province(), Province()
    province.busy = True
    link = _link(world, province)
    numbers = world.issue(3)
    link.wake()
    world.run(1)
    left = list(province.sent)

    again = _link(world, later)
    world.run(5)

    assert (numbers, []) == (sorted(left), province.found)
    assert (numbers, []) == (sorted(later.found), later.sent)
    assert 0 == again.status().backlog
