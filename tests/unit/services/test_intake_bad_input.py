"""What bad input gets, over a real socket: a stable code, both sentences, and the connection
goes on; nothing is half-done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest_twisted

from fep.services.connection import Bounds
from tests.unit.services.line import OLD, Front, fault

EVENT: dict[str, Any] = {
    "unit": "H001", "point": "001", "kind": "outpatient", "key": "OP1",
    "payer": {"name": "欧阳䶮", "type": "1", "code": "420982198803120059"},
    "total": "126.50",
    "items": [{"code": "060103", "name": "化验费", "amount": "106.50"},
              {"code": "060101", "name": "诊察费", "amount": "20.00"}],
    "channels": [{"code": "11", "amount": "100.00"}, {"code": "05", "amount": "26.50"}],
    "cashier": "王芳", "occurred_at": "20261121083015120", "ext": {"gender": "男"},
}  # fmt: skip


def _with(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (EVENT | changes).items() if value is not None}


def _item(**changes: Any) -> dict[str, Any]:
    return _with(items=[{"code": "1", "name": "诊察费", "amount": "126.50"} | changes])


# what is wrong -> params of receipt.issue, the code, the field it names
EVENTS: dict[str, tuple[Any, str, str]] = {
    "exponent": (_with(total="1e30"), "REQ_FIELD_MONEY", "total"),
    "nan as text": (_with(total="NaN"), "REQ_FIELD_MONEY", "total"),
    "infinity": (_with(total="Infinity"), "REQ_FIELD_MONEY", "total"),
    "number": (_with(total=126.5), "REQ_FIELD_TYPE", "total"),
    "huge integer": (_with(total=10**30), "REQ_FIELD_TYPE", "total"),
    "three decimals, total": (_with(total="126.500"), "REQ_FIELD_MONEY", "total"),
    "three decimals, item": (_item(amount="126.505"), "REQ_FIELD_MONEY", "items[0].amount"),
    "three decimals, channel": (_with(channels=[{"code": "1", "amount": "126.501"}]),
                                "REQ_FIELD_MONEY", "channels[0].amount"),
    "other digits": (_with(total="１２６.50"), "REQ_FIELD_MONEY", "total"),
    "beyond any receipt": (_with(total="999999999999.00"), "REQ_FIELD_MONEY", "total"),
    "total zero": (_with(total="0.00"), "EVT_TOTAL", ""),
    "total below zero": (_with(total="-126.50"), "EVT_TOTAL", ""),
    "items sum": (_with(total="126.51"), "EVT_ITEMS_SUM", ""),
    "channels sum": (_with(channels=[{"code": "1", "amount": "1.00"}]), "EVT_CHANNELS_SUM", ""),
    "no items": (_with(items=[]), "EVT_ITEMS_NONE", ""),
    "unknown field": (_with(totl="1"), "REQ_FIELD_UNKNOWN", "totl"),
    "unknown inner field": (_item(qty="1"), "REQ_FIELD_UNKNOWN", "items[0].qty"),
    "missing field": (_with(key=None), "REQ_FIELD_MISSING", "key"),
    "missing payer": (_with(payer=None), "REQ_FIELD_MISSING", "payer.name"),
    "wrong shape": (_with(items={"a": 1}), "REQ_FIELD_TYPE", "items"),
    "params a list": ([1], "REQ_FIELD_TYPE", "params"),
    "params a text": ("x", "REQ_FIELD_TYPE", "params"),
    "too long": (_with(key="K" * 51), "REQ_FIELD_LENGTH", "key"),
    "too many details": (_with(details=[{"item": "1", "name": "x"}] * 51),
                         "REQ_FIELD_LENGTH", "details"),
    "a printer command": (_with(payer={"name": "王\x1b@芳"}), "REQ_FIELD_TEXT", "payer.name"),
    "a NUL": (_item(name="诊\x00察"), "REQ_FIELD_TEXT", "items[0].name"),
    "a C1 control": (_with(remark="\x9b"), "REQ_FIELD_TEXT", "remark"),
    "a reversed face": (_with(payer={"name": "王\u202e芳"}), "REQ_FIELD_TEXT", "payer.name"),
    "a business time in words": (_with(occurred_at="yesterday"), "REQ_FIELD_VALUE", "occurred_at"),
    "a day that is none": (_with(occurred_at="20260231080000000"), "REQ_FIELD_VALUE",
                           "occurred_at"),
    "no such unit": (_with(unit="H002"), "CFG_UNIT", ""),
    "no such kind": (_with(kind="x"), "CFG_KIND", ""),
    "no such point": (_with(point="9"), "CFG_POINT", ""),
}  # fmt: skip

_CALL = b'"jsonrpc":"2.0","id":7,"method":"system.ping"'


def _call(method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()


# what is wrong -> a raw line, the code
LINES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"hello", "REQ_PARSE"),
    "half a JSON": (b'{"jsonrpc":', "REQ_PARSE"),
    "two texts": (b"{%s} {}" % _CALL, "REQ_PARSE"),
    "not UTF-8": (b'{"a":"\xff\xfe"}', "REQ_PARSE"),
    "a lone surrogate": (b'{%s,"params":{"a":"\\ud800"}}' % _CALL, "REQ_PARSE"),
    "NaN": (b'{%s,"params":{"total":NaN}}' % _CALL, "REQ_PARSE"),
    "Infinity": (b'{%s,"params":{"total":-Infinity}}' % _CALL, "REQ_PARSE"),
    "a number without end": (b'{%s,"params":%s}' % (_CALL, b"9" * 9999), "REQ_PARSE"),
    "too deep": (b"[" * 50_000, "REQ_PARSE"),
    "duplicate key": (b'{%s,"params":{"a":1,"a":2}}' % _CALL, "REQ_DUPLICATE_KEY"),
    "duplicate key, escaped": (b'{%s,"params":{"a":1,"\\u0061":2}}' % _CALL, "REQ_DUPLICATE_KEY"),
    "duplicate method": (b'{%s,"method":"system.ping"}' % _CALL, "REQ_DUPLICATE_KEY"),
    "a list": (b"[{%s}]" % _CALL, "REQ_SHAPE"),
    "no version": (b'{"id":7,"method":"system.ping"}', "REQ_SHAPE"),
    "no method": (b'{"jsonrpc":"2.0","id":7}', "REQ_SHAPE"),
    "id a float": (b'{"jsonrpc":"2.0","id":1e30,"method":"system.ping"}', "REQ_SHAPE"),
    "id an object": (b'{"jsonrpc":"2.0","id":{},"method":"system.ping"}', "REQ_SHAPE"),
    "unknown member": (b'{%s,"extra":1}' % _CALL, "REQ_FIELD_UNKNOWN"),
    "unknown method": (b'{"jsonrpc":"2.0","id":7,"method":"no.such"}', "REQ_METHOD"),
    "wrong query": (b'{"jsonrpc":"2.0","id":7,"method":"receipt.get","params":{"code":"1"}}',
                    "REQ_FIELD_MISSING"),
    "a huge cursor": (_call("receipt.find", cursor=10**20), "REQ_FIELD_VALUE"),
    "a huge id": (_call("event.get", id=10**20), "REQ_FIELD_VALUE"),
    "oversize": (b'{"a":"' + b"x" * 300_000 + b'"}', "REQ_TOO_BIG"),
}  # fmt: skip


def _refusal(answer: dict[str, Any]) -> tuple[str, str]:
    return fault(answer), str(answer["error"]["data"].get("field", ""))


@pytest_twisted.ensureDeferred
async def test_every_bad_event_gets_its_code_and_field_and_the_connection_goes_on(
    tmp_path: Path,
):
    async with Front(tmp_path) as front:
        line = await (await front.line()).enter()

        told = {
            what: _refusal(await line.say(line.request("receipt.issue", params)))
            for what, (params, _code, _field) in EVENTS.items()
        }
        good = await line.ask("receipt.issue", **EVENT)
        books = front.counter.books()

    named = {what: (code, field) for what, (_params, code, field) in EVENTS.items()}
    assert named == {what: (code, field) for what, (code, field) in told.items()}
    assert "0000000001" == good["result"]["receipt"]["number"]
    assert ["OP1"] == [event.key for event in books["event"]]


@pytest_twisted.ensureDeferred
async def test_every_bad_line_gets_its_code_and_the_connection_goes_on(tmp_path: Path):
    async with Front(tmp_path, bounds=Bounds(200_000, 64)) as front:
        line = await (await front.line()).enter()

        told = {}
        for what, (raw, _code) in LINES.items():
            told[what] = fault(await line.say(raw))
            alive = await line.ask("system.ping")
            assert "result" in alive, what

    assert {what: code for what, (_raw, code) in LINES.items()} == told


@pytest_twisted.ensureDeferred
async def test_the_same_key_with_another_content_names_the_receipt_that_exists(tmp_path: Path):
    async with Front(tmp_path) as front:
        line = await (await front.line()).enter()
        first = await line.ask("receipt.issue", **EVENT)

        noise = _with(cashier="李四", remark="再来一次", occurred_at="20261121093015120")
        again = await line.ask("receipt.issue", **noise)
        other = await line.ask("receipt.issue", **_with(payer={"name": "李四"}))

    receipt = first["result"]["receipt"]
    assert (receipt, True) == (again["result"]["receipt"], again["result"]["repeated"])
    assert "EVT_CONFLICT" == fault(other)
    assert f"{receipt['code']}-{receipt['number']}" == other["error"]["data"]["receipt"]


@pytest_twisted.ensureDeferred
async def test_blanks_become_a_space_and_rare_characters_stay_before_signing(tmp_path: Path):
    async with Front(tmp_path) as front:
        line = await (await front.line()).enter()

        answer = await line.ask("receipt.issue", **_with(payer={"name": "欧\t阳\r\n䶮"}))
        (original,) = front.counter.books().originals.values()

    assert "欧 阳  䶮" == answer["result"]["receipt"]["payer"]
    assert "欧 阳  䶮" in original.decode()


@pytest_twisted.ensureDeferred
async def test_a_gbk_caller_is_read_and_answered_in_gbk(tmp_path: Path):
    async with Front(tmp_path) as front:
        line = await (await front.line("gbk")).enter(OLD)

        answer = await line.ask("receipt.issue", **_with(payer={"name": "王芳"}))
        wrong = await line.say(b'{"jsonrpc":"2.0","id":1,"method":"\xff"}')

    assert "王芳" == answer["result"]["receipt"]["payer"]
    (original,) = front.counter.books().originals.values()
    assert "王芳" in original.decode()
    assert "REQ_PARSE" == fault(wrong)


@pytest_twisted.ensureDeferred
async def test_a_notification_is_obeyed_and_never_answered(tmp_path: Path):
    async with Front(tmp_path) as front:
        line = await (await front.line()).enter()

        for method, params in (("receipt.issue", EVENT), ("receipt.issue", _with(total="0.00")),
                               ("no.such", {})):  # fmt: skip
            call = {"jsonrpc": "2.0", "method": method, "params": params}
            line.send(json.dumps(call).encode())
        answer = await line.ask("receipt.get", unit="H001", key="OP1")
        while "error" in answer:  # the notification is still under way
            assert "RCP_UNKNOWN" == fault(answer)
            answer = await line.ask("receipt.get", unit="H001", key="OP1")

    assert "0000000001" == answer["result"]["receipt"]["number"]
    assert [] == line.heard


@pytest_twisted.ensureDeferred
async def test_the_methods_of_the_window_answer_what_they_promise(tmp_path: Path):
    async with Front(tmp_path) as front:
        line = await (await front.line()).enter()

        issued = (await line.ask("receipt.issue", **EVENT))["result"]["receipt"]
        by_number = await line.ask("receipt.get", code=issued["code"], number=issued["number"])
        found = await line.ask("receipt.find", payer="欧阳䶮", limit=1)
        event = await line.ask("event.get", unit="H001", key="OP1")
        queued = await line.ask("event.submit", **_with(key="OP2"))
        nothing = await line.ask("receipt.get", code="42060126", number="0000009999")
        unknown = await line.ask("event.get", unit="H001", key="none")

    assert issued == by_number["result"]["receipt"]
    assert [issued["number"]] == [each["number"] for each in found["result"]["receipts"]]
    assert ("issued", issued) == (event["result"]["event"]["state"], event["result"]["receipt"])
    assert ("OP2", "queued") == tuple(queued["result"]["event"][n] for n in ("key", "state"))
    assert ("RCP_UNKNOWN", "EVT_UNKNOWN") == (fault(nothing), fault(unknown))
