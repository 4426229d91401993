"""300,000 strange inputs through every parser and the HTTP front: refused or taken, no third.

A refusal is one of the catalogue, or the parser's own named error; anything else is a crash.
Time is that of this process, so that a busy machine fails nobody.
"""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from fep.domain.faults import Refused
from fep.services import front_read
from fep.services.http_values import HttpAnswer, HttpRequest
from fep.services.methods import Method, Methods
from fep.services.rpc import Rpc
from fep.wire import issue_params, jsonrpc, strictjson
from fep.wire.dialects import medical_envelope
from tests.property.mutation import Mutation
from tests.unit.front.hall import FrontHall, Heard
from tests.unit.front.test_rpc import KEY, Room

SEED = 20261121
HANG_S = 1.0
INPUTS = {"rpc lines": 90_000, "json": 50_000, "events": 45_000, "lines": 15_000,
          "paths": 40_000, "bodies": 10_000, "envelopes": 30_000, "http": 20_000}  # fmt: skip
EVENT = {
    "key": "OP1", "unit": "H001", "point": "001", "kind": "outpatient",
    "payer": {"name": "张三", "type": "1", "tel": "13800000000"}, "total": "12.30",
    "items": [{"code": "1", "name": "诊察费", "amount": "10.00"},
              {"code": "2", "name": "药", "amount": "2.30", "std": "1.15", "number": "2"}],
    "details": [{"item": "2", "name": "阿莫西林", "amount": "2.3000", "std": "1.15"}],
    "channels": [{"code": "02", "amount": "12.30"}], "ext": {"age": "34岁"}, "print": True,
}  # fmt: skip
LINES = tuple(
    json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params},
               ensure_ascii=number % 2 == 0).encode()
    for number, (method, params) in enumerate([
        ("receipt.issue", EVENT), ("system.ping", {}), ("receipt.find", {"limit": 5}),
        ("system.auth", {"appid": "his", "alg": "hmac-sm3", "mac": "0" * 64}),
        ("receipt.get", {"code": "42060126", "number": "0000000001"}),
    ])
)  # fmt: skip
BUSINESS = json.dumps({"busNo": "OP1", "payer": "张三", "totalAmt": 12.3, "isArrears": None,
                       "chargeDetail": [{"chargeCode": "1", "amt": "12.30"}]})  # fmt: skip
ENVELOPE = {"appid": "DEMOAPP01", "data": base64.b64encode(BUSINESS.encode()).decode(),
            "noise": "0" * 32, "version": "1.0",
            "sign": "25360A8519B1E0BAF4585CBD1293DEDE"}  # fmt: skip
WIDE = base64.b64encode(BUSINESS.encode("utf-16-le")).decode()
ENVELOPES = (
    json.dumps(ENVELOPE).encode(),
    "&".join(f"{name}={value}" for name, value in ENVELOPE.items()).encode(),
    json.dumps({**ENVELOPE, "data": base64.encodebytes(BUSINESS.encode()).decode()}).encode(),
    json.dumps({**ENVELOPE, "data": WIDE}).encode(),
)  # fmt: skip
PATHS = (b"/medical-web/api/medical/invoiceEBillOutpatient", b"/rpc", b"/openapi.json",
         b"/his/api/turnPaper%20?random=%201700000000000&x=",
         b"http://h:17001/rpc?a=1")  # fmt: skip
REQUEST = (
    b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nX-Fep-App: his\r\n"
    b"X-Fep-Time: 1800000000\r\nX-Fep-Nonce: nonce-0001\r\nContent-Length: %d\r\n\r\n%s"
)


class Watch:
    """Counts inputs and times each of them."""

    def __init__(self) -> None:
        self.count, self.slowest, self.worst = 0, 0.0, b""

    def run(self, what: str, seeds: tuple[bytes, ...], parse: Callable[[bytes], Any],
            *expected: type[Exception]) -> None:  # fmt: skip
        """Put the inputs of one kind through a parser."""
        source = Mutation(SEED, seeds)
        now = time.process_time
        for number in range(INPUTS[what]):
            text = source.next()
            started = now()
            try:
                parse(text)
            except (Refused, *expected):
                pass
            except Exception as error:
                raise AssertionError(f"{what} {number}: {error!r} on {text!r}") from error
            spent = now() - started
            if spent > self.slowest:
                self.slowest, self.worst = spent, text
        self.count += INPUTS[what]
        assert self.slowest < HANG_S, self.worst[:500]


