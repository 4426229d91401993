"""The desk's view of the link: outlook, batches, history, files carried by hand, one way."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fep.domain.faults import Refused
from fep.domain.link_budget import OfflineBudget, OfflineUse
from fep.services.desk import answer
from fep.services.desk_context import DeskContext, at_once
from fep.wire.fpb_ack import Result
from tests.unit.link.link_world import CODE, NODE, PLATFORM, World, begun


class Desk:
    """A desk on a link in memory."""

    def __init__(self, root: Path) -> None:
        self.world = World(root, records_max=10, poll_s=1.0)
        self.world.grant()
        settings = SimpleNamespace(
            link=self.world.settings, node=SimpleNamespace(id=NODE, data=root), units={"u1": None}
        )
        budget = SimpleNamespace(
            limits=OfflineBudget(hours=336), use=lambda: OfflineUse(offline_ms=12 * 3_600_000)
        )
        self.context = DeskContext(
            settings=settings, store=self.world.store, clock=self.world.watch, issue=None,
            spool=None, uplink=self.world.uplink, started_at=0, selfcheck=None, version="0.1.0",
            aside=at_once, peer="tester(0)", budget=budget, data=root,
        )  # fmt: skip

    def ask(self, method: str, **params: Any) -> Any:
        return self.world.done(begun(answer(self.context, method, params)))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.world.uplink.start()
    yield made
    made.world.store.close()


def test_the_outlook_tells_when_the_backlog_is_empty_and_how_long_quota_lasts(desk: Desk):
    before = desk.ask("link.outlook")
    desk.world.issue(25)
    desk.world.run(3, gate=False)

    after = desk.ask("link.outlook")

    assert (0, 13.5) == (before["empty_in_s"], before["quota_days"])
    assert after["empty_in_s"] is None, "nothing is applied, so nobody knows"
    assert after["numbers_days"] is not None


def test_the_forecast_is_unknown_while_nothing_leaves_and_known_soon_after(desk: Desk):
    desk.world.issue(25)
    desk.world.run(4)
    rate = desk.world.uplink.status().applied_per_s
    desk.ask("link.pause", reason="platform is serviced")
    desk.world.issue(10)
    desk.world.run(3)
    paused = desk.ask("link.outlook")["empty_in_s"]
    desk.ask("link.resume", reason="done")
    desk.world.run(0.1, gate=False)
    moving = desk.ask("link.outlook")["empty_in_s"]
    silent_s = desk.world.uplink.status().offline_s
    while desk.world.uplink.status().state != "offline" and silent_s < 600:
        desk.world.run(5, gate=False, step=1)
        silent_s = desk.world.uplink.status().offline_s

    assert rate >= 25 / 5, "25 in four seconds are not 25 in a minute"
    assert paused is None
    assert moving in (2, 3), "ten, at 25 in five to seven seconds"
    assert desk.ask("link.outlook")["empty_in_s"] is None


def test_the_quota_lasts_as_long_as_its_nearest_limit_at_the_busiest_rate(desk: Desk):
    desk.world.issue(20)
    fen = desk.world.rows("SELECT sum(amount_fen) FROM receipt")[0][0]
    use = OfflineUse(offline_ms=12 * 3_600_000, count=20, amount_fen=fen)
    found = []
    for limits in (OfflineBudget(hours=336, count=90), OfflineBudget(amount_fen=fen * 3),
                   OfflineBudget(hours=None, count=10), OfflineBudget(hours=None)):  # fmt: skip
        desk.context.budget.limits, desk.context.budget.use = limits, lambda: use
        found.append(desk.ask("link.outlook")["quota_days"])

    assert [3.5, 2.0, 0.0, None] == found


def test_open_batches_are_listed_oldest_first_and_closed_ones_on_demand(desk: Desk):
    desk.world.issue(25)
    desk.world.run(4, gate=False)
    waiting = desk.ask("link.batches")["batches"]
    desk.world.run(4)

    assert [(1, "written"), (2, "written"), (3, "written")] == [
        (row["seq"], row["state"]) for row in waiting
    ]
    assert [] == desk.ask("link.batches")["batches"]
    assert [3, 2] == [r["seq"] for r in desk.ask("link.batches", closed=True, limit=2)["batches"]]


def test_batches_carried_by_hand_are_those_the_gate_would_have_carried(desk: Desk):
    desk.world.issue(25)
    desk.world.run(4, gate=False)
    files: list[dict[str, Any]] = []
    after, more = 0, True
    while more:
        told = desk.ask("link.export", after=after, reason="gate is dead")
        files, more = files + told["files"], told["more"]
        after = files[-1]["id"]
    lost = dict(desk.world.ferry.out)
    desk.world.ferry.out.clear()

    for file in files:
        desk.world.platform.receive(base64.b64decode(file["content"]))

    data = {name: content for name, content in lost.items() if "-0001-1-" in name}
    assert data == {file["name"]: base64.b64decode(file["content"]) for file in files}
    assert 25 == len(desk.world.platform.applied)
    assert ["link.exported"] * 2 == [
        row["op"] for row in desk.ask("link.history")["history"] if row["op"] == "link.exported"
    ]


def test_an_answer_brought_by_hand_confirms_and_is_in_the_history(desk: Desk):
    desk.world.inbound = lambda name: 0
    desk.world.issue(5)
    desk.world.run(4)
    answer_file = desk.world.platform.ack(tuple(Result(seq, "OK") for seq in range(1, 6)))

    told = desk.ask(
        "link.import", content=base64.b64encode(answer_file).decode(), reason="USB", ack=True
    )
    desk.world.run(3)

    assert "ACK" == told["kind"]
    assert {"applied": 5} == desk.world.states()
    newest = next(
        row for row in desk.ask("link.history")["history"] if row["op"] == "link.imported"
    )
    assert ("tester(0)", "USB") == (newest["body"]["by"], newest["body"]["reason"])


def test_what_is_no_file_for_us_is_refused_before_anything_is_stored(desk: Desk):
    desk.world.inbound = lambda name: 0
    grant = desk.world.platform.grant(200_001, 200_010)
    desk.world.issue(1)
    desk.world.run(3, gate=False)
    (ours,) = [c for name, c in desk.world.ferry.out.items() if "-0001-1-" in name]
    refused = []
    forged = bytearray(grant)
    forged[len(forged) - 90] ^= 1  # within the sealed body
    for content, ack in ((b"hello", False), (grant[:-5], False), (grant, True), (ours, False),
                         (bytes(forged), False)):  # fmt: skip
        text = base64.b64encode(content).decode()
        with pytest.raises(Refused) as told:
            desk.ask("link.import", content=text, reason="x", ack=ack)
        refused.append(told.value.code)

    assert ["LINK_FILE"] * 5 == refused
    assert "签名不符" in told.value.zh
    assert {} == desk.world.ferry.arrivals
    with pytest.raises(Refused, match="CTL_REASON"):
        desk.ask("link.import", content=base64.b64encode(grant).decode(), reason=" ")


def test_the_way_of_a_receipt_names_batch_and_answer(desk: Desk):
    (number,) = desk.world.issue(1)
    before = desk.ask("link.way", code=CODE, number=number)
    desk.world.run(4)

    after = desk.ask("link.way", code=CODE, number=number)

    assert [("due", 0)] == [(row["state"], row["batch_seq"]) for row in before["rows"]]
    (row,) = after["rows"]
    assert (PLATFORM, "applied", 1, "OK", "acked") == (
        row["dest"], row["state"], row["batch_seq"], row["result"], row["batch_state"]
    )  # fmt: skip
    assert 7 == after["supervised_at"]
    with pytest.raises(Refused, match="RCP_UNKNOWN"):
        desk.ask("link.way", code=CODE, number="9999999999")


def test_the_history_tells_states_pauses_and_words(desk: Desk):
    desk.world.platform.ack()
    desk.world.run(3)
    desk.world.done(begun(desk.world.uplink.pause("maintenance", "tester")))

    told = desk.ask("link.history", limit=3)["history"]

    assert "link.paused" in [row["op"] for row in told]
    assert told == sorted(told, key=lambda row: -row["seq"])
