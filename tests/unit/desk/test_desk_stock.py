"""Numbers, queue, link, devices and unknown outcomes at the desk."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update
from twisted.internet.defer import succeed

from fep.domain.faults import Refused
from fep.domain.printing import Outcome, PrintResult
from fep.store.numbers import Grant, grant_txn
from fep.store.schema import upload
from tests.unit.desk.desk_site import CODE, UNIT, DeskSite

BLOCK: dict[str, Any] = {
    "unit": UNIT, "code": CODE, "first": "0000002001", "last": "0000002100",
    "approval": "鄂财票〔2026〕8号", "reason": "年末补充",
}  # fmt: skip


class Spool:
    """Records what it is told."""

    def __init__(self, outcome: Outcome = Outcome.PRINTED) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.outcome = outcome

    def devices(self) -> list[Any]:
        return []

    def loop(self, _device: str) -> Any:
        return SimpleNamespace(life=SimpleNamespace(only=lambda _owner: None))

    def test(self, device: str, _form: str) -> Any:
        self.calls.append(("test", device))
        return succeed(PrintResult(self.outcome))

    async def resolve(self, job_id: int, verdict: str, reason: str, who: str) -> Any:
        self.calls.append(("resolve", job_id, verdict, reason, who))
        return {"job": {"id": job_id}, "reprint": None}


class Uplink:
    """Records what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []

    def status(self) -> Any:
        return {
            "dest": "province", "state": "degraded", "reason": "paused", "since_at": 5,
            "last_heard_at": 4, "offline_s": 1.5, "platform_offset_ms": 20,
        }  # fmt: skip

    async def pause(self, reason: str, by: str) -> Any:
        self.calls.append(("pause", reason, by))
        return {"state": "paused"}

    async def resume(self, reason: str, by: str) -> Any:
        self.calls.append(("resume", reason, by))
        return {"state": "online"}


def test_numbers_tell_what_is_left(site: DeskSite) -> None:
    told = site.ask("numbers.list")

    assert told["stock"] == [{"unit": UNIT, "code": CODE, "left": 997, "total": 1000, "burned": 0}]
    assert [(row["first"], row["next"], row["source"]) for row in told["blocks"]] == [
        ("0000000001", "0000000004", "person")
    ]


def test_an_imported_block_is_journalled_with_its_evidence(site: DeskSite) -> None:
    came: list[str] = []
    site.with_services(numbers_came=lambda: came.append("numbers"))

    told = site.ask("numbers.import", **BLOCK)

    assert (told["new"], told["count"]) == (True, 100)
    assert came == ["numbers"]
    newest = max(site.ask("numbers.list")["blocks"], key=lambda row: row["id"])
    assert newest["evidence"] == (
        '{"approval":"鄂财票〔2026〕8号","reason":"年末补充","who":"tester(0)"}'
    )
    assert site.journal()[-1] == "numbers.granted"