def _event(text: bytes) -> None:
    value = strictjson.loads(text)
    if not isinstance(value, dict):
        value = {"payer": value}
    event = issue_params.parse(value, details_max=50)
    assert event.total_fen > 0
    assert event.unit
    assert event.key


def _lines(text: bytes) -> None:
    feed = jsonrpc.LineFeed(500)
    for start in range(0, len(text), 97):
        for line in feed.feed(text[start : start + 97]):
            assert line is None or len(line) <= 500
        assert feed.held <= 500


def _path(text: bytes) -> None:
    path, query = front_read.target(text)
    assert path.startswith("/")
    assert path.isprintable()
    assert "//" not in path
    assert not {".", ".."} & {part.strip() for part in path.split("/")}
    assert len(query) <= front_read.QUERY_FIELDS_MAX


def _body(text: bytes) -> None:
    for coding in ("gzip", "deflate"):
        assert len(front_read.unpacked(text, coding, 2000)) <= 2000


def _envelope(text: bytes) -> None:
    envelope = medical_envelope.opened(text)
    medical_envelope.fits(envelope, KEY)
    medical_envelope.unpacked(envelope, "utf-8")


@pytest.mark.timeout(240)
def test_parsers_refuse_or_take_and_nothing_else() -> None:
    watch = Watch()
    events = (json.dumps(EVENT).encode(), json.dumps(EVENT, ensure_ascii=False).encode())
    packed = (gzip.compress(BUSINESS.encode()), gzip.compress(b"0" * 3000))

    watch.run("rpc lines", LINES, jsonrpc.parse)
    watch.run("json", (*LINES, *ENVELOPES[:1]), strictjson.loads)
    watch.run("events", events, _event)
    watch.run("lines", tuple(line + b"\n" for line in LINES), _lines)
    watch.run("paths", PATHS, _path, front_read.BadPath)
    watch.run("bodies", packed, _body, front_read.TooBig, front_read.BadCoding)
    watch.run("envelopes", ENVELOPES, _envelope)

    assert watch.count == sum(INPUTS.values()) - INPUTS["http"]


class Door:
    """An HTTP front whose /rpc is the real one; the methods hold somebody's data."""

    def __init__(self) -> None:
        secret = Method("admin", lambda _caller, _params: {"payer": "secret-张三"}, "")
        room = Room()
        rpc = Rpc(room.rpc._callers, room.nonces, Methods({"receipt.issue": secret}), Heard(),
                  lambda: "ref")  # fmt: skip
        self.hall = FrontHall(rpc=rpc, his=self._envelope)

    async def _envelope(self, request: HttpRequest) -> HttpAnswer:
        medical_envelope.unpacked(medical_envelope.opened(request.body), "utf-8")
        return HttpAnswer(200, "application/json", b"{}")

    def take(self, text: bytes) -> None:
        """Send bytes on a connection of their own, and judge what came back."""
        wire = self.hall.connect()
        said = wire.send(text)
        wire.abortConnection()
        assert not said or said.startswith(b"HTTP/1.1 "), said
        for word in (b"Traceback", b".py", b"secret", b"Error("):
            assert word not in said, said
        assert b"HTTP/1.1 5" not in said, said
        assert self.hall.front.site.connections == 0


@pytest.mark.timeout(240)
def test_whatever_comes_by_http_the_front_stands_and_tells_nothing() -> None:
    bodies = (LINES[0], *ENVELOPES)
    requests = tuple(
        REQUEST % (path, len(body), body) for path in PATHS for body in bodies
    )  # fmt: skip
    chunked = (b"POST /rpc HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"5\r\nhello\r\n0\r\n\r\n")  # fmt: skip
    door, watch = Door(), Watch()

    watch.run("http", (*requests, chunked), door.take)

    assert not [entry for entry in door.hall.log.said if entry[0] == "http.failed"]
    assert door.hall.front.site._held == 0
    assert sum(INPUTS.values()) >= 300_000
