"""Who may come in, over a real socket: proofs, replays, lock-outs, tokens, frames, rights."""

from __future__ import annotations

import getpass
import json
import os
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from fep.services.callers import FAILURE_WINDOW_S, FAILURES_MAX, LOCKED_S
from fep.services.methods import Method, Methods
from tests.unit.services.line import DESK, HIS, KEY, SHA, WARD, Front, Hall, Line, echo, fault
from tests.unit.services.test_intake_bad_input import EVENT


class MovedClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def mono(self) -> float:
        return self.now


@pytest_twisted.ensureDeferred
async def test_nothing_is_answered_before_a_key_is_proved(tmp_path: Path):
    async with Hall(tmp_path, echo()) as hall:
        line = await hall.line()

        refused = [fault(await line.ask(name)) for name in ("test.echo", "system.methods", "x")]
        await line.enter()
        answer = await line.ask("test.echo", a=1)

    assert ["AUTH_NEEDED"] * 3 == refused
    assert {"a": 1} == answer["result"]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("caller", [HIS, SHA])
async def test_each_mac_algorithm_proves_its_callers_key_and_no_other(tmp_path: Path, caller: Any):
    other = "hmac-sha256" if caller.auth == "hmac-sm3" else "hmac-sm3"
    async with Hall(tmp_path, echo()) as hall:
        line = await hall.line()

        wrong = await line.ask("system.auth", **line.proof(caller.appid, alg=other))
        right = await line.ask("system.auth", **line.proof(caller.appid, alg=caller.auth))

    assert "AUTH_WRONG" == fault(wrong)
    assert {"appid": caller.appid, "rights": ["issue", "query"]} == right["result"]


@pytest_twisted.ensureDeferred
async def test_a_wrong_mac_is_refused_and_the_connection_survives(tmp_path: Path):
    async with Hall(tmp_path, echo()) as hall:
        line = await hall.line()

        told = [
            fault(await line.ask("system.auth", **params))
            for params in (
                line.proof("his", key=b"other"), line.proof("nobody"),
                line.proof("his") | {"alg": "none"}, {"appid": "his"}, {},
                line.proof("his") | {"x": "1"},
            )
        ]  # fmt: skip
        await line.enter()

    expected = ["AUTH_WRONG", "AUTH_WRONG", "REQ_FIELD_VALUE", "REQ_FIELD_MISSING",
                "REQ_FIELD_MISSING", "REQ_FIELD_UNKNOWN"]  # fmt: skip
    assert expected == told


@pytest_twisted.ensureDeferred
async def test_a_proof_of_another_connection_is_worth_nothing(tmp_path: Path):
    async with Hall(tmp_path, echo()) as hall:
        first, second = await hall.line(), await hall.line()
        proof = first.proof("his")
        assert "result" in await first.ask("system.auth", **proof)

        replayed = await second.ask("system.auth", **proof)

    assert first.challenge != second.challenge
    assert "AUTH_WRONG" == fault(replayed)


@pytest_twisted.ensureDeferred
async def test_too_many_wrong_proofs_lock_that_caller_out_for_a_while_and_nobody_else(
    tmp_path: Path,
):
    clock = MovedClock()
    async with Hall(tmp_path, echo(), clock=clock) as hall:
        line = await hall.line()
        bad = [
            fault(await line.ask("system.auth", **line.proof("his", key=b"x")))
            for _ in range(FAILURES_MAX)
        ]
        locked = await line.ask("system.auth", **line.proof("his"))
        other = await line.ask("system.auth", **line.proof("ward"))
        elsewhere = await hall.line()
        still = await elsewhere.ask("system.auth", **elsewhere.proof("his"))
        clock.now += LOCKED_S + 1
        later = await elsewhere.ask("system.auth", **elsewhere.proof("his"))

    assert ["AUTH_WRONG"] * FAILURES_MAX == bad
    assert ("AUTH_LOCKED", "AUTH_LOCKED") == (fault(locked), fault(still))
    assert locked["error"]["data"]["retryable"]
    assert "ward" == other["result"]["appid"]
    assert "his" == later["result"]["appid"]


@pytest_twisted.ensureDeferred
async def test_a_wrong_proof_now_and_then_locks_nobody_out(tmp_path: Path):
    clock = MovedClock()
    async with Hall(tmp_path, echo(), clock=clock) as hall:
        line = await hall.line()
        for _ in range(2 * FAILURES_MAX):
            assert "AUTH_WRONG" == fault(
                await line.ask("system.auth", **line.proof("his", key=b"x"))
            )
            clock.now += FAILURE_WINDOW_S / 2
        await line.enter()


@pytest_twisted.ensureDeferred
async def test_a_token_is_good_on_the_loopback_door_only(tmp_path: Path):
    params = {"appid": "kiosk", "alg": "token", "token": "secret-token"}
    told = []
    for token_ok in (True, False):
        place = tmp_path / str(token_ok)
        place.mkdir()
        async with Hall(place, echo(), token_ok=token_ok) as hall:
            line = await hall.line()
            wrong = await line.ask("system.auth", **(params | {"token": "other"}))
            told.append((fault(wrong), await line.ask("system.auth", **params)))

    assert ["AUTH_WRONG", "AUTH_WRONG"] == [wrong for wrong, _ in told]
    assert "kiosk" == told[0][1]["result"]["appid"]
    assert "AUTH_WRONG" == fault(told[1][1])


