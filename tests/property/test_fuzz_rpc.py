"""The served documents keep their word: against a running front-end, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fep.services.schemas import SHAPES
from fep.services.schemas_desk import MEMBERS
from tests.harness.processes import Fleet
from tests.harness.schema import Maker, Schemas
from tests.property.rpc_site import RpcSite

CALLS = 14  # of each method
SEED = 20261121
SECRETS = ("Traceback", 'File "', ".py:", "sqlite", "SELECT ", "keys/")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RpcSite]:
    """A front-end with a few receipts and sheets."""
    place = tmp_path_factory.mktemp("rpc")
    with Fleet(place / "logs") as fleet:
        yield RpcSite(place, fleet)


@pytest.fixture(scope="module")
def openapi(site: RpcSite) -> Any:
    """The document the front-end serves."""
    return site.get("/openapi.json")


def _calls(document: Any) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    return {name.removeprefix("call."): schema for name, schema in schemas.items()
            if name.startswith("call.")}  # fmt: skip


def _hints(site: RpcSite) -> dict[str, list[Any]]:
    told = [site.call("receipt.issue", site.event(f"HINT{n}"))[1] for n in range(3)]
    receipts = [answer["result"]["receipt"] for answer in told]
    town = site.town
    return {
        "unit": [town.unit], "point": [town.point], "kind": [town.kind],
        "code": [town.code], "number": [one["number"] for one in receipts],
        "key": [f"F{n}" for n in range(20)], "total": ["12.30"], "amount": ["12.30"],
        "name": [f"{town.code}-{receipts[0]['number']}"], "reason": ["because"],
        "receipt": [f"{town.code}-{receipts[0]['number']}"], "print": [False],
        "occurred_at": ["20261121101112000"],
    }  # fmt: skip


def _judge(schemas: Schemas, schema: Any, status: int, answer: Any) -> list[str]:
    if status >= 500:
        return [f"status {status}: {answer}"]
    text = json.dumps(answer, ensure_ascii=False)
    wrong = [f"leaks {word}" for word in SECRETS if "error" in answer and word in text]
    told = schema["x-answer"] if "result" in answer else {"$ref": "/fault"}
    return wrong + list(schemas.faults_of(told, answer))


def test_every_method_is_documented_with_its_right(site: RpcSite, openapi: Any) -> None:
    listed = site.call("system.methods", {})[1]["result"]["methods"]
    openrpc = site.get("/openrpc.json")
    discovered = site.call("system.discover", {})[1]["result"]

    rights = {one["name"]: one["right"] for one in listed}
    assert rights == {name: schema["x-right"] for name, schema in _calls(openapi).items()}
    assert rights == {one["name"]: one["x-right"] for one in openrpc["methods"]}
    assert discovered == openrpc
    assert all(one["summary"] for one in openrpc["methods"])
    assert set() == {*SHAPES, *MEMBERS} - set(rights)  # nothing is described that is gone


def test_every_documented_required_member_is_enforced(site: RpcSite, openapi: Any) -> None:
    schemas = Schemas(openapi)
    hints = _hints(site)
    kept = []
    for method, schema in _calls(openapi).items():
        body = schemas.open(schema["properties"]["params"])
        for missing in body.get("required", []):
            params = Maker(schemas, SEED, hints).good(body)
            del params[missing]
            _, answer = site.call(method, params)
            fault = answer.get("error", {}).get("data", {})
            if fault.get("fault") not in ("REQ_FIELD_MISSING", "CTL_REASON", "EVT_ITEMS_NONE",
                                          "BATCH_SIZE"):  # fmt: skip
                kept.append(f"{method} without {missing}: {str(answer)[:160]}")

    assert not kept, "\n".join(kept)


def test_answers_of_a_receipts_whole_life_are_as_documented(site: RpcSite, openapi: Any) -> None:
    schemas, calls, town = Schemas(openapi), _calls(openapi), site.town
    place = {"unit": town.unit, "point": town.point}

    def told(method: str, params: Any) -> Any:
        status, answer = site.call(method, params)
        assert "result" in answer, (method, answer)
        assert [] == _judge(schemas, calls[method], status, answer)
        return answer["result"]

    told("system.ping", {})
    first = told("receipt.issue", site.event("LIFE1"))["receipt"]
    named = {"code": first["code"], "number": first["number"]}
    told("receipt.issue", site.event("LIFE1"))
    told("receipt.get", named)
    told("receipt.get", {"unit": town.unit, "key": "LIFE1"})
    told("receipt.find", {"key": "LIFE1"})
    told("event.submit", site.event("LIFE2"))
    told("event.get", {"unit": town.unit, "key": "LIFE1"})
    told("paper.import", {**place, "code": "4201", "first": "00000001", "last": "00000009",
                          "approval": "A", "reason": "test"})  # fmt: skip
    sheet = told("paper.next", place)["sheet"]
    told("paper.exchange", {**place, **named, "sheet": sheet})
    told("paper.get", {"unit": town.unit, "sheet": sheet})
    told("paper.get", {"unit": town.unit, **named})
    told("paper.reexchange", {**place, **named, "reason": "jam"})
    told("paper.list", {"unit": town.unit})
    told("paper.void", {**place, "first": told("paper.next", place)["sheet"], "reason": "torn"})
    told("print.get", named)
    told("receipt.life", named)
    second = told("receipt.issue", site.event("LIFE3"))["receipt"]
    other = {"code": second["code"], "number": second["number"]}
    told("print.again", {**other, "reason": "lost"})
    told("receipt.reverse", {"unit": town.unit, "key": "RED3", **other, "reason": "refund"})
    told("receipt.life", other)
    told("print.get", other)
    told("batch.submit", {"key": "B1", "events": [site.event("BATCH1"), {"key": "BATCH2"}]})
    told("batch.get", {"key": "B1"})
    told("event.list", {"since": 0})
    told("day.totals", {"from": "2026-01-01", "to": "2099-12-31", "unit": town.unit})
    told("receipt.export", {"from": "2026-01-01", "to": "2099-12-31"})
    told("receipt.find", {"life": "reversed", "amount_from": "0.01"})


def test_nothing_of_another_unit_is_ever_told(site: RpcSite, openapi: Any) -> None:
    """The caller knows names, keys and numbers of the other unit, and asks for everything."""
    maker = Maker(Schemas(openapi), SEED, _hints(site))
    secret = site.event("SECRET1")
    secret["payer"]["name"] = "欧阳秘密"
    told = site.call("receipt.issue", secret)[1]["result"]["receipt"]
    maker.hints |= {"number": [told["number"]], "key": ["SECRET1"], "name": ["欧阳秘密"]}
    known = (told["check_code"], told["einvoice_id"], "欧阳秘密")
    leaks, refused = [], 0
    for method, schema in _calls(openapi).items():
        for turn in range(8):
            params = maker.good(schema["properties"]["params"], all_of=turn % 4 == 3)
            asked = json.dumps(params, ensure_ascii=False)
            answer = json.dumps(site.call(method, params, "other")[1], ensure_ascii=False)
            refused += '"error"' in answer
            leaks += [f"{method} {asked}: {word}"[:300]
                      for word in known if word in answer and word not in asked]  # fmt: skip

    mine = json.dumps(site.call("receipt.get", {"unit": site.town.unit, "key": "SECRET1"})[1],
                      ensure_ascii=False)  # fmt: skip
    assert all(word in mine for word in known)  # who may, is told
    assert [] == leaks
    assert refused > 100


def test_no_call_made_from_the_document_breaks_the_front_end(site: RpcSite, openapi: Any) -> None:
    schemas = Schemas(openapi)
    maker = Maker(schemas, SEED, _hints(site))
    found, asked, worked = [], 0, set()
    for method, schema in _calls(openapi).items():
        for turn in range(CALLS):
            params = maker.good(schema["properties"]["params"], all_of=turn % 3 == 1)
            if turn % 2:
                params = maker.bent(params)
            status, answer = site.call(method, params)
            asked += 1
            if "result" in answer:
                worked.add(method)
            found += [f"{method} {params}: {wrong}"[:400]
                      for wrong in _judge(schemas, schema, status, answer)]  # fmt: skip

    assert [] == found
    assert asked >= 500
    assert len(worked) > len(_calls(openapi)) / 2
    assert site.daemon.running
    assert "call.failed" not in site.daemon.log.read_text("utf-8")
