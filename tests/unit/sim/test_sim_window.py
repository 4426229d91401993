"""The window of a simulated province: whole requests, in order, however they arrive."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from fep.sim import province_desk
from fep.sim.province_book import Book
from fep.sim.province_server import HEAD_MAX, Counter, Faults, serve
from fep.sim.province_window import Rules, Window

KEY = "window"
PATIENCE_S = 5.0
Caller = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def form(method: str, call: str, message: object, **changed: str) -> bytes:
    """Return a signed form."""
    packed = base64.b64encode(json.dumps({"message": message}).encode()).decode()
    fields = {
        "agency_code": "H001", "app_id": "fep", "datetime": "20261121000000000",
        "encryption": "0", "format": "json", "message": packed, "message_id": call,
        "method": method, "region_code": "420600", "version": "1.0.1",
    }  # fmt: skip
    joined = KEY + "".join(fields[name] for name in sorted(fields)) + KEY
    fields["security"] = hashlib.md5(joined.encode()).hexdigest()
    return urlencode(fields | changed).encode()


def request(body: bytes) -> bytes:
    """Return a whole request."""
    return b"POST /standard HTTP/1.1\r\nHost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def numbered(call: str, code: str = "42060126") -> bytes:
    """Return a request for a number."""
    return request(form("stock.billno.get", call, {"bill_batch_code": code}))


async def answer(reader: asyncio.StreamReader) -> dict[str, Any]:
    """Return the content of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    size = int(head.split("Content-Length: ")[1].split("\r\n")[0])
    told: dict[str, Any] = json.loads(base64.b64decode(await reader.readexactly(size)))
    return told


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A province with one unit."""
    state = tmp_path_factory.mktemp("province") / "state"
    province_desk.initialise(state, "province", 1)
    book = Book(state)
    cert = (state / "platform.crt").read_bytes()
    province_desk.register(book, "node-0001", cert, "H001", cert)
    book.close()
    return state


def spoken(place: Path, caller: Caller, **faults: float) -> None:
    """Open the window, let a caller talk to it, close it."""
    book = Book(place)
    counter = Counter(book, Window(book, lambda: 0, Rules()), Faults(**faults), KEY)

    async def main() -> None:
        stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
        server = asyncio.create_task(serve(counter, "finance_rest", 0, stop, port.set_result))
        reader, writer = await asyncio.open_connection("127.0.0.1", await port)
        await asyncio.wait_for(caller(reader, writer), PATIENCE_S)
        writer.close()
        stop.set()
        await server

    try:
        asyncio.run(main())
    finally:
        book.close()


@pytest.mark.parametrize("latency_s", [0.0, 0.02])
def test_requests_sent_at_once_are_answered_one_by_one(place: Path, latency_s: float) -> None:
    async def caller(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = asyncio.get_running_loop().time()
        writer.write(b"".join(numbered(f"{latency_s}-{n}") for n in range(5)))
        found = [(await answer(reader))["message"]["bill_no"] for _ in range(5)]
        assert [int(number) - int(found[0]) for number in found] == [0, 1, 2, 3, 4]
        assert asyncio.get_running_loop().time() - began >= 5 * latency_s

    spoken(place, caller, latency_s=latency_s)


def test_a_request_in_pieces_is_one_request(place: Path) -> None:
    async def caller(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = numbered("pieces")
        for start in range(0, len(whole), 97):
            writer.write(whole[start : start + 97])
            await asyncio.sleep(0)
        first = (await answer(reader))["message"]["bill_no"]
        writer.write(numbered("pieces"))
        assert (await answer(reader))["message"]["bill_no"] == first

    spoken(place, caller)


def test_one_who_has_stopped_talking_is_answered_and_left(place: Path) -> None:
    async def caller(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(numbered("last-1") + numbered("last-2") + b"POST")
        writer.write_eof()
        for _ in range(2):
            assert "message" in await answer(reader)
        assert await reader.read() == b""

    spoken(place, caller, latency_s=0.01)


def test_an_answer_lost_is_booked_and_the_next_call_is_served(place: Path) -> None:
    async def lost(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(numbered("lost"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)

    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(numbered("after") + numbered("lost"))
        after, before = [(await answer(reader))["message"]["bill_no"] for _ in range(2)]
        assert int(before) + 1 == int(after)

    spoken(place, lost, lost=1.0)
    spoken(place, told)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (form("stock.billno.get", "c", {}, region_code="420601"), "1001"),
        (form("stock.billno.get", "c", {}, security=""), "1001"),
        (form("no.such.method", "c", {}), "1003"),
        (form("stock.billno.get", "c", "text"), "1002"),
        (form("invoice.e.issue.withsign.do", "c", {"invoice_data": "PEE+"}), "1002"),
        (form("invoice.e.issue.withsign.do", "c", {"invoice_data": "PE E+"}), "1002"),
        (b"nothing", "1002"),
        (b"a=b&message=%ff", "1002"),
        (b"\xff=b&message=x", "1002"),
    ],
)
def test_what_is_no_call_is_refused_by_its_reason(place: Path, body: bytes, code: str) -> None:
    async def caller(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request(body))
        assert (await answer(reader))["error_message"]["error_code"] == code

    spoken(place, caller)


def test_letters_of_no_base64_are_refused_even_under_a_good_security(place: Path) -> None:
    packed = base64.b64encode(json.dumps({"message": {}}).encode()).decode()
    for message in ("\\u0065" + packed[1:], packed + "\n", packed[:8] + " " + packed[8:], ""):
        fields = {"message": message} | dict.fromkeys(
            ("agency_code", "app_id", "datetime", "encryption", "format", "message_id",
             "method", "region_code", "version"), "x",
        )  # fmt: skip
        joined = KEY + "".join(fields[name] for name in sorted(fields)) + KEY
        fields["security"] = hashlib.md5(joined.encode()).hexdigest()
        for order in (fields, {k: fields[k] for k in sorted(fields, key=lambda k: k == "message")}):
            test_what_is_no_call_is_refused_by_its_reason(place, urlencode(order).encode(), "1002")


@pytest.mark.parametrize("end", [b"a" * HEAD_MAX, b"Content-Length: 99999999\r\n\r\n"])
def test_a_head_without_end_and_a_body_too_big_are_left(place: Path, end: bytes) -> None:
    async def caller(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"POST / HTTP/1.1\r\n" + end)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""

    spoken(place, caller)
