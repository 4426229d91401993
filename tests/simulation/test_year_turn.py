"""The turn of the year without the platform: cut off on 28 December, healed on 4 January."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fep.domain.calendar import CST, local
from fep.services import desk_kinds
from fep.sim.his_content import Content
from fep.store import queries_stock
from tests.harness.checkers import check_world
from tests.harness.town import set_keys
from tests.simulation.city import City
from tests.simulation.till import Till

OLD, NEW = "42060126", "42060127"
CUT_OFF = datetime(2026, 12, 28, 8, tzinfo=CST)
MIDNIGHT = datetime(2027, 1, 1, tzinfo=CST)
BACK = datetime(2027, 1, 4, 12, tzinfo=CST)
HOUR = timedelta(hours=1)
# A platform that is silent for a week needs no heartbeat every few seconds.
LINK = {"heartbeat_s": "600.0", "silent_after_s": "1800.0", "late_after_s": "3600.0"}
CONTENT = Content(
    seed=28, unit="H001", point="001", kind="outpatient", at="20261228080000000",
)  # fmt: skip


class YearTurn(City):
    """A city that knows the calendar."""

    HEARTBEAT_S = 600.0

    def __init__(self, place: Path, begin: datetime) -> None:
        super().__init__(place, seed=28, begin=begin)
        set_keys(place / "fep.toml", "link", LINK)
        self.his.print_every = 0

    def until(self, at: datetime) -> None:
        """Let time pass until a wall clock time, coarsely but for the last seconds."""
        left = (at - self.clock.wall()).total_seconds()
        assert left >= 0, at
        self.hub.doze(max(0.0, left - 1), step_s=300.0)
        self.hub.run((at - self.clock.wall()).total_seconds())

    def granted(self, code: str, count: int) -> None:
        """Grant numbers of a code and wait until the node has them."""
        before = self.numbers_left()
        self.grant(count, code)
        arrived = self.hub.run(900, until=lambda: self.numbers_left() > before)
        assert arrived, self.notes.tail()

    def receive(self) -> dict[str, Any]:
        """Have one event happen now; return what the hospital was told."""
        before = len(self.his.told)
        self.his.want(1)
        assert self.hub.run(10, until=lambda: self.his.done), self.notes.tail()
        assert [] == self.his.refused
        assert before + 1 == len(self.his.told)
        acked = self.his.told[-1]
        return {"code": acked.code, "number": acked.number}

    def next_year(self) -> list[str]:
        """Return which kinds in use have no numbers for next year, as `kinds check` warns."""
        assert self.node is not None
        stocks = self.node.store.read(queries_stock.stock_q, self.node.now_ms())
        told = desk_kinds.told(self.node.settings, stocks, self.node.now_ms())
        return [row["zh"] for row in told["problems"] if NEW in row["zh"]]

    def rows(self, sql: str) -> list[Any]:
        """Return rows of the node's store."""
        assert self.node is not None
        return list(self.node.store.read(lambda conn: conn.exec_driver_sql(sql).all()))

    def violations(self) -> list[str]:
        """Stop the node; return what any checker finds."""
        self.stop()
        return [str(violation) for violation in check_world(self.look())]


