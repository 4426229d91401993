"""Everything a client can do to the memory of the daemon has a bound; a stop flushes."""

from __future__ import annotations

import json
import resource
import socket
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import task
from twisted.internet.defer import Deferred

from fep.services.connection import Bounds
from fep.services.methods import Method, Methods
from tests.unit.services.line import Hall, Line, echo, fault, reactor


async def _until(true: Any, within_s: float = 5.0) -> bool:
    """Wait for a condition, a bounded time."""
    for _ in range(int(within_s / 0.01)):
        if true():
            return True
        await task.deferLater(reactor, 0.01)
    return bool(true())


def _pings(count: int, name: str = "test.echo") -> bytes:
    return b"\n".join(
        json.dumps({"jsonrpc": "2.0", "id": n, "method": name}).encode() for n in range(count)
    )


@pytest_twisted.ensureDeferred
async def test_thousands_of_pipelined_calls_are_all_answered_in_order(tmp_path: Path):
    async with Hall(tmp_path, echo()) as hall:
        line = await (await hall.line()).enter()

        line.send(_pings(3000))
        assert await _until(lambda: len(line.heard) == 3000)

    assert list(range(3000)) == [answer["id"] for answer in line.heard]


@pytest_twisted.ensureDeferred
async def test_a_client_is_read_no_further_than_its_outstanding_calls_allow(tmp_path: Path):
    calls: list[Deferred[Any]] = []

    def waits(_caller: Any, _params: Any) -> Deferred[Any]:
        calls.append(Deferred())
        return calls[-1]

    table = Methods({"test.wait": Method("", waits, "")})
    async with Hall(tmp_path, table, bounds=Bounds(1 << 20, 8)) as hall:
        line = await (await hall.line()).enter()
        line.send(_pings(50, "test.wait"))
        assert await _until(lambda: len(calls) == 8)
        (connection,) = hall.intake.connections

        assert "paused" == _reading(connection)
        for n in range(50):
            assert len(calls) <= n + 8
            calls[n].callback(n)
        assert await _until(lambda: len(line.heard) == 50)
        assert await _until(lambda: _reading(connection) == "reading")

    assert list(range(50)) == [answer["result"] for answer in line.heard]


def _reading(connection: Any) -> str:
    return "reading" if connection.transport in reactor.getReaders() else "paused"


@pytest_twisted.ensureDeferred
async def test_a_client_that_never_reads_is_bounded_and_then_cut(tmp_path: Path):
    """Trap 10, on a real socket: its answers pile up in the kernel first, then in nobody."""
    big = "x" * 100_000
    ran: list[None] = []

    def answers(_caller: Any, _params: Any) -> str:
        ran.append(None)
        return big

    table = Methods({"test.big": Method("", answers, "")})
    bounds = Bounds(1 << 20, 8, stall_s=0.5)
    async with Hall(tmp_path, table, bounds=bounds) as hall:
        line = await (await hall.line()).enter()
        line.transport.stopReading()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        line.send(_pings(20_000, "test.big"))
        assert await _until(lambda: "connection.not_reading" in hall.notes.said)
        assert await _until(lambda: not hall.intake.connections)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert len(ran) < 500
    assert grown_kib < 64 * 1024


@pytest_twisted.ensureDeferred
async def test_before_a_key_is_proved_nobody_gets_a_big_buffer(tmp_path: Path):
    bounds = Bounds(1 << 20, 8, auth_line_bytes=1000)
    async with Hall(tmp_path, echo(), bounds=bounds) as hall:
        line = await hall.line()

        refused = await line.say(b'{"a":"' + b"x" * 100_000 + b'"}')
        (connection,) = hall.intake.connections
        line.transport.write(b"y" * 100_000)
        line.send(b"")
        again = await line.next()
        await line.enter()
        answer = await line.ask("test.echo", a="x" * 100_000)

    assert ["REQ_TOO_BIG", "REQ_TOO_BIG"] == [fault(refused), fault(again)]
    assert "1000" in refused["error"]["data"]["en"]
    assert len(connection._feed._rest) <= 1000
    assert 100_000 == len(answer["result"]["a"])


@pytest_twisted.ensureDeferred
async def test_who_does_not_prove_a_key_in_time_is_cut(tmp_path: Path):
    async with Hall(tmp_path, echo(), bounds=Bounds(1 << 20, 8, auth_s=0.05)) as hall:
        silent = await hall.line()
        await silent.gone

    assert "connection.no_auth" in hall.notes.said


@pytest_twisted.ensureDeferred
async def test_an_oversize_line_is_dropped_and_said_once_and_the_next_is_heard(tmp_path: Path):
    async with Hall(tmp_path, echo(), bounds=Bounds(50_000, 8)) as hall:
        line = await (await hall.line()).enter()

        line.transport.write(b"x" * 200_000)
        line.transport.write(b"x" * 200_000)
        refused = await line.say(b"")
        answer = await line.ask("test.echo", a=1)

    assert "REQ_TOO_BIG" == fault(refused)
    assert {"a": 1} == answer["result"]
    assert [] == line.heard


@pytest_twisted.ensureDeferred
async def test_connections_are_counted(tmp_path: Path):
    async with Hall(tmp_path, echo(), connections_max=2) as hall:
        first, _second = await hall.line(), await hall.line()

        with socket.create_connection(("127.0.0.1", hall.port)) as third:
            third.setblocking(False)
            assert await _until(lambda: _ended(third))
        first.transport.loseConnection()
        await first.gone
        assert await _until(lambda: len(hall.intake.connections) == 1)
        await (await hall.line()).enter()


def _ended(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False


@pytest_twisted.ensureDeferred
async def test_an_answer_for_a_connection_that_is_gone_is_dropped(tmp_path: Path):
    calls: list[Deferred[Any]] = []

    def waits(_caller: Any, _params: Any) -> Deferred[Any]:
        calls.append(Deferred())
        return calls[-1]

    async with Hall(tmp_path, Methods({"test.wait": Method("", waits, "")})) as hall:
        line = await (await hall.line()).enter()
        line.send(_pings(1, "test.wait"))
        assert await _until(lambda: calls)
        line.transport.abortConnection()
        assert await _until(lambda: not hall.intake.connections)

        calls[0].callback({})

        await (await hall.line()).enter()


@pytest_twisted.ensureDeferred
async def test_a_bug_in_a_method_is_told_with_a_reference_that_the_log_has(tmp_path: Path):
    def fails(_caller: Any, _params: Any) -> None:
        raise KeyError("secret")

    async with Hall(tmp_path, Methods({"test.fail": Method("", fails, "")})) as hall:
        line = await (await hall.line()).enter()

        answer = await line.ask("test.fail")

    assert "INTERNAL" == fault(answer)
    assert "secret" not in json.dumps(answer)
    assert answer["error"]["data"]["ref"] in answer["error"]["data"]["zh"]
    assert "call.failed" in hall.notes.said


@pytest_twisted.ensureDeferred
async def test_closing_flushes_what_is_answered(tmp_path: Path):
    big = "x" * 2_000_000
    table = Methods({"test.big": Method("", lambda _caller, _params: big, "")})
    hall = Hall(tmp_path, table)
    async with hall:
        line: Line = await (await hall.line()).enter()
        line.send(_pings(1, "test.big"))
        assert await _until(lambda: len(line.raw) > 1000)
        await hall.intake.close_doors()
        await hall.intake.close_connections()
        assert await _until(lambda: line.heard)

    assert big == line.heard[0]["result"]
