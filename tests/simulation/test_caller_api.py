"""The socket API on a real daemon, by `fep.client` and by code of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.client import Client, Payer, RemoteFault
from tests.harness.books import ask
from tests.harness.counter_town import CounterTown, counter_town, enter, event
from tests.harness.doors import now
from tests.harness.processes import Fleet, wait_until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CounterTown]:
    """A daemon with its doors open."""
    place: Path = tmp_path_factory.mktemp("caller")
    with Fleet(place / "world" / "logs") as fleet:
        yield counter_town(place, fleet)


@pytest.fixture
def client(town: CounterTown) -> Iterator[Client]:
    """The client of the HIS."""
    with enter(town) as made:
        yield made


def settled(client: Client, key: str) -> None:
    wait_until(lambda: client.batch_progress(key).done, f"batch {key}", timeout_s=20)


# batches
def test_a_batch_is_issued_by_itself_and_each_event_tells_its_own_fault(
    town: CounterTown, client: Client
):
    client.issue(event(town, "B1-known", payer=Payer("别人")))
    good = [event(town, f"B1-{n}") for n in range(5)]
    bad = [event(town, "B1-known"), event(town, "B1-sum", total="1.00"),
           event(town, "B1-point", point="nowhere")]  # fmt: skip

    taken = client.batch("B1", good + bad + good[:1])
    settled(client, "B1")
    results = list(client.batch_results("B1"))

    assert (9, 3, False) == (taken.count, taken.refused, taken.repeated)
    assert ["issued"] * 5 + ["refused"] * 3 + ["issued"] == [one.state for one in results]
    assert ["EVT_CONFLICT", "EVT_ITEMS_SUM", "CFG_POINT"] == [one.fault for one in results[5:8]]
    assert results[0].receipt == results[8].receipt
    assert all(one.zh and one.en for one in results[5:8])
    assert [one.key for one in good] == [one.receipt.key for one in results[:5] if one.receipt]


def test_the_same_batch_again_is_the_same_and_other_content_is_refused(
    town: CounterTown, client: Client
):
    events = [event(town, f"B2-{n}") for n in range(3)]
    client.batch("B2", events)
    settled(client, "B2")
    first = list(client.batch_results("B2"))

    again = client.batch("B2", events)
    with pytest.raises(RemoteFault) as other:
        client.batch("B2", events[:2])

    assert (True, 3) == (again.repeated, again.issued)
    assert first == list(client.batch_results("B2"))
    assert "BATCH_CONFLICT" == other.value.code
    assert [(3,)] == ask(town.store, "SELECT count(*) FROM event WHERE key LIKE 'B2-%'")


def test_a_batch_is_its_callers_alone_and_has_a_bound(town: CounterTown, client: Client):
    client.batch("B3", [event(town, "B3-0")])

    with enter(town, "sha", "hmac-sha256") as other, pytest.raises(RemoteFault) as unknown:
        other.batch_progress("B3")
    with pytest.raises(RemoteFault) as size:
        client.batch("B4", [event(town, f"B4-{n}") for n in range(201)])

    assert ("BATCH_UNKNOWN", "BATCH_SIZE") == (unknown.value.code, size.value.code)


def test_results_of_a_batch_come_in_pages(town: CounterTown, client: Client):
    client.batch("B5", [event(town, f"B5-{n:03d}") for n in range(200)])
    settled(client, "B5")

    found, first = [], 0
    while first is not None:
        page = client.call("batch.get", **{"key": "B5", "from": first, "limit": 70})
        found += [one["key"] for one in page["results"]]
        first = page["next"]

    assert [f"B5-{n:03d}" for n in range(200)] == found


def test_a_batch_that_was_taken_survives_a_kill_and_is_issued_once(town: CounterTown):
    events = [event(town, f"B6-{n:03d}") for n in range(200)]
    with enter(town) as client:
        client.batch("B6", events)
    town.fleet.children[0].kill()
    town.fleet.forget(town.fleet.children[0])
    left = town.count("SELECT count(*) FROM event WHERE state = 'queued'")

    town.start_daemon()
    with enter(town) as client:
        again = client.batch("B6", events)
        settled(client, "B6")
        results = list(client.batch_results("B6"))

    assert left > 0
    assert again.repeated
    assert ["issued"] * 200 == [one.state for one in results]
    assert 200 == len({one.receipt.name for one in results if one.receipt})
    live = "SELECT count(*) FROM receipt r JOIN event e ON e.id = r.event_id WHERE e.key LIKE"
    assert 200 == town.count(f"{live} 'B6-%' AND r.state = 'sealed'")


# searches
def test_a_search_narrows_by_every_filter_and_pages_are_stable(town: CounterTown, client: Client):
    for n in range(6):
        amount = f"{n + 1}.11"
        channels = {("02", "05")[n % 3 == 0]: amount}
        client.issue(event(town, f"S-{n}", amount, cashier=f"收费{n % 2}",
                           payer=Payer("搜索"), channels=channels))  # fmt: skip
    third = client.receipt_of(unit=town.unit, key="S-2")
    client.reverse(unit=town.unit, key="S-2r", code=third.code, number=third.number, reason="x")

    def keys(**filters: Any) -> list[str]:
        return [one.key for one in client.find(payer="搜索", **filters)]

    pages = client.find(payer="搜索", limit=2)
    begun = [next(pages).key, next(pages).key]
    client.issue(event(town, "S-9", "9.11", payer=Payer("搜索")))
    rest = [one.key for one in pages]

    assert ["S-2r", "S-5", "S-4", "S-3", "S-2", "S-1", "S-0"] == begun + rest
    assert ["S-4", "S-3", "S-2", "S-1"] == keys(amount_from="2.00", amount_to="5.50")
    assert ["S-2r"] == keys(life="red") == keys(amount_to="-0.01")
    assert ["S-2"] == keys(life="reversed")
    assert ["S-4", "S-2", "S-0"] == keys(cashier="收费0")
    assert ["S-3", "S-0"] == keys(channel="05")
    assert ["S-1"] == keys(key="S-1", cashier="收费1")
    assert [] == keys(kind="inpatient") + keys(point="002") + keys(key="S-1", cashier="收费0")
    assert 8 == len(keys(unit=town.unit, **{"from": f"{now():%Y-%m-%d}"}))


# the feed
def test_the_feed_tells_everything_in_order_and_goes_on_at_any_cursor(
    town: CounterTown, client: Client
):
    since = client.subscribe("receipt.sealed").cursor
    blue = client.issue(event(town, "F-1"))
    red = client.reverse(
        unit=town.unit, key="F-1r", code=blue.code, number=blue.number, reason="退"
    )
    other = client.issue(event(town, "F-2"))
    sheet = client.exchange(unit=town.unit, point=town.point, code=other.code, number=other.number)
    client.call("paper.void", unit=town.unit, point=town.point, first=sheet, reason="卡纸")

    whole = list(client.happenings(since))
    parts, cursor = [], since
    while True:
        page = client.call("event.list", since=cursor, limit=1)
        parts += page["events"]
        cursor = page["cursor"]
        if not page["more"]:
            break

    assert ["sealed", "reversed", "sealed", "exchanged", "voided"] == [one.type for one in whole]
    assert [one.seq for one in whole] == [one["seq"] for one in parts]
    assert sorted({one.seq for one in whole}) == [one.seq for one in whole]
    assert (red.number, blue.number) == (_number(whole[1].receipt), _number(whole[1].blue))
    assert (other.number, sheet) == (_number(whole[3].receipt), whole[3].sheet)
    assert (sheet, "卡纸") == (whole[4].sheet, whole[4].reason)
    assert [] == list(client.happenings(cursor))
    with pytest.raises(RemoteFault, match="FEED_AHEAD"):
        client.call("event.list", since=cursor + 10_000)


def _number(receipt: Any) -> str:
    assert receipt is not None
    return str(receipt.number)


# notifications
def test_a_subscriber_hears_of_each_receipt_once_with_the_cursor_to_go_on(
    town: CounterTown, client: Client
):
    with client.subscribe("receipt.sealed") as listening:
        issued = [client.issue(event(town, f"N-{n}")).number for n in range(60)]

        heard = [listening.next(10.0) for _ in issued]

    assert issued == [one.params["receipt"]["number"] for one in heard if one]
    assert [] == list(client.happenings(heard[-1].cursor if heard[-1] else 0))
    middle = heard[29]
    assert middle is not None
    assert issued[30:] == [_number(one.receipt) for one in client.happenings(middle.cursor)]


def test_what_does_not_stay_open_cannot_subscribe(town: CounterTown):
    from tests.harness.doors import RpcDoor, Said

    door = RpcDoor(town)
    with pytest.raises(Said, match="NOTIFY_DOOR"):
        door.call("system.subscribe", {})
    door.close()
