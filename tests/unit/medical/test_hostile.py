"""Bytes that nobody means well with: the door answers, soon, and tells nothing."""

from __future__ import annotations

import base64
import json
import random
import time

from twisted.internet.defer import Deferred

from fep.domain.faults import Refused
from fep.wire.dialects import medical_envelope as wire
from fep.wire.dialects.medical_issue import ISSUE, renamed
from fep.wire.dialects.medical_table import read
from tests.unit.medical.clinic import APPID, KEY, Clinic, bill, packed, refund, sign

SEED = 20261121
# No answer of a hospital holds more than these; an answer that leaks a key or a path does.
LEAKS = (KEY.encode(), b"Traceback", b"/fep/", b".py", b"sqlite", b"\xe6\xac\xa7\xe9\x98\xb3")


def _mutated(dice: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(changed) + 1)
        choice = dice.randrange(5)
        if choice == 0:
            changed[at:at] = dice.choice([b"{", b"[", b'"', b"\\", b"\x00", b"\xff", b"null", b"%"])
        elif choice == 1:
            del changed[at : at + dice.randint(1, 20)]
        elif choice == 2 and at < len(changed):
            changed[at] = dice.randrange(256)
        elif choice == 3:
            changed[at:at] = changed[: dice.randint(0, 200)]
        else:
            changed = changed[: at + 1]
    return bytes(changed)


def _in_time(began: float) -> None:
    assert time.monotonic() - began < 1


def test_mutated_envelopes_are_read_or_refused_and_nothing_else():
    dice = random.Random(SEED)
    data = packed({"busNo": "B1", "totalAmt": 12.5, "list": [{"a": None}]})
    whole = json.dumps({"appid": APPID, "data": data, "noise": "n", "version": "1.0",
                        "sign": sign(data, "n")}).encode()  # fmt: skip
    form = f"appid={APPID}&data={data}&noise=n&version=1.0&sign={sign(data, 'n')}".encode()
    read_ = 0
    refusals: set[str] = set()

    for _ in range(6000):
        body = _mutated(dice, dice.choice([whole, form]))
        began = time.monotonic()
        try:
            envelope = wire.opened(body)
            wire.fits(envelope, KEY.encode())
            wire.unpacked(envelope, dice.choice(["utf-8", "gbk"]))
            read_ += 1
        except Refused as refused:
            refusals.add(refused.code)
        _in_time(began)

    assert 100 < read_ < 5900
    assert all(code.startswith("REQ_") for code in refusals)


def test_mutated_bills_are_read_or_refused_and_nothing_else():
    dice = random.Random(SEED)
    whole = json.dumps(bill(), ensure_ascii=False).encode()
    odd = [None, True, -1, 10**30, 1.5, "", "x" * 300, [], {}, [[]], [{}], {"a": {}}, "[", "\x07"]
    read_ = 0
    refusals: set[str] = set()

    for _ in range(3000):
        began = time.monotonic()
        try:
            value = wire.parsed(_mutated(dice, whole) if dice.random() < 0.5 else whole)
            if isinstance(value, dict) and value:
                value[dice.choice(list(value))] = dice.choice(odd)
                rows = value.get("chargeDetail")
                for row in rows if isinstance(rows, list) else ():
                    if isinstance(row, dict):
                        row[dice.choice(list(row) or ["amt"])] = dice.choice(odd)
                value = renamed(value)
            read(ISSUE, value)
            read_ += 1
        except Refused as refused:
            refusals.add(refused.code)
        _in_time(began)

    assert 10 < read_ < 2990
    assert all(code.startswith("REQ_") for code in refusals)


def test_every_method_answers_signed_nonsense_with_an_e_code_and_tells_nothing(clinic: Clinic):
    dice = random.Random(SEED)
    odd = [None, True, -1, 10**30, "", "x" * 300, [], {}, [{}], "[", "'; DROP TABLE receipt; --",
           "%s%n", "../..", "20261121", "０", "\u202e"]  # fmt: skip
    answer = clinic.issue()
    issued = clinic.by_key("B1").id

    for name, method in clinic.medical.methods.items():
        for _ in range(6):
            fields = {
                field.name: dice.choice([*odd, answer["billNo"], answer["billBatchCode"]])
                for field in method.table
            }
            began = time.monotonic()
            told = clinic.ask(clinic.post(name, json.dumps(clinic.envelope(fields)).encode()))
            _in_time(began)
            outer = json.loads(told.body)
            inner = base64.b64decode(outer["data"])
            assert not any(leak in inner for leak in LEAKS), (name, fields)
            assert "medical.failed" not in clinic.counter.notes.said, (name, fields)

    assert issued == clinic.by_key("B1").id
    assert "1" == clinic.good("getEBillStatesByBillInfo", refund(answer))["state"]


def test_events_sent_again_and_again_at_once_are_one_receipt_each(clinic: Clinic):
    dice = random.Random(SEED)
    calls = [key for key in range(40) for _ in range(dice.randint(1, 5))]
    dice.shuffle(calls)
    requests = [
        clinic.post("invoiceEBillOutpatient",
                    json.dumps(clinic.envelope(bill(busNo=f"S{key}"))).encode())
        for key in calls
    ]  # fmt: skip

    answers = [
        answer
        for at in range(0, len(requests), 32)
        for answer in clinic.asked([
            Deferred.fromCoroutine(clinic.medical.door(one)) for one in requests[at : at + 32]
        ])
    ]  # fmt: skip

    told: dict[int, set[str]] = {}
    for key, answer in zip(calls, answers, strict=True):
        told.setdefault(key, set()).add(json.dumps(clinic.opened(answer)[1]))
    assert {1} == {len(each) for each in told.values()}
    numbers = {json.loads(next(iter(each)))["billNo"] for each in told.values()}
    assert {f"{number:010d}" for number in range(1, 41)} == numbers
