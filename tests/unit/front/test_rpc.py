"""POST /rpc: proofs by headers, the window, nonces, tokens, one call a request."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from fep.domain.faults import refuse
from fep.services import callers_limits
from fep.services.callers import FAILURES_MAX, Caller, Callers
from fep.services.callers_limits import WINDOW_S, Addresses, Nonces
from fep.services.http_values import HttpAnswer, HttpRequest
from fep.services.methods import Method, Methods
from fep.services.rpc import Rpc
from tests.unit.front.hall import Heard

EVERY = frozenset({"*"})
KEY = b"5a" * 32
HIS = Caller("his", frozenset({"issue"}), EVERY, EVERY, auth="hmac-sm3", key=KEY)
SHA = replace(HIS, appid="sha", auth="hmac-sha256")
KIOSK = replace(HIS, appid="kiosk", auth="token", addresses=Addresses(("10.0.0.0/8", "::1")))
OLD = replace(HIS, appid="old", encoding="gbk")
START = 1_800_000_000


class Hand:
    """A clock in the test's hand."""

    def __init__(self) -> None:
        self.now = float(START)

    def wall(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def mono(self) -> float:
        return self.now


class Room:
    """The door with a few methods."""

    def __init__(self) -> None:
        self.clock, self.log, self.ran = Hand(), Heard(), []
        table = {
            "test.echo": Method("", self._echo, ""),
            "test.later": Method("", self._later, ""),
            "test.broken": Method("", self._broken, ""),
            "test.busy": Method("", self._busy, ""),
            "test.admin": Method("admin", self._echo, ""),
        }
        callers = Callers(self.clock, (HIS, SHA, KIOSK, OLD))
        self.nonces = Nonces(self.clock)
        self.rpc = Rpc(callers, self.nonces, Methods(table), self.log, lambda: "ref")
        self.count = 0

    def _echo(self, _caller: Caller, params: Any) -> Any:
        self.ran.append(params)
        return params

    async def _later(self, _caller: Caller, params: Any) -> Any:
        return {"later": params}

    def _broken(self, _caller: Caller, _params: Any) -> Any:
        raise ValueError("patient 张三")

    def _busy(self, _caller: Caller, _params: Any) -> Any:
        raise refuse("BUSY")

    def post(self, body: bytes, headers: dict[str, str], peer: str = "10.1.1.1",
             path: str = "/rpc", *, tls: bool = False) -> tuple[int, Any]:  # fmt: skip
        """Send a request; return status and the answer's JSON, None for no body."""
        request = HttpRequest("POST", path, {}, headers, body, peer, tls)
        answers: list[HttpAnswer] = []
        Deferred.fromCoroutine(self.rpc(request)).addCallback(answers.append)
        (answer,) = answers
        return answer.status, json.loads(answer.body) if answer.body else None

    def signed(self, body: bytes, caller: Caller = HIS, **changes: Any) -> dict[str, str]:
        """Return the headers that prove a key, or nearly so."""
        self.count += 1
        algorithm = caller.auth.removeprefix("hmac-")
        at = str(changes.get("at", int(self.clock.now)))
        nonce = changes.get("nonce", f"nonce-{self.count:04d}")
        digest = hashlib.new(algorithm, changes.get("macced", body)).hexdigest()
        text = f"POST|{changes.get('path', '/rpc')}|{at}|{nonce}|{digest}".encode()
        mac = hmac.new(changes.get("key", caller.key), text, algorithm).hexdigest()
        return {"x-fep-app": changes.get("appid", caller.appid), "x-fep-time": at,
                "x-fep-nonce": nonce, "x-fep-mac": mac}  # fmt: skip

    def call(self, method: str = "test.echo", caller: Caller = HIS, **more: Any) -> Any:
        """Make a signed call."""
        body = call(method)
        return self.post(body, self.signed(body, caller, **more))


@pytest.fixture
def room() -> Room:
    """A door at its start."""
    return Room()


def call(method: str = "test.echo", **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()


def code(said: tuple[int, Any]) -> tuple[int, str]:
    return said[0], said[1]["error"]["data"]["fault"]


@pytest.mark.parametrize("caller", [HIS, SHA])
def test_a_signed_call_is_answered_whatever_the_algorithm(room: Room, caller: Caller) -> None:
    body = call(a="张")

    said = room.post(body, room.signed(body, caller))

    assert said == (200, {"jsonrpc": "2.0", "id": 7, "result": {"a": "张"}})
    assert room.call("test.later")[1]["result"] == {"later": {}}


@pytest.mark.parametrize("change", [
    {"key": b"other" * 8}, {"macced": b"another body"}, {"path": "/rpc2"}, {"appid": "sha"},
    {"appid": "nobody"}, {"appid": "kiosk"},
])  # fmt: skip
def test_a_mac_is_good_for_this_caller_this_path_and_this_body_alone(
    room: Room, change: dict[str, Any]
) -> None:
    assert code(room.call(**change)) == (401, "AUTH_WRONG")
    assert room.ran == []


@pytest.mark.parametrize("name", ["x-fep-app", "x-fep-time", "x-fep-nonce"])
@pytest.mark.parametrize("value", ["", "\x00", "x" * 70, "12 4567890"])
def test_headers_that_are_none_prove_nothing(room: Room, name: str, value: str) -> None:
    body = call()

    status, fault = code(room.post(body, room.signed(body) | {name: value}))

    assert status == 401
    assert fault in ("AUTH_NEEDED", "AUTH_WRONG")
    assert room.ran == []


def test_nothing_of_the_body_is_looked_at_before_the_proof(room: Room) -> None:
    assert [(401, "AUTH_NEEDED")] * 3 == [code(room.post(body, {}))
                                          for body in (b"", b"[", b'{"jsonrpc"')]  # fmt: skip


def test_the_window_is_five_minutes_and_begins_with_the_node(room: Room) -> None:
    before = room.call(at=START - 1)
    room.clock.now += 1000
    told = [room.call(at=START + 1000 + late) for late in (-WINDOW_S - 1, WINDOW_S + 1)]
    good = [room.call(at=START + 1000 + late)[0] for late in (-WINDOW_S, WINDOW_S)]

    assert [(401, "AUTH_TIME")] * 3 == [code(said) for said in (before, *told)]
    assert str(START + 1000) in told[0][1]["error"]["data"]["en"]
    assert told[0][1]["error"]["data"]["retryable"]
    assert good == [200, 200]


def test_a_nonce_is_good_once_for_each_caller_and_wrong_macs_use_none_up(room: Room) -> None:
    wrong = room.call(nonce="same-nonce", key=b"x")
    first, again = room.call(nonce="same-nonce"), room.call(nonce="same-nonce")
    other = room.call(caller=SHA, nonce="same-nonce")

    assert code(wrong) == (401, "AUTH_WRONG")
    assert (first[0], code(again), other[0]) == (200, (401, "AUTH_REPLAY"), 200)


def test_the_memory_of_nonces_is_bounded_for_each_caller(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers_limits, "NONCES_MAX", 3)

    told = [room.call()[0] for _ in range(4)]
    other = room.call(caller=SHA)[0]
    room.clock.now += WINDOW_S + 1
    later = room.call()[0]

    assert (told, other, later) == ([200, 200, 200, 503], 200, 200)
    assert room.nonces._used["his"].count == 1


def test_wrong_macs_lock_out_that_caller_from_that_address_and_nobody_else(room: Room) -> None:
    for _ in range(FAILURES_MAX):
        room.call(key=b"x")
    body = call()

    assert code(room.call()) == (429, "AUTH_LOCKED")
    assert room.post(body, room.signed(body), peer="10.1.1.2")[0] == 200
    assert room.call(caller=SHA)[0] == 200


@pytest.mark.parametrize(("peer", "tls", "token", "wanted"), [
    ("127.0.0.1", False, "good", 403), ("::1", False, "good", 200),
    ("10.1.1.1", False, "good", 401), ("10.1.1.1", True, "good", 200),
    ("11.1.1.1", True, "good", 403), ("10.1.1.1", True, "bad", 401),
])  # fmt: skip
def test_a_token_is_taken_from_here_or_over_tls_from_listed_addresses(
    room: Room, peer: str, tls: bool, token: str, wanted: int
) -> None:
    headers = {"x-fep-app": "kiosk",
               "x-fep-token": KEY.decode() if token == "good" else "z" * 64}  # fmt: skip

    status = room.post(call(), headers, peer, tls=tls)[0]

    assert status == wanted  # a list binds this machine too: 127.0.0.1 is not on it


def test_a_token_of_a_caller_that_signs_is_worth_nothing(room: Room) -> None:
    headers = {"x-fep-app": "his", "x-fep-token": KEY.decode()}

    assert code(room.post(call(), headers, "127.0.0.1")) == (401, "AUTH_WRONG")


@pytest.mark.parametrize(("body", "wanted"), [
    (b'[{"jsonrpc":"2.0","id":1,"method":"test.echo"}]', (400, "REQ_BATCH")),
    (b" [", (400, "REQ_BATCH")),
    (b"", (400, "REQ_PARSE")), (b"{", (400, "REQ_PARSE")), (b"1", (400, "REQ_SHAPE")),
    (b'{"jsonrpc":"2.0","id":1}', (400, "REQ_SHAPE")),
    (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}', (400, "REQ_DUPLICATE_KEY")),
    (call("nope"), (200, "REQ_METHOD")), (call("test.admin"), (200, "AUTH_RIGHT")),
    (call("test.busy"), (503, "BUSY")),
])  # fmt: skip
def test_what_is_no_single_call_is_refused_with_its_code(
    room: Room, body: bytes, wanted: tuple[int, str]
) -> None:
    assert code(room.post(body, room.signed(body))) == wanted


def test_a_notification_is_run_and_not_answered(room: Room) -> None:
    body = b'{"jsonrpc":"2.0","method":"test.echo","params":{"n":1}}'

    assert room.post(body, room.signed(body)) == (204, None)
    assert room.ran == [{"n": 1}]


def test_what_breaks_inside_is_told_by_its_reference_alone(room: Room) -> None:
    said = room.call("test.broken")

    assert code(said) == (500, "INTERNAL")
    assert "张三" not in json.dumps(said[1], ensure_ascii=False)
    assert said[1]["error"]["data"]["ref"] == "ref"
    assert "张三" not in str(room.log.said)


def test_a_gbk_caller_is_read_in_gbk_and_answered_in_ascii(room: Room) -> None:
    body = '{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"a":"张三"}}'.encode("gbk")

    said = room.post(body, room.signed(body, OLD))

    assert said[1]["result"] == {"a": "张三"}
