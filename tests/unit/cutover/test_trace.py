"""`fepctl his trace`: every door, live, and nothing that belongs to a patient or opens a door."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from fep.client import Client
from fep.domain.faults import refuse
from fep.services.medical_words import number
from fep.services.trace import LOOK_S, Trace, masked, told_of
from tests.harness.processes import wait_until
from tests.harness.town import program
from tests.unit.cutover.office import Office
from tests.unit.cutover.test_import import his_key

PERSON = {"name": "欧阳修", "code": "420106198001011234", "tel": "13800001111"}


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def mono(self) -> float:
        return self.now

    def wall(self) -> Any:
        from datetime import UTC, datetime

        return datetime(2026, 11, 21, tzinfo=UTC)


def test_nothing_is_kept_while_nobody_looks_and_a_look_ends_by_itself():
    clock = Hands()
    trace = Trace(clock)
    trace.note("his", "socket", "in", "receipt.issue", {"key": "K1"})
    before = trace.look("his", 0)["entries"]
    trace.note("his", "socket", "in", "receipt.issue", {"key": "K2"})
    trace.note("lis", "socket", "in", "receipt.issue", {"key": "K3"})
    seen = trace.look("his", 0)
    clock.now = LOOK_S + 1
    trace.note("his", "socket", "in", "receipt.issue", {"key": "K4"})

    assert [] == before
    assert ["K2"] == [entry["said"]["key"] for entry in seen["entries"]]
    assert not trace.watching


def test_only_names_known_to_be_harmless_show_their_value():
    told = masked({"key": "K1", "total": "12.30", "payer": PERSON, "remark": "糖尿病",
                   "idCardNo": PERSON["code"], "ext": {"age": "34岁"}, "billNo": "0000000001",
                   "random": "af3c4e", "items": [{"code": "060101", "name": "诊察费"}] * 9,
                   "message": f"{PERSON['name']} 不对[REQ_FIELD_VALUE]"})  # fmt: skip

    shown = json.dumps(told, ensure_ascii=False)
    assert not any(text in shown for text in (*PERSON.values(), "糖尿病", "af3c4e", "34岁"))
    assert ("K1", "12.30", "0000000001") == (told["key"], told["total"], told["billNo"])
    assert "[REQ_FIELD_VALUE]" == told["message"]
    assert ("060101", "***3", "+4") == (
        told["items"][0]["code"], told["items"][0]["name"], told["items"][-1]
    )  # fmt: skip


def test_a_refusal_names_the_field_and_not_its_value():
    refused = refuse("REQ_FIELD_VALUE", field="payer.name", value="欧阳修", allowed="-")

    told = told_of(refused)
    assert ("REQ_FIELD_VALUE", "payer.name") == (told["fault"], told["field"])
    assert "欧阳修" not in str(told)


def test_amounts_that_are_written_as_numbers_are_shown_as_such():
    assert {"totalAmt": "-12.30"} == masked({"totalAmt": number(-1230)})


def test_a_trace_shows_the_doors_of_a_caller_and_its_wrong_keys(office: Office):
    command = [program("fepctl"), "-c", str(office.town.config), "his", "trace", "his", "--json",
               "--count", "5", "--seconds", "20"]  # fmt: skip
    tracing = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: bool(office.journal("caller.traced")), "the look began", timeout_s=10)
        fields = {"busNo": "NO-SUCH", "payer": "欧阳修"}
        office.dialect("/medical-web/api/medical/getEBillByBusNo", "his", his_key(office), fields)
        with Client.tcp(
            "127.0.0.1", office.town.port, appid="his", key=his_key(office).encode()
        ) as one:
            one.call("receipt.find", payer="欧阳修")
        office.post("/rpc", b"{}")
        wrong = "x" * 64
        office.post(
            "/medical-web/api/medical/testServerConnect",
            json.dumps({"appid": "his", "data": "e30=", "noise": "n", "version": "1.0",
                        "sign": wrong}).encode(),
        )  # fmt: skip
        shown, _ = tracing.communicate(timeout=30)
    finally:
        tracing.kill()

    entries = [json.loads(line) for line in shown.splitlines()]
    assert {"his", "socket", "auth"} == {entry["door"] for entry in entries}
    assert "NO-SUCH" in shown
    assert "AUTH_WRONG" in shown
    assert not any(text in shown for text in ("欧阳修", his_key(office), wrong))