# every frame sealed
@pytest_twisted.ensureDeferred
async def test_on_a_plain_network_every_frame_carries_seq_and_mac(tmp_path: Path):
    async with Hall(tmp_path, echo(), frame_mac=True) as hall:
        line = await (await hall.line()).enter()

        answers = [await line.ask("test.echo", n=n) for n in (1, 2, 3)]

    assert [{"n": 1}, {"n": 2}, {"n": 3}] == [answer["result"] for answer in answers]


def _frames(line: Line) -> dict[str, bytes]:
    """Frames that are not the next one of this connection."""
    call = {"jsonrpc": "2.0", "id": 9, "method": "test.echo"}
    good = line.sealed(call | {"seq": line.seq + 1})
    return {
        "no mac": json.dumps(call | {"seq": line.seq + 1}).encode(),
        "repeated": line.sealed(call | {"seq": line.seq}),
        "skipped": line.sealed(call | {"seq": line.seq + 2}),
        "seq a text": line.sealed(call | {"seq": str(line.seq + 1)}),
        "other key": line.sealed(call | {"seq": line.seq + 1}, key=b"other"),
        "changed": good.replace(b"test.echo", b"test.ecko"),
        "mac cut short": good[:-3] + b'"}',
        "a member behind the mac": good[:-1] + b',"params":{"evil":1}}',
        "mac not last": good.replace(b'"jsonrpc"', b'"mac":"00","jsonrpc"').replace(
            b',"mac":"' + good[-66:], b"}"
        ),
    }


@pytest_twisted.ensureDeferred
async def test_a_frame_that_is_not_the_next_one_is_refused_and_the_right_one_goes_on(
    tmp_path: Path,
):
    ran: list[Any] = []
    table = {"test.echo": Method("", lambda _caller, params: ran.append(params), "")}
    async with Hall(tmp_path, Methods(table), frame_mac=True) as hall:
        line = await (await hall.line()).enter()
        await line.ask("test.echo", n=1)

        told = {what: fault(await line.say(frame)) for what, frame in _frames(line).items()}
        good = await line.ask("test.echo", n=2)

    assert {"AUTH_MAC"} == set(told.values()), told
    assert "result" in good
    assert [{"n": 1}, {"n": 2}] == ran


@pytest_twisted.ensureDeferred
async def test_frames_of_one_connection_are_worth_nothing_on_another(tmp_path: Path):
    async with Hall(tmp_path, echo(), frame_mac=True) as hall:
        first = await (await hall.line()).enter()
        second = await (await hall.line()).enter()

        frame = first.request("test.echo", {})

        assert "AUTH_MAC" == fault(await second.say(frame))
        assert "result" in await first.say(frame)
        assert "AUTH_MAC" == fault(await first.say(frame))


# rights and scope
@pytest_twisted.ensureDeferred
async def test_a_method_without_the_right_to_it_is_refused_and_not_listed(tmp_path: Path):
    async with Front(tmp_path) as front:
        line = await (await front.line()).enter(DESK)
        refused = await line.ask("receipt.issue", **EVENT)
        listed = await line.ask("system.methods")

    names = [method["name"] for method in listed["result"]["methods"]]
    assert "AUTH_RIGHT" == fault(refused)
    assert "receipt.issue" in refused["error"]["data"]["zh"]
    assert "receipt.issue" not in names
    assert {"receipt.get", "system.ping", "system.methods"} <= set(names)
    assert {"name", "right", "about"} == set(listed["result"]["methods"][0])


@pytest_twisted.ensureDeferred
async def test_a_caller_acts_for_its_units_and_points_only(tmp_path: Path):
    async with Front(tmp_path) as front:
        ward = await (await front.line()).enter(WARD)
        his = await (await front.line()).enter(HIS)
        desk = await (await front.line()).enter(DESK)

        told = [fault(await ward.ask(name, **EVENT)) for name in ("receipt.issue", "event.submit")]
        receipt = (await his.ask("receipt.issue", **EVENT))["result"]["receipt"]
        by_key = await desk.ask("receipt.get", unit="H001", key="OP1")
        by_number = await desk.ask("receipt.get", code=receipt["code"], number=receipt["number"])
        event = await desk.ask("event.get", unit="H001", key="OP1")
        found = await desk.ask("receipt.find", key="OP1")
        seen = await ward.ask("receipt.get", unit="H001", key="OP1")

    assert ["AUTH_SCOPE", "AUTH_SCOPE"] == told
    assert ["RCP_UNKNOWN", "RCP_UNKNOWN"] == [fault(by_key), fault(by_number)]
    assert "EVT_UNKNOWN" == fault(event)
    assert [] == found["result"]["receipts"]
    assert receipt == seen["result"]["receipt"]


# the control socket
@pytest_twisted.ensureDeferred
async def test_the_control_socket_knows_the_person_by_the_kernels_word(tmp_path: Path):
    table = {"test.who": Method("admin", lambda caller, _params: caller.who, "")}
    async with Hall(tmp_path, Methods(table), frame_mac=True) as hall:
        line = await hall.control()
        mode = (tmp_path / "control.sock").stat().st_mode & 0o777

        who = await line.ask("test.who")
        auth = await line.ask("system.auth", **line.proof("his", key=KEY))

    assert f"{getpass.getuser()}({os.getuid()})" == who["result"]
    assert "REQ_METHOD" == fault(auth)
    assert 0o600 == mode


@pytest_twisted.ensureDeferred
async def test_a_socket_file_that_a_crash_left_behind_is_replaced(tmp_path: Path):
    (tmp_path / "control.sock").write_text("")
    async with Hall(tmp_path, echo()) as hall:
        assert "result" in await (await hall.control()).ask("test.echo")
