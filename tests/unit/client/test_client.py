"""The client: what it sends is what the door checks, and what comes back is typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.client import Client, Event, Item, Payer, Queued, RemoteFault, Unreachable
from fep.wire import jsonrpc
from tests.unit.client.front_end import CHALLENGE, Answer, FrontEnd, refusal

KEY = b"0f" * 32
RECEIPT = {
    "code": "42060126", "number": "0000000001", "check_code": "a1B2c3", "einvoice_id": "x",
    "amount": "12.34", "issued_at": "2026-11-21T00:00:00+08:00", "state": "sealed", "key": "OP1",
}  # fmt: skip
EVENT = Event(
    key="OP1", unit="wuhan-1", point="001", kind="medical", payer=Payer("欧阳䶮"),
    total="12.34", items=(Item("01", "诊察费", "12.34"),), channels={"02": "12.34"},
)  # fmt: skip


@pytest.fixture
def serve() -> Iterator[Callable[..., FrontEnd]]:
    """Return a starter of front-ends that are closed at the end."""
    started: list[FrontEnd] = []

    def start(answer: Answer, *, frame_mac: bool = False) -> FrontEnd:
        started.append(FrontEnd.tcp(answer, frame_mac=frame_mac))
        return started[-1]

    yield start
    for front_end in started:
        front_end.close()


def well(request: dict[str, Any]) -> dict[str, Any]:
    if request["method"] == "receipt.issue":
        return {"result": {"receipt": RECEIPT, "repeated": False}}
    return {"result": {"appid": "his", "rights": ["issue"]}}


def connect(front_end: FrontEnd, **options: Any) -> Client:
    return Client.tcp("127.0.0.1", front_end.port, appid="his", key=KEY, timeout_s=5, **options)


@pytest.mark.parametrize("alg", ["hmac-sm3", "hmac-sha256"])
def test_the_challenge_is_answered_as_the_door_checks_it(
    serve: Callable[..., FrontEnd], alg: str
) -> None:
    front_end = serve(well)

    with connect(front_end, alg=alg):
        pass

    (sent,) = front_end.requests()
    expected = jsonrpc.challenge_mac(alg, KEY, "his", CHALLENGE)
    assert sent["params"] == {"appid": "his", "alg": alg, "mac": expected}


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_every_frame_carries_seq_and_the_mac_the_door_computes(
    serve: Callable[..., FrontEnd], encoding: str
) -> None:
    front_end = serve(well, frame_mac=True)
    plain = {**EVENT.params(), "payer": {"name": "Li", "type": "1"}, "items": []}

    with connect(front_end, encoding=encoding) as client:
        client.call("receipt.issue", **plain)
        client.call("receipt.issue", **plain)

    frames = front_end.lines[1:]
    for seq, line in enumerate(frames, start=1):
        request = jsonrpc.parse(line.strip(), encoding)
        assert request.seq == seq
        assert request.mac == jsonrpc.frame_mac("hmac-sm3", KEY, "his", CHALLENGE, line)


def test_an_issued_receipt_comes_back_typed(serve: Callable[..., FrontEnd]) -> None:
    front_end = serve(well)

    with connect(front_end) as client:
        issued = client.issue(EVENT)

    assert (issued.number, issued.amount, issued.repeated) == ("0000000001", "12.34", False)
    assert front_end.requests()[-1]["params"] == {
        "key": "OP1", "unit": "wuhan-1", "point": "001", "kind": "medical",
        "payer": {"name": "欧阳䶮", "type": "1"}, "total": "12.34",
        "items": [{"code": "01", "name": "诊察费", "amount": "12.34"}],
        "channels": [{"code": "02", "amount": "12.34"}],
    }  # fmt: skip


def test_a_queued_event_is_told_as_such(serve: Callable[..., FrontEnd]) -> None:
    front_end = serve(
        lambda request: (
            well(request)
            if request["method"] == "system.auth"
            else {"result": {"event": {"id": 7, "state": "queued"}, "queued": True}}
        )
    )

    with connect(front_end) as client, pytest.raises(Queued) as queued:
        client.issue(EVENT)

    assert queued.value.event_id == 7


def test_a_refusal_keeps_its_stable_code(serve: Callable[..., FrontEnd]) -> None:
    front_end = serve(
        lambda request: (
            well(request)
            if request["method"] == "system.auth"
            else refusal("NUM_NONE", "没有可用票号", "No numbers left")
        )
    )

    with connect(front_end) as client, pytest.raises(RemoteFault) as refused:
        client.issue(EVENT)

    fault = refused.value
    assert (fault.code, fault.zh, fault.ref) == ("NUM_NONE", "没有可用票号", "r1")


def test_an_unanswered_call_is_told_as_sent(serve: Callable[..., FrontEnd]) -> None:
    front_end = serve(lambda request: well(request) if request["method"] == "system.auth" else None)

    with connect(front_end) as client, pytest.raises(Unreachable) as gone:
        client.issue(EVENT)

    assert gone.value.sent is True


def test_nobody_there_is_unreachable_and_not_sent(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as gone:
        Client.unix(tmp_path / "control.sock", timeout_s=1)

    assert gone.value.sent is False
