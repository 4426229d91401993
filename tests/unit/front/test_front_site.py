"""The doors hold: bodies, headers, connections, memory and time, on a fake clock."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from fep.services.front import FLUSH_S, POLL_S
from fep.services.front_site import ANSWER_S, HEADER_BYTES_MAX, HEADERS_MAX
from fep.services.http_values import HttpAnswer
from tests.unit.front.hall import SETTINGS, FrontHall, code, parsed

POST = b"POST /rpc HTTP/1.1\r\nHost: h\r\n"


def _sized(size: int) -> bytes:
    return POST + b"Content-Length: %d\r\n\r\n" % size


def test_requests_of_one_connection_are_answered_one_after_the_other() -> None:
    hall = FrontHall()
    wire = hall.connect()

    answer = wire.send(_sized(3) + b"one" + _sized(3) + b"two")

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"heard one") < answer.index(b"heard two")
    assert not wire.closed


def test_a_body_is_refused_by_its_length_before_it_is_read() -> None:
    hall = FrontHall()
    wire = hall.connect()

    answer = wire.send(_sized(SETTINGS.max_body_bytes + 1))
    wire.send(b"x" * 100_000)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert wire.closed
    assert hall.seen == []


def test_chunks_that_never_end_are_refused_at_the_same_bound() -> None:
    hall = FrontHall()
    wire = hall.connect()
    wire.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")

    for _ in range(10):
        wire.send(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")

    assert wire.value().startswith(b"HTTP/1.1 413 ")
    assert wire.closed
    assert hall.seen == []


def test_a_chunked_body_within_the_bound_is_taken() -> None:
    hall = FrontHall()

    answer = hall.connect().send(
        POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    )

    assert answer.endswith(b"heard onetwo")


def test_a_client_that_waits_for_leave_to_send_gets_it_unless_its_body_is_too_long() -> None:
    hall = FrontHall()
    wire, long = hall.connect(), hall.connect()
    expect = b"Expect: 100-continue\r\n"

    leave = wire.send(POST + expect + b"Content-Length: 3\r\n\r\n")
    answer = wire.send(b"one")
    refused = long.send(POST + expect + b"Content-Length: 99999999\r\n\r\n")

    assert leave == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.endswith(b"heard one")
    assert refused.startswith(b"HTTP/1.1 413 ")


def test_an_old_client_gets_its_answer_and_the_end_of_the_connection() -> None:
    hall = FrontHall()
    wire = hall.connect()

    answer = wire.send(b"POST /rpc HTTP/1.0\r\nContent-Length: 3\r\n\r\none")

    assert b" 200 OK\r\n" in answer
    assert b"Content-Length: 9\r\n" in answer
    assert answer.endswith(b"heard one")
    assert wire.closed


@pytest.mark.parametrize("lines", [
    b"".join(b"X-%d: y\r\n" % n for n in range(HEADERS_MAX + 1)),
    b"X: " + b"y" * HEADER_BYTES_MAX + b"\r\n",
    b"Content-Length: 1\r\nContent-Length: 2\r\n",
    b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 1e3\r\n",
    b"Bad Name: y\r\n",
    b"X: a\x00b\r\n",
])  # fmt: skip
def test_tricks_in_headers_are_refused_and_reach_no_door(lines: bytes) -> None:
    hall = FrontHall()
    wire = hall.connect()

    answer = wire.send(POST + lines + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert wire.closed
    assert hall.seen == []


def test_a_request_that_drips_is_cut_off_and_a_quiet_connection_too() -> None:
    hall = FrontHall()
    dripping, quiet = hall.connect(), hall.connect()
    quiet.send(_sized(0))

    for _ in range(int(SETTINGS.request_s) + 1):
        if not dripping.closed:
            dripping.send(b"P")
        hall.clock.advance(1)
    assert dripping.disconnected
    assert not quiet.disconnected
    hall.clock.advance(SETTINGS.idle_s)

    assert quiet.disconnected
    assert hall.front.site.connections == 0


def test_an_answer_that_never_comes_ends_the_connection() -> None:
    async def never(_request: Any) -> HttpAnswer:
        await Deferred()
        raise AssertionError

    hall = FrontHall(rpc=never)
    wire = hall.connect()
    wire.send(_sized(0))

    hall.clock.advance(SETTINGS.request_s + 1)
    assert not wire.closed
    hall.clock.advance(ANSWER_S)

    assert wire.disconnected


def test_bytes_under_way_are_bounded_for_all_together() -> None:
    hall = FrontHall()
    wires = [hall.connect() for _ in range(3)]

    wires[0].send(_sized(60_000) + b"x" * 59_000)
    answer = wires[1].send(_sized(60_000) + b"x" * 59_000)
    wires[0].abortConnection()
    later = wires[2].send(_sized(60_000) + b"x" * 60_000)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert later.startswith(b"HTTP/1.1 200 ")


def test_silent_connections_keep_nobody_out_and_calls_under_way_are_not_cut() -> None:
    waiting: Deferred[None] = Deferred()

    async def slow(_request: Any) -> HttpAnswer:
        await waiting
        return HttpAnswer(200, "text/plain", b"done")

    hall = FrontHall(replace(SETTINGS, max_calls=99), his=slow)
    silent = [hall.connect() for _ in range(SETTINGS.max_connections)]
    silent[0].send(_sized(0))  # answered: now the last one to go
    asked = [hall.connect() for _ in range(SETTINGS.max_connections)]
    for wire in asked:
        wire.send(b"POST /his/api/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
    late = hall.connect()

    assert [True] * 4 == [wire.disconnected for wire in silent]
    assert [False] * 4 == [wire.closed for wire in asked]
    assert late.value().startswith(b"HTTP/1.1 503 ")
    assert late.closed
    waiting.callback(None)
    assert all(wire.value().endswith(b"done") for wire in asked)


def test_more_calls_than_allowed_are_answered_busy() -> None:
    waiting: list[Deferred[None]] = []

    async def slow(_request: Any) -> HttpAnswer:
        waiting.append(Deferred())
        await waiting[-1]
        return HttpAnswer(200, "text/plain", b"done")

    hall = FrontHall(rpc=slow)
    wires = [hall.connect() for _ in range(3)]
    for wire in wires:
        wire.send(_sized(0))

    refused = code(parsed(wires[2].value()))
    waiting[0].callback(None)
    wires[2].send(_sized(0))

    assert refused == (503, "BUSY")
    assert wires[0].value().endswith(b"done")
    assert len(waiting) == 3


def test_while_the_node_stops_nothing_new_is_taken() -> None:
    hall = FrontHall()
    Deferred.fromCoroutine(hall.front.close_doors())

    assert code(hall.ask("POST", "/rpc")) == (503, "STOPPING")
    assert hall.seen == []


def test_a_stop_lets_an_answer_under_way_leave_and_waits_for_nobody_for_ever() -> None:
    waiting: Deferred[None] = Deferred()

    async def slow(_request: Any) -> HttpAnswer:
        await waiting
        return HttpAnswer(200, "text/plain", b"done")

    hall = FrontHall(rpc=slow)
    asked, silent = hall.connect(), hall.connect()
    asked.send(_sized(0))
    closed = Deferred.fromCoroutine(hall.front.close())

    hall.clock.pump([POLL_S] * 3)
    assert not asked.closed
    waiting.callback(None)
    hall.clock.pump([POLL_S] * 3)
    assert asked.value().endswith(b"done")
    assert asked.disconnecting
    hall.clock.pump([POLL_S] * int(FLUSH_S / POLL_S))

    assert closed.called
    assert silent.disconnected


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "deflate"])
def test_a_packed_body_is_unpacked_to_the_bound_and_no_further(coding: str) -> None:
    pack = gzip.compress if "gzip" in coding.lower() else zlib.compress
    hall = FrontHall()

    small = hall.ask("POST", "/rpc", pack(b"small"), Content_Encoding=coding)
    bomb = hall.ask("POST", "/rpc", pack(b"0" * 60_000_000), Content_Encoding=coding)
    cut = hall.ask("POST", "/rpc", pack(b"small" * 9)[:-9], Content_Encoding=coding)
    junk = hall.ask("POST", "/rpc", b"not packed", Content_Encoding=coding)

    assert small[2] == b"heard small"
    assert code(bomb) == (413, "REQ_TOO_BIG")
    assert (code(cut), code(junk)) == ((400, "HTTP_BAD"), (400, "HTTP_BAD"))
    assert len(hall.seen) == 1


@pytest.mark.parametrize("coding", ["UTF-8", "utf8", "identity", "", "br"])
def test_a_coding_that_is_none_is_no_coding(coding: str) -> None:
    assert FrontHall().ask("POST", "/rpc", b"{}", Content_Encoding=coding)[2] == b"heard {}"