def test_the_same_block_twice_changes_nothing(site: DeskSite) -> None:
    site.ask("numbers.import", **BLOCK)

    assert site.ask("numbers.import", **BLOCK)["new"] is False
    assert len(site.ask("numbers.list")["blocks"]) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"unit": "nobody"}, "CFG_UNIT"),
        ({"code": "42"}, "REQ_FIELD_VALUE"),
        ({"first": "0000000500"}, "NUM_OVERLAP"),
        ({"first": "2001"}, "NUM_RANGE"),
        ({"reason": " "}, "CTL_REASON"),
        ({"approval": " "}, "REQ_FIELD_MISSING"),
    ],
)
def test_a_bad_import_is_refused(site: DeskSite, change: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as refused:
        site.ask("numbers.import", **{**BLOCK, **change})

    assert refused.value.code == code


def test_queue_tells_refused_events_with_their_reason(site: DeskSite) -> None:
    site.room.freeze(site.room.draft("OP9", code_at=lambda _ms: "42069926"))

    told = site.ask("queue.list")

    assert [(row["key"], row["reason"]) for row in told["refused"]] == [("OP9", "NUM_NONE")]
    assert (told["queued"], told["frozen"]) == (0, 0)


def test_link_counts_what_waits(site: DeskSite) -> None:
    told = site.ask("link.status")

    assert [(row["dest"], row["state"], row["backlog"]) for row in told["links"]] == [
        ("province", "unknown", 3)
    ]


def test_the_running_link_knows_its_state_better_than_the_store(site: DeskSite) -> None:
    site.with_services(uplink=Uplink())

    (row,) = site.ask("link.status")["links"]

    assert (row["state"], row["reason"], row["offline_ms"]) == ("degraded", "paused", 1500)
    assert row["backlog"] == 3


def test_pause_and_resume_carry_reason_and_person(site: DeskSite) -> None:
    uplink = Uplink()
    site.with_services(uplink=uplink)

    site.ask("link.pause", reason="网闸检修")
    site.ask("link.resume", reason="检修结束")

    assert uplink.calls == [
        ("pause", "网闸检修", "tester(0)"), ("resume", "检修结束", "tester(0)"),
    ]  # fmt: skip


def test_a_person_says_what_became_of_a_sheet(site: DeskSite) -> None:
    spool = Spool()
    site.with_services(spool=spool)

    site.ask("print.resolve", job=7, verdict="reprint", reason="没有出纸")

    assert spool.calls == [("resolve", 7, "reprint", "没有出纸", "tester(0)")]


def test_a_test_slip_tells_its_outcome_and_is_journalled(site: DeskSite) -> None:
    site.with_services(spool=Spool(Outcome.ACCEPTED))

    told = site.ask("devices.test", device="window-1", reason="换纸后试打")

    assert told["result"]["outcome"] == "accepted"
    assert site.journal()[-1] == "device.tested"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("link.pause", {"reason": "x"}, "CTL_ABSENT"),
        ("devices.test", {"device": "a", "reason": "x"}, "CTL_ABSENT"),
        ("no.such", {}, "REQ_METHOD"),
        ("numbers.list", {"x": 1}, "REQ_FIELD_UNKNOWN"),
        ("queue.list", {"limit": "a"}, "REQ_FIELD_TYPE"),
        ("queue.list", {"page": 1}, "REQ_FIELD_UNKNOWN"),
        ("print.resolve", {"job": 1}, "REQ_FIELD_MISSING"),
    ],
)
def test_a_wrong_call_has_a_stable_code(
    site: DeskSite, method: str, params: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        site.ask(method, **params)

    assert refused.value.code == code


def test_the_socket_api_runs_the_desk_for_who_calls(site: DeskSite) -> None:
    from twisted.internet.defer import Deferred

    from fep.services.desk import methods

    uplink = Uplink()
    site.with_services(uplink=uplink)
    caller = SimpleNamespace(who="zhang(1001)", appid="control", units=frozenset({"*"}))
    of_one = SimpleNamespace(who="", appid="his", units=frozenset({"H001"}))
    pause = methods(site.context)["link.pause"]

    running = pause.call(caller, {"reason": "检修"})
    site.room.done(Deferred.fromCoroutine(running))
    with pytest.raises(Refused) as refused:  # the desk shows the whole node
        pause.call(of_one, {"reason": "检修"})

    assert refused.value.code == "AUTH_SCOPE"
    assert uplink.calls == [("pause", "检修", "zhang(1001)")]


def test_a_code_that_no_kind_of_the_unit_has_is_refused(site: DeskSite) -> None:
    with pytest.raises(Refused) as refused:
        site.ask("numbers.import", **{**BLOCK, "code": "99990126"})

    assert refused.value.code == "NUM_CODE"
    assert "99990126" in refused.value.zh


def test_refused_acts_wait_for_a_person_like_refused_receipts(site: DeskSite) -> None:
    block = Grant(UNIT, CODE, "0000008001", "0000008100", "platform", "grant 7")
    site.room.done(site.room.store.do("grant", grant_txn, block))
    site.ask("numbers.return", code=CODE, first="0000008001", reason="多了")

    def refuse_txn(tx: Any) -> None:
        tx.conn.execute(update(upload).values(state="rejected", result="REJECT", detail="op"))

    site.room.done(site.room.store.do("refuse", refuse_txn))

    told = site.ask("resolve.list")["uploads"]
    assert [("ISSUE", f"{CODE}-0000000001"), ("RETURN", f"{CODE}-0000008001")] == [
        (row["op"], row["ref"]) for row in (told[0], told[-1])
    ]
