"""`receipt.find` and its like: every page complete, nobody else's receipts, no scan of a life."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any, cast

import pytest
from sqlalchemy import Connection, create_engine, event

from fep.domain.faults import Refused
from fep.services.callers import Caller
from fep.services.window import Window
from fep.services.window_find import Finding
from fep.store import find, schema
from fep.store.packed import pack

MANY = 300
CODE = "42060126"


def _row(index: int) -> dict[str, Any]:
    return {
        "id": index, "event_id": index, "unit": f"U{index % 2}", "kind": "k",
        "point": f"P{index % 3}", "code": CODE, "number": f"{index:010d}", "state": "sealed",
        "amount_fen": 100, "check_code": "abcdef", "payer": f"name{index % 7}",
        "issued_at": index * 1000, "issued_on": f"2026-01-{1 + index * 28 // (MANY + 1):02d}",
    }  # fmt: skip


@pytest.fixture
def conn() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    rows = [_row(index) for index in range(1, MANY + 1)]
    events = [
        {
            "id": row["id"], "unit": row["unit"], "caller": "his", "key": f"K{row['id'] // 2}",
            "digest": b"", "state": "issued", "received_at": 1, "reason": "",
            "body": pack(b'{"point":"%s"}' % str(row["point"]).encode()),
        }
        for row in rows
    ]  # fmt: skip
    blocks = [
        {
            "id": 1 + unit, "unit": f"U{unit}", "code": f"4206012{5 + unit}", "first": 1,
            "last": 9999, "next": 1, "state": "active", "source": "person", "evidence": "",
            "granted_at": 0,
        }
        for unit in range(2)
    ]  # fmt: skip
    with engine.connect() as conn:
        conn.execute(schema.receipt.insert(), rows)
        conn.execute(schema.event.insert(), events)
        conn.execute(schema.number_block.insert(), blocks)
        yield conn
    engine.dispose()


def _all(conn: Connection, query: find.Query, limit: int = 7) -> list[int]:
    """Page through; the pages are one descending list."""
    ids: list[int] = []
    cursor: int | None = 0
    while cursor is not None:
        page = find.find_q(conn, query, limit, cursor)
        ids += [one.id for one in page.receipts]
        cursor = page.cursor
    return ids


QUERIES = (
    find.Query(),
    find.Query(unit="U1"),
    find.Query(payer="name3"),
    find.Query(payer="nobody"),
    find.Query(day_from="2026-01-05", day_to="2026-01-06"),
    find.Query(unit="U0", day_to="2026-01-03"),
    find.Query(units=frozenset({"U1"}), day_from="2026-01-20"),
    find.Query(number=f"{5:010d}"),
    find.Query(number=f"{5:010d}", units=frozenset({"U0"})),
    find.Query(key="K3"),
    find.Query(unit="U9"),
    find.Query(unit="U9", day_from="2026-01-01"),
    find.Query(unit="U1", point="P1"),
    find.Query(point="nowhere"),
    find.Query(kind="k"),
    find.Query(amount_from=0, amount_to=100),
    find.Query(key="K3", amount_from=10**9),
)


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("scan_rows", [5, 20_000])
def test_pages_together_are_all_that_was_asked_for(
    conn: Connection, query: find.Query, scan_rows: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(find, "SCAN_ROWS", scan_rows)
    everything = [
        found for first in range(MANY, 0, -5)
        for found in find.find_q(conn, find.Query(), 5, first + 1).receipts
    ]  # fmt: skip
    expected = [one.id for one in everything if query.shows(one)]

    assert expected == _all(conn, query)


def test_no_search_walks_the_receipts_of_a_unit(conn: Connection):
    plans: list[str] = []

    def explain(_conn: Any, cursor: Any, text: str, values: Any, *_rest: Any) -> None:
        rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {text}", values)
        plans.extend(str(row[3]) for row in rows)

    event.listen(conn, "before_cursor_execute", explain)
    for query in QUERIES:
        find.find_q(conn, query, 5, 0)

    walks = [plan for plan in plans if "ix_receipt_day" in plan and "COVERING" not in plan]
    scans = [plan for plan in plans if plan.startswith(("SCAN receipt", "SCAN event"))]
    assert ([], []) == (walks, scans)


def _windows(conn: Connection) -> tuple[Window, Finding]:
    class Store:
        def read(self, fn: Any, *args: Any) -> Any:
            return fn(conn, *args)

    nobody: Any = None
    store = cast(Any, Store())
    return Window(store, nobody, nobody, nobody, nobody, "1"), Finding(store)


def _caller(unit: str) -> Caller:
    return Caller("his", frozenset({"query"}), frozenset({unit}), frozenset({"*"}))


def test_a_caller_reads_the_receipts_of_its_units_only(conn: Connection):
    window, finding = _windows(conn)
    mine, stranger = _caller("U1"), _caller("U0")
    by_number = {"code": CODE, "number": f"{5:010d}"}

    assert "U1" == window.get(mine, by_number)["receipt"]["unit"]
    assert "U1" == window.event(mine, {"id": 5})["event"]["unit"]
    assert {"U1"} == {one["unit"] for one in finding.find(mine, {})["receipts"]}
    with pytest.raises(Refused, match="RCP_UNKNOWN"):
        window.get(stranger, by_number)
    with pytest.raises(Refused, match="EVT_UNKNOWN"):
        window.event(stranger, {"id": 5})
    assert [] == finding.find(stranger, {"number": f"{5:010d}"})["receipts"]
    assert [] == finding.find(stranger, {"unit": "U1"})["receipts"]


@pytest.mark.parametrize("day", ["2026/01/01", "20260101", "2026-13-01", "2026-02-29", "today"])
def test_a_day_that_is_none_is_refused_and_finds_not_nothing(conn: Connection, day: str):
    """An empty answer would say that nothing was issued."""
    _, finding = _windows(conn)

    for name in ("from", "to"):
        with pytest.raises(Refused) as refused:
            finding.find(_caller("U0"), {name: day})
        assert ("REQ_FIELD_VALUE", name) == (refused.value.code, refused.value.details["field"])
    with pytest.raises(Refused):
        _now(finding.totals(_caller("U0"), {"from": day}))


def _now(asked: Coroutine[Any, Any, Any]) -> Any:
    """Run what has nothing to wait for."""
    with pytest.raises(StopIteration) as done:
        asked.send(None)
    return done.value.value