@pytest.fixture
def city(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[YearTurn]:
    """A city whose node has this year's numbers; it begins when the test's mark says."""
    city = YearTurn(tmp_path / "site", request.param)
    city.start()
    city.granted(OLD, 300)
    city.his.open(1)
    yield city
    city.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("city", [CUT_OFF - HOUR], indirect=True)
def test_a_week_over_new_year_without_the_platform_stops_nobody(city: YearTurn):
    assert 1 == len(city.next_year())
    city.granted(NEW, 300)
    assert [] == city.next_year()
    blue = city.receive()
    city.settle(900)

    city.cut()
    for hour in range(int((BACK - CUT_OFF) / HOUR)):
        city.until(CUT_OFF + hour * HOUR)
        city.receive()
        if CUT_OFF + (hour + 1) * HOUR == MIDNIGHT:
            city.until(MIDNIGHT - timedelta(milliseconds=20))
            city.receive()
    assert 50 == _budget_warnings(city)
    assert 1 == len(city.book.rows("SELECT number FROM receipt"))

    city.heal()
    till = Till(city)
    red = till.told(
        "receipt.reverse", unit="H001", key="RV1", **blue, reason="退费", operator="王芳"
    )["receipt"]
    city.settle(4 * 3600)

    _codes_are_of_their_year(city)
    assert (OLD, NEW) == (blue["code"], red["code"])
    assert _reds(city) == [(f"{NEW}-{red['number']}", f"{OLD}-{blue['number']}")]
    assert f"<RelatedInvoiceNumber>{blue['number']}</RelatedInvoiceNumber>" in _document(city, red)
    _delivered_once_in_order(city)
    assert [] == city.violations()


def _budget_warnings(city: YearTurn) -> int:
    """Return the percentage last warned of; 336 h are not used up in a week."""
    found = [facts for _level, event, facts in city.notes.lines if event == "offline.budget"]
    return int(found[-1]["used_percent"]) if found else 0


def _codes_are_of_their_year(city: YearTurn) -> None:
    issued = city.rows("SELECT code, issued_at, issued_on FROM receipt ORDER BY id")
    for row in issued:
        year = local(row.issued_at).year
        assert f"{year % 100:02d}" == row.code[6:8], row
        assert f"{local(row.issued_at):%Y-%m-%d}" == row.issued_on
    turn_ms = int(MIDNIGHT.timestamp() * 1000)
    near = [row.code for row in issued if abs(row.issued_at - turn_ms) < 50]
    assert [OLD, NEW] == near


def _reds(city: YearTurn) -> list[tuple[str, str]]:
    return [
        (f"{row['code']}-{row['number']}", f"{row['blue_code']}-{row['blue_number']}")
        for row in city.book.rows("SELECT * FROM red")
    ]


def _document(city: YearTurn, receipt: dict[str, Any]) -> str:
    found = city.rows(
        "SELECT o.body FROM original o JOIN receipt r ON r.id = o.receipt_id"
        f" WHERE r.code = '{receipt['code']}' AND r.number = '{receipt['number']}'"
    )
    return zlib.decompress(found[0].body).decode()


def _delivered_once_in_order(city: YearTurn) -> None:
    sent = city.book.rows("SELECT code, number, result FROM record ORDER BY rec_seq")
    arrived = [(row["code"], row["number"]) for row in sent if row["result"] == "OK"]
    issued = [(row.code, row.number) for row in city.rows("SELECT * FROM receipt ORDER BY id")]
    assert issued == arrived
    assert [(len(issued),)] == city.rows("SELECT count(*) FROM supervision")
    assert city.node is not None
    assert city.node.parts.uplink is not None
    assert 0 == city.node.parts.uplink.status().supervision_bad


@pytest.mark.timeout(120)
@pytest.mark.parametrize("city", [MIDNIGHT - HOUR], indirect=True)
def test_without_the_new_years_block_callers_are_told_its_code_and_submitted_events_wait(
    city: YearTurn,
):
    city.receive()
    city.until(MIDNIGHT + timedelta(minutes=1))
    till = Till(city)
    first, second = (json.loads(CONTENT.call(number).params) for number in (1, 2))

    refused = till.ask("receipt.issue", **first)["error"]["data"]
    waiting = till.told("event.submit", **second)["event"]

    assert ("NUM_NONE", True) == (refused["fault"], NEW in refused["zh"])
    assert "queued" == waiting["state"]
    city.hub.doze(1800)
    assert 1 == len(city.rows("SELECT id FROM receipt WHERE state = 'sealed'"))

    city.granted(NEW, 50)
    city.settle(3600)

    issued = till.told("event.get", unit="H001", key=second["key"])["event"]
    assert "issued" == issued["state"]
    assert [OLD, NEW] == [row.code for row in city.rows("SELECT code FROM receipt ORDER BY id")]
    assert NEW == till.told("receipt.issue", **first)["receipt"]["code"]
    city.settle(900)
    assert [] == city.violations()
