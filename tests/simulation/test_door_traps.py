"""Traps of the issuing path at the door: control bytes (9), clients that never read (10)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from fep.domain.faults import Refused
from fep.services.callers import Caller
from fep.services.connection import Bounds, Connection
from fep.wire import issue_params, jsonrpc, strictjson

OUTSTANDING = 64


def _params(**changes: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "unit": "u", "point": "001", "kind": "outpatient", "key": "K1", "payer": {"name": "王芳"},
        "total": "12.30", "items": [{"code": "1", "name": "诊察费", "amount": "12.30"}],
    }  # fmt: skip
    return {**params, **changes}


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\x07", "\x7f", "\x1d"])
@pytest.mark.parametrize("field", ["payer", "item", "ext", "remark", "key"])
def test_trap_9_control_bytes_are_refused_with_the_fields_name(field: str, char: str):
    bad = f"a{char}b"
    changes: dict[str, Any] = {
        "payer": {"payer": {"name": bad}},
        "item": {"items": [{"code": "1", "name": bad, "amount": "12.30"}]},
        "ext": {"ext": {"gender": bad}},
        "remark": {"remark": bad},
        "key": {"key": bad},
    }[field]

    with pytest.raises(Refused) as refused:
        issue_params.parse(_params(**changes))

    assert "REQ_FIELD_TEXT" == refused.value.code
    assert refused.value.details["field"]


def test_trap_9_tab_and_line_ends_become_a_space():
    event = issue_params.parse(_params(payer={"name": "王\t芳"}, remark="一\r\n二"))

    assert "王 芳" == event.payer.name
    assert not set("\t\r\n") & set(event.remark)


def test_trap_9_a_lone_surrogate_is_refused_before_anything_is_queued():
    raw = json.dumps(_params(payer={"name": "王\ud800"})).encode()

    with pytest.raises(Refused) as refused:
        issue_params.parse(strictjson.loads(raw))

    assert refused.value.code.startswith("REQ_")


class _Door:
    """A door behind which nothing is ever answered."""

    frame_mac = False
    version = "0"

    def __init__(self) -> None:
        self.bounds = Bounds(1 << 20, OUTSTANDING)
        self.calls: list[Deferred[Any]] = []

    def challenge(self) -> str:
        return "00"

    def greet(self, _connection: Connection) -> Caller:
        every = frozenset({"*"})
        return Caller("his", frozenset({"issue"}), every, every)

    def call(self, _caller: Caller, _request: jsonrpc.Request) -> Deferred[Any]:
        self.calls.append(Deferred())
        return self.calls[-1]

    def reference(self) -> str:
        return "ref"

    def lost(self, _connection: Connection) -> None:
        pass

    def hold(self, _more: int) -> bool:
        return True


class _Log:
    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_keys: None


def _connected() -> tuple[_Door, Connection, StringTransport, Clock]:
    door, clock, transport = _Door(), Clock(), StringTransport()
    transport.abortConnection = transport.loseConnection
    connection = Connection(clock, door, _Log())
    connection.makeConnection(transport)
    return door, connection, transport, clock


def _requests(count: int) -> bytes:
    return b"".join(
        b'{"jsonrpc":"2.0","id":%d,"method":"system.ping","params":{}}\n' % number
        for number in range(count)
    )


def test_trap_10_a_pipelining_client_is_read_no_further_than_its_bound():
    door, connection, transport, _clock = _connected()

    connection.dataReceived(_requests(1000))

    assert OUTSTANDING == len(door.calls)
    assert "paused" == transport.producerState
    for number in range(1000):
        door.calls[number].callback({})
    assert 1000 == len(door.calls)
    assert "producing" == transport.producerState


def test_trap_10_a_client_that_reads_no_answers_is_given_no_more_and_then_cut():
    door, connection, transport, clock = _connected()
    connection.pauseProducing()  # the kernel's buffer towards the client is full

    connection.dataReceived(_requests(10))
    clock.advance(door.bounds.stall_s + 1)

    assert [] == door.calls
    assert "paused" == transport.producerState
    assert transport.disconnecting
