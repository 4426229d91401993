"""Status, doctor, journal and the stopped site."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fep.crypto import certs, keyfile
from fep.domain.faults import Refused
from fep.env import RealEntropy
from fep.services import desk_checks, desk_keys
from fep.services.desk_checks import State
from fep.services.desk_stopped import last_stop, opened
from fep.store.lock import DataLock
from fep.store.queries_stock import Stock
from tests.unit.desk.desk_site import CODE, UNIT, DeskSite


class Issue:
    """An issue service that stands still."""

    fenced = ""

    def stats(self) -> dict[str, int]:
        return {"issued": 3, "refused": 0, "inflight": 0, "inflight_bytes": 0}


def test_status_tells_the_day_the_stock_and_the_backlog(site: DeskSite) -> None:
    site.with_services(issue=Issue())

    told = site.ask("system.status")

    assert told["daemon"]["running"] is True
    assert told["today"] == [
        {"unit": UNIT, "name": "武汉市第一医院", "count": 3, "amount": "37.02"}
    ]
    assert told["numbers"] == [
        {"unit": UNIT, "code": CODE, "left": 997, "total": 1000, "burned": 0}
    ]
    assert told["queue"]["inflight"] == 0
    assert [(row["dest"], row["backlog"]) for row in told["links"]] == [("province", 3)]
    assert told["prints"] == {"due": 3, "streaming": 0, "uncertain": 0}
    assert [alarm["code"] for alarm in told["alarms"]] == ["LINK"]


def test_a_fence_is_an_alarm_with_its_next_command(site: DeskSite) -> None:
    issue = Issue()
    issue.fenced = "a number of an open block is in use already"
    site.with_services(issue=issue)

    alarms = site.ask("system.status")["alarms"]

    assert alarms[0]["code"] == "FENCE"
    assert alarms[0]["next"] == "fepctl journal verify"


def test_doctor_finds_a_sound_site_sound(site: DeskSite) -> None:
    site.room.wall_ms = site.clock.wall_ms
    told = site.ask("system.doctor")

    failed = [check for check in told["checks"] if check["state"] == "FAIL"]
    codes = {check["code"] for check in told["checks"]}
    # The harness certificate may not be valid on the harness day; everything else must be.
    assert {check["code"] for check in failed} <= {"KEY_NODE", "KEY_UNIT"}
    assert codes >= {"CONFIG", "KEY_NODE", "KEY_UNIT", "CRYPTO", "STORE", "JOURNAL", "SQLITE",
                     "DISK", "CLOCK", "NUMBERS", "LINK", "PRINTER", "QUEUE", "PRINTS"}  # fmt: skip


def test_doctor_names_a_foreign_key(site: DeskSite) -> None:
    now = site.room.certificate
    other = site.root / "keys" / "other.key"
    other.write_bytes(keyfile.save_private(keyfile.generate(RealEntropy())))
    valid = certs.parse(now.der).not_before

    check = desk_keys.pair("KEY_UNIT", other, site.root / "keys" / "unit.crt", "", valid)

    assert (check.state, check.next) == (State.FAIL, "fepctl help keys")


def test_a_certificate_out_of_its_time_says_which_way(site: DeskSite) -> None:
    valid = certs.parse(site.room.certificate.der)
    key, cert = site.root / "keys" / "unit.key", site.root / "keys" / "unit.crt"
    early, late = valid.not_before - timedelta(days=1), valid.not_after + timedelta(days=1)

    before = desk_keys.pair("KEY_UNIT", key, cert, "", early)
    after = desk_keys.pair("KEY_UNIT", key, cert, "", late)

    assert (State.FAIL, State.FAIL) == (before.state, after.state)
    assert valid.not_before.date().isoformat() in before.en
    assert ("fepctl clock", "fepctl help keys") == (before.next, after.next)
    assert "expired" in after.en


@dataclass
class Walked:
    """A journal followed slice by slice, as the command line does."""

    records: int
    broken_at: int


def walk(site: DeskSite, limit: int) -> Walked:
    after, digest = 0, ""
    while True:
        told = site.ask("journal.verify", after=after, hash=digest, limit=limit)
        after, digest = told["last"], told["hash"]
        if told["done"]:
            return Walked(after, told["broken_at"])


@pytest.mark.parametrize("limit", [1, 2, 2000])
def test_the_journal_is_followed_to_its_end(site: DeskSite, limit: int) -> None:
    assert walk(site, limit) == Walked(len(site.journal()), 0)


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE journal SET line = replace(line, 'OP2', 'OP8') WHERE seq = 5",
        "UPDATE journal SET hash = zeroblob(32) WHERE seq = 5",
        "DELETE FROM journal WHERE seq = 5",
    ],
)
def test_a_changed_journal_breaks_at_the_record(site: DeskSite, spoil: str) -> None:
    site.room.done(site.room.store.do("spoil", lambda tx: tx.conn.exec_driver_sql(spoil)))

    assert walk(site, 3).broken_at == 5


def test_a_forged_starting_hash_is_not_believed(site: DeskSite) -> None:
    told = site.ask("journal.verify", after=2, hash="00" * 32)

    assert told["broken_at"] == 3


def stock(left: int) -> Stock:
    return Stock(UNIT, CODE, left, 1000, 0)


@pytest.mark.parametrize(
    ("left", "used", "state"),
    [(0, 0, State.FAIL), (49, 0, State.WARN), (50, 0, State.OK), (900, 901, State.WARN)],
)
def test_numbers_warn_before_they_run_out(left: int, used: int, state: State) -> None:
    key = (UNIT, CODE)

    (check,) = desk_checks.numbers([stock(left)], [key], {key: used})

    assert check.state is state
    assert bool(check.next) is (state is not State.OK)


def test_a_code_of_this_year_without_a_block_fails() -> None:
    (check,) = desk_checks.numbers([stock(9)], [(UNIT, "42060127")], {})

    assert check.state is State.FAIL


def link(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "dest": "province", "state": "online", "reason": "", "since_at": 1, "last_heard_at": 1,
        "offline_ms": 0, "epoch": 1, "backlog": 0, "oldest_due_at": 0, "unacked_batches": 0,
        "rejected": 0,
    }  # fmt: skip
    return {**values, **changes}


@pytest.mark.parametrize(
    ("changes", "state", "next_"),
    [
        ({}, State.OK, ""),
        ({"state": "offline"}, State.WARN, "fepctl link"),
        ({"state": "stalled", "reason": "head"}, State.FAIL, "fepctl help link"),
        ({"rejected": 2}, State.WARN, "fepctl resolve"),
    ],
)
def test_the_link_names_the_next_command(changes: dict[str, Any], state: State, next_: str) -> None:
    (check,) = desk_checks.links([link(**changes)])

    assert (check.state, check.next) == (state, next_)


def test_a_clock_set_back_fails(site: DeskSite) -> None:
    now = site.clock.wall()

    check = desk_checks.clock(now, int(now.timestamp() * 1000) + 61_000, ())

    assert check.state is State.FAIL


def test_a_check_that_breaks_is_a_finding() -> None:
    check = desk_checks.attempt("DISK", lambda: desk_checks.disk(Path("/no/such/place")))

    assert (check.code, check.state) == ("DISK", State.FAIL)


def test_a_stopped_site_reads_and_refuses_to_change(site: DeskSite) -> None:
    site.close()
    data = site.root / "data"

    with opened(data, site.settings, site.clock, "0.1.0") as desk:
        told = desk.call("system.status")
        listed = desk.call("receipts.list")
        with pytest.raises(Refused) as refused:
            desk.call("link.pause", reason="x")

    assert told["daemon"]["running"] is False
    assert len(listed["receipts"]) == 3
    assert refused.value.code == "CTL_STOPPED"


def test_a_stopped_site_shows_its_sheets(site: DeskSite) -> None:
    site.ask("paper.import", unit=UNIT, point="001", code="042126", first="0001", last="0009",
             approval="1", reason="到货")  # fmt: skip
    site.close()

    with opened(site.root / "data", site.settings, site.clock, "0.1.0") as desk:
        told = desk.call("sheets.next", unit=UNIT, point="001")
        listed = desk.call("sheets.list", unit=UNIT)
        shown = desk.call("sheets.show", unit=UNIT, sheet="042126-0003")
        codes = []
        for place in ({"unit": "X", "point": "001"}, {"unit": UNIT, "point": "9"}):
            with pytest.raises(Refused) as refused:
                desk.call("sheets.next", **place)
            codes.append(refused.value.code)

    assert {"sheet": "042126-0001", "left": 9} == told
    assert [] == listed["sheets"]
    assert "blank" == shown["sheet"]["state"]
    assert ["CFG_UNIT", "CFG_POINT"] == codes


def test_a_killed_site_reads_what_its_log_still_holds(site: DeskSite, tmp_path: Path) -> None:
    copy = tmp_path / "killed"
    copy.mkdir()
    for name in ("fep.db", "fep.db-wal"):
        (copy / name).write_bytes((site.root / "data" / name).read_bytes())

    with opened(copy, site.settings, site.clock, "0.1.0") as desk:
        listed = desk.call("receipts.list")

    assert len(listed["receipts"]) == 3


def test_a_held_directory_is_not_read_behind_its_holder(site: DeskSite) -> None:
    lock = DataLock(site.root / "data" / "fep.lock")
    lock.acquire("fepd", 1)

    with (
        pytest.raises(Refused) as refused,
        opened(site.root / "data", site.settings, site.clock, "0.1.0"),
    ):
        pass
    lock.release()

    assert refused.value.code == "CTL_STARTING"
    assert refused.value.details["pid"] == os.getpid()


def test_a_missing_store_is_said_so(tmp_path: Path, site: DeskSite) -> None:
    with (
        pytest.raises(Refused) as refused,
        opened(tmp_path, None, site.clock, "0.1.0"),
    ):
        pass

    assert refused.value.code == "CTL_NO_STORE"


def test_the_last_stop_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "last-stop.json").write_text(json.dumps({"at": 5, "why": "signal SIGTERM"}))

    assert last_stop(tmp_path) == {
        "stopped_at": 5, "why": "signal SIGTERM", "why_zh": "", "crashed": False,
    }  # fmt: skip


def test_no_note_or_an_old_one_means_a_crash(tmp_path: Path) -> None:
    (tmp_path / "fep.db").write_bytes(b"x")

    missing = last_stop(tmp_path)["crashed"]
    (tmp_path / "last-stop.json").write_text('{"at": 5, "why": "signal SIGTERM"}')
    old = last_stop(tmp_path)["crashed"]

    assert (missing, old) == (True, True)


def test_a_start_that_failed_is_told_in_both_languages(tmp_path: Path) -> None:
    note = {"at": 5, "why": "not started: API_PORT", "why_zh": "没有启动：API_PORT"}
    (tmp_path / "last-stop.json").write_text(json.dumps(note))

    check = desk_checks.stopped(last_stop(tmp_path))

    assert "没有启动：API_PORT" in check.zh
    assert "not started: API_PORT" in check.en
