"""The business system: honest bills, the same again for the same seed, and a true ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fep.sim import his_events
from fep.sim.his_content import RARE, Content
from fep.sim.his_load import Denied, Plan, run_load
from tests.unit.sim.sim_server import KEY, FakeFrontEnd

PLAN = Plan(unit="H1", point="001", phase="p1", give_up_s=10)
AT = "20261121083015120"


def _content(seed: int = 7, at: str = AT) -> Content:
    return Content(seed=seed, unit="H1", point="001", kind="outpatient", at=at)


def _bill(number: int, seed: int = 7) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_content(seed).call(number).params)
    return found


def _ledger(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def front_end() -> Iterator[list[FakeFrontEnd]]:
    """Collect the servers of a test; all are closed at its end."""
    servers: list[FakeFrontEnd] = []
    yield servers
    for server in servers:
        server.close()


def test_items_details_and_channels_of_every_bill_agree() -> None:
    for number in range(300):
        bill = _bill(number)
        total = Decimal(bill["total"])
        assert 1 <= len(bill["items"]) <= 12
        assert sum(Decimal(item["amount"]) for item in bill["items"]) == total
        assert sum(Decimal(channel["amount"]) for channel in bill["channels"]) == total
        for item in bill["items"]:
            details = [line for line in bill["details"] if line["item"] == item["code"]]
            assert sum(Decimal(line["amount"]) for line in details) == Decimal(item["amount"])
        amounts = [*bill["items"], *bill["channels"], *bill["details"]]
        assert all(Decimal(line["amount"]) > 0 for line in amounts)


def test_what_insurance_and_patient_pay_is_the_total() -> None:
    for number in range(100):
        bill = _bill(number)
        parts = ("fund_pay", "other_pay", "account_pay", "cash_pay")
        assert sum(Decimal(bill["ext"][part]) for part in parts) == Decimal(bill["total"])


def test_one_seed_gives_one_content_and_another_seed_another() -> None:
    assert [_bill(n) for n in range(40)] == [_bill(n) for n in range(40)]
    assert _bill(3, seed=7)["key"] != _bill(3, seed=8)["key"]
    assert _bill(3, seed=7)["items"] != _bill(3, seed=8)["items"]


def test_another_time_of_day_changes_no_key_and_no_money() -> None:
    early, late = (json.loads(_content(at=at).call(5).params) for at in (AT, "20261122000000000"))

    parts = ("key", "payer", "total", "items", "channels", "kind")
    assert [early[part] for part in parts] == [late[part] for part in parts]


def test_names_with_characters_that_gbk_lacks_occur() -> None:
    names = "".join(_content().call(number).payer for number in range(600))

    assert [rare for rare in RARE if rare not in names] == []


def test_every_call_is_acknowledged_sealed_and_in_the_ledger(
    front_end: list[FakeFrontEnd], tmp_path: Path
) -> None:
    front_end.append(server := FakeFrontEnd())

    report = run_load(
        server.where, "his", KEY, count=40, concurrency=4, seed=1,
        ledger=tmp_path / "his.jsonl", plan=PLAN,
    )  # fmt: skip

    entries = _ledger(tmp_path / "his.jsonl")
    assert (report.sent, report.acked, report.repeated, report.unanswered) == (40, 40, 0, 0)
    assert server.complaints == []
    assert len(report.latencies_ms) == 40
    assert {entry["number"] for entry in entries} == {f"{n:010d}" for n in range(1, 41)}
    assert set(entries[0]) == {"key", "unit", "code", "number", "check_code", "amount_fen",
                               "payer", "kind", "acked_at", "repeated", "phase"}  # fmt: skip
    amounts = {call["key"]: int(call["total"].replace(".", "")) for call in server.calls}
    assert {entry["key"]: entry["amount_fen"] for entry in entries} == amounts


def test_unanswered_calls_are_repeated_with_the_same_content(
    front_end: list[FakeFrontEnd], tmp_path: Path
) -> None:
    front_end.append(server := FakeFrontEnd(vanish_at=(3, 9)))
    plan = Plan(unit="H1", point="001", retry=True, give_up_s=10)

    report = run_load(
        server.where, "his", KEY, count=20, concurrency=2, seed=1,
        ledger=tmp_path / "his.jsonl", plan=plan,
    )  # fmt: skip

    assert (report.acked, report.retried, report.repeated, report.unanswered) == (20, 2, 2, 0)
    assert len(server.receipts) == 20
    by_key: dict[str, list[dict[str, Any]]] = {}
    for call in server.calls:
        by_key.setdefault(call["key"], []).append(call)
    twice = [calls for calls in by_key.values() if len(calls) > 1]
    assert len(twice) == 2
    assert all(first == again for first, again in twice)


def test_without_retry_a_lost_call_is_counted_and_written_down(
    front_end: list[FakeFrontEnd], tmp_path: Path
) -> None:
    front_end.append(server := FakeFrontEnd(vanish_at=(2,)))

    report = run_load(
        server.where, "his", KEY, count=5, seed=1, ledger=tmp_path / "his.jsonl", plan=PLAN
    )

    assert (report.sent, report.acked, report.unanswered) == (5, 4, 1)
    (lost,) = _ledger(tmp_path / "his.jsonl.refused")
    assert (lost["fault"], lost["key"]) == ("LOST", "OP000001000000002")


def test_refusals_are_counted_by_fault_and_retryable_ones_repeated(
    front_end: list[FakeFrontEnd],
) -> None:
    faults = {
        0: {"fault": "EVT_TOTAL", "retryable": False},
        1: {"fault": "BUSY", "retryable": True},
    }
    front_end.append(server := FakeFrontEnd(faults=faults))

    report = run_load(
        server.where, "his", KEY, count=3, seed=1,
        plan=Plan(unit="H1", retry=True, give_up_s=10),
    )  # fmt: skip

    assert (report.acked, dict(report.refused), report.retried) == (2, {"EVT_TOTAL": 1}, 1)


def test_an_answer_that_contradicts_its_call_is_not_an_acknowledgement(
    front_end: list[FakeFrontEnd],
) -> None:
    front_end.append(server := FakeFrontEnd(wrong_amount=True, frame_mac=False))

    report = run_load(server.where, "his", KEY, count=1, seed=1, plan=PLAN)

    assert (report.acked, dict(report.refused)) == (0, {"SIM_ANSWER": 1})


def test_a_wrong_key_is_denied(front_end: list[FakeFrontEnd]) -> None:
    front_end.append(server := FakeFrontEnd())

    with pytest.raises(Denied):
        run_load(server.where, "his", b"wrong", count=1, plan=PLAN)


def test_a_server_that_is_away_ends_the_run() -> None:
    server = FakeFrontEnd()
    server.close()

    report = run_load(server.where, "his", KEY, count=1000, concurrency=2, plan=PLAN)

    assert (report.acked, report.unanswered) == (0, 2)


def test_medical_web_events_are_renamed_and_not_computed() -> None:
    event = {
        "busNo": "OP1", "busType": "02", "payer": "欧阳䶮", "totalAmt": "20.00", "payee": "王芳",
        "placeCode": "001", "sex": "男", "fundPay": "5.00", "busDateTime": AT,
        "chargeDetail": [{"chargeCode": "060101", "chargeName": "诊察费", "amt": "20.00"}],
        "listDetail": [{"chargeCode": "060101", "name": "诊察费", "amt": "20.0000", "code": "1"}],
        "payChannelDetail": [{"payChannelCode": "11", "payChannelValue": "20.00"}],
    }  # fmt: skip

    (call,) = his_events.load(
        json.dumps(event), unit="H1", point="", kind="outpatient", wants_print=True
    )

    params = json.loads(call.params)
    assert (call.key, call.payer, call.amount_fen) == ("OP1", "欧阳䶮", 2000)
    assert params["channels"] == [{"code": "11", "amount": "20.00"}]
    assert params["items"][0]["amount"] == "20.00"
    assert params["details"][0]["item"] == "060101"
    assert params["ext"] == {"gender": "男", "fund_pay": "5.00"}
    assert (params["unit"], params["point"], params["print"]) == ("H1", "001", True)


def test_events_in_our_own_shape_pass_unchanged() -> None:
    params = json.loads(_content().call(1).params)

    calls = his_events.load(
        json.dumps([params, params]), unit="", point="", kind="", wants_print=False
    )

    assert [json.loads(call.params) for call in calls] == [params, params]


def test_an_event_without_key_is_an_error() -> None:
    with pytest.raises(ValueError):
        his_events.load('{"totalAmt":"1.00"}', unit="", point="", kind="k", wants_print=False)


def test_the_control_socket_needs_no_login(front_end: list[FakeFrontEnd], tmp_path: Path) -> None:
    front_end.append(server := FakeFrontEnd(frame_mac=False, unix=tmp_path / "control.sock"))

    report = run_load(server.where, "his", b"", count=3, plan=PLAN)

    assert report.acked == 3


def test_a_run_by_the_clock_ends_by_the_clock(front_end: list[FakeFrontEnd]) -> None:
    front_end.append(server := FakeFrontEnd())

    report = run_load(server.where, "his", KEY, seconds=0.2, concurrency=2, plan=PLAN)

    assert report.acked == report.sent > 0
    assert 0.2 <= report.seconds < 5


def test_a_rate_is_kept(front_end: list[FakeFrontEnd]) -> None:
    front_end.append(server := FakeFrontEnd())

    report = run_load(
        server.where, "his", KEY, count=11, concurrency=4, plan=Plan(unit="H1", rate=50)
    )

    assert report.seconds >= 10 / 50
