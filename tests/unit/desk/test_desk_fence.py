"""Fence, clock, audit and evidence at the desk of a site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fep.crypto import certs, keyfile, sm3
from fep.domain.faults import Refused, refuse
from fep.services import desk_guard
from fep.services.checkpoints import NodeSeal
from fep.services.desk_checks import State
from tests.harness.storeroom import CODE
from tests.unit.desk.desk_site import DeskSite
from tests.unit.fence.guarded import Dice

DAY_MS = 86_400_000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DeskSite]:
    """Return a site with three receipts, whose node has a key."""
    built = DeskSite(tmp_path / "site")
    keys = built.root / "keys"
    key = keyfile.load_private((keys / "unit.key").read_bytes(), None, entropy=Dice())
    seal = NodeSeal(key, certs.parse((keys / "unit.crt").read_bytes()))
    built.context = replace(built.context, seal=seal)
    yield built
    built.close()


def _code(site: DeskSite, method: str, **params: Any) -> str:
    with pytest.raises(Refused) as caught:
        site.ask(method, **params)
    return caught.value.code


def test_the_audit_of_a_sound_site_ends_good_with_counts(site: DeskSite):
    told = site.ask("numbers.audit")
    while not told["done"]:
        told = site.ask("numbers.audit", audit=told["audit"])

    (row,) = told["stock"]
    assert (True, [], 3, 1000) == (
        told["good"], told["findings"], told["receipts"], row["accounted"],
    )  # fmt: skip
    assert 3 == row["used"]


def test_an_audit_that_finds_something_is_not_good(site: DeskSite):
    site.room.store._conn.exec_driver_sql("DELETE FROM receipt WHERE number = '0000000002'")
    site.room.store._conn.commit()

    told = site.ask("numbers.audit")

    assert (False, 2) == (told["good"], told["found"])  # it is missing, and the sum is wrong
    assert told["findings"][0].startswith(f"{CODE}-0000000002")


def test_the_fence_says_why_and_who_the_store_is(site: DeskSite):
    fault = refuse("FENCE_OLDER", store=5, witness=9)
    site.context = replace(site.context, fence=SimpleNamespace(fault=fault))

    told = site.ask("fence.status")

    assert "FENCE_OLDER" == told["fault"]["code"]
    assert "第 9 条" in told["fault"]["zh"]
    assert 0 == told["epoch"]
    (alarm,) = [each for each in site.ask("system.status")["alarms"] if each["code"] == "FENCE"]
    assert ("FAIL", "fepctl fence lift --help") == (alarm["state"], alarm["next"])


def test_a_fence_and_a_clock_without_their_services_refuse(site: DeskSite):
    assert "CTL_STOPPED" == _code(site, "fence.lift", reason="x", approve=("a", "b"))
    assert "CTL_STOPPED" == _code(site, "clock.confirm", reason="x")
    assert "CTL_REASON" == _code(site, "fence.lift", reason=" ", approve=("a", "b"))


def test_the_clock_is_told_beside_the_platforms(site: DeskSite):
    fault = refuse("CLOCK_BACK", minutes=11)
    watch = SimpleNamespace(fault=fault, steps=1, last_step=(5, -660_000))
    uplink: Any = SimpleNamespace(offset_ms=lambda: 2_500)
    site.context = replace(site.context, clockwatch=watch)

    blank = site.ask("clock.status")
    site.context = replace(site.context, uplink=uplink)
    told = site.ask("clock.status")

    assert (None, None) == (blank["platform"], blank["offset_ms"])
    assert 2_500 == told["platform"] - told["now"]
    assert ("CLOCK_BACK", -660_000) == (told["fault"]["code"], told["last_step"]["ms"])
    assert State.FAIL in [check.state for check in desk_guard.guards(site.context)]


def test_a_reserve_is_imported_sealed_opened_and_returned(site: DeskSite):
    block = {"code": CODE, "first": "0000005001"}
    site.ask(
        "numbers.import", unit="H001" if "H001" in site.settings.units else
        next(iter(site.settings.units)), last="0000005100", approval="1", reason="备用",
        reserve=True, **block,
    )  # fmt: skip
    states = {row["first"]: row["state"] for row in site.ask("numbers.list")["blocks"]}
    opened = site.ask("numbers.open_reserve", reason="用完了", **block)
    returned = site.ask("numbers.return", reason="多了", **block)

    assert "reserve" == states["0000005001"]
    assert (100, 100) == (opened["opened"]["count"], returned["returned"]["count"])
    assert "NUM_BLOCK" == _code(site, "numbers.return", reason="多了", **block)


def test_the_forecast_goes_by_the_busiest_day(site: DeskSite):
    (row,) = site.ask("numbers.forecast")["forecast"]

    assert (3, 997 // 3, False) == (row["busiest"], row["days"], row["low"])
    assert [] == desk_guard.days([row])
    (check,) = desk_guard.days([{**row, "days": 2, "low": True}])
    assert State.WARN is check.state


def test_evidence_of_a_day_is_whole_and_its_index_is_signed(site: DeskSite):
    since = site.room.wall_ms - DAY_MS
    period = {"since": since, "until": since + 3 * DAY_MS}
    begun = site.ask("evidence.begin", **period)

    parts = {
        name: site.ask("evidence.part", part=name, **period) for name in begun["parts"]
    }  # fmt: skip
    signed = site.ask("evidence.sign", index='{"files":{}}', reason="检查")

    assert (1, 3, 3) == tuple(
        len(parts[name]["rows"]) for name in ("granted", "used", "signatures")
    )
    assert 1 == begun["journal"]["first"]
    public = certs.parse(bytes.fromhex(begun["certificate"])).public_key
    assert public.verify(b'{"files":{}}', bytes.fromhex(signed["signature"]))
    assert sm3.digest(b'{"files":{}}').hex() == signed["sm3"]
    text = str(parts)
    assert not any(name in text for name in ("欧阳", "张"))


def test_evidence_of_another_time_is_empty_and_asks_for_a_known_part(site: DeskSite):
    late = site.room.wall_ms + 90 * DAY_MS
    begun = site.ask("evidence.begin", since=late, until=late + 1)

    assert [] == site.ask("evidence.part", part="used", since=late, until=late + 1)["rows"]
    assert begun["journal"]["last"] < begun["journal"]["first"]
    assert "CTL_USAGE" == _code(site, "evidence.part", part="x", since=0, until=1)
    assert "CTL_USAGE" == _code(site, "evidence.sign", index="x" * 200_001, reason="r")
    site.context = replace(site.context, seal=None)
    assert "CTL_ABSENT" == _code(site, "evidence.begin", since=0, until=1)


def test_the_place_of_the_witness_is_judged(tmp_path: Path):
    data, aside = tmp_path / "data", tmp_path / "witness"
    data.mkdir()

    assert State.WARN is desk_guard.witness(data, aside).state
    aside.mkdir()
    assert "另一" not in desk_guard.witness(data, aside).zh
    (data / "inside").mkdir()
    assert State.FAIL is desk_guard.witness(data, data / "inside").state
    assert State.OK is desk_guard.witness(data, Path("/dev/shm")).state


def test_journal_verify_tells_checkpoints_and_names_a_bad_one(site: DeskSite):
    site.ask("evidence.begin", since=0, until=1)
    good = site.ask("journal.verify")
    site.room.store._conn.exec_driver_sql(
        "UPDATE certificate SET der = (SELECT der FROM certificate) WHERE id = 0"
    )
    site.room.store._conn.exec_driver_sql("UPDATE certificate SET serial = 'x'")
    site.room.store._conn.commit()
    bad = site.ask("journal.verify")

    assert (1, 0) == (good["checkpoints"], good["broken_at"])
    assert bad["broken_at"] > 0
    assert "does not verify" in bad["why"]
