"""A client for tests over a real socket, and a door whose methods are the test's."""

from __future__ import annotations

import hmac
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet import reactor as untyped
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from fep.env import RealClock, RealEntropy
from fep.services.callers import Caller, Callers
from fep.services.connection import Bounds
from fep.services.drafting import Draw
from fep.services.intake import DoorSettings, Intake
from fep.services.methods import Method, Methods
from fep.services.queue import Queue
from fep.services.window import Window
from fep.services.window_find import Finding
from fep.settings import load
from fep.sim import sm
from tests.unit.services.counter import Counter, Notes

reactor: Any = untyped
ANSWER_WITHIN_S = 5.0
EVERY = frozenset({"*"})
KEY = b"5a" * 32
CONF = Path(__file__).resolve().parents[3] / "conf"
HIS = Caller("his", frozenset({"issue", "query"}), EVERY, EVERY, auth="hmac-sm3", key=KEY)
WARD = replace(HIS, appid="ward", units=frozenset({"H001"}), points=frozenset({"002"}))
DESK = replace(HIS, appid="desk", rights=frozenset({"query"}), units=frozenset({"H777"}))
SHA = replace(HIS, appid="sha", auth="hmac-sha256")
TOKEN = replace(HIS, appid="kiosk", auth="token", key=b"secret-token")
OLD = replace(HIS, appid="old", encoding="gbk")
CALLERS = (HIS, WARD, DESK, SHA, TOKEN, OLD)


class Line(Protocol):
    """Speaks JSON-RPC lines; `ask` returns the answer, in order of arrival."""

    frame_mac = False

    def __init__(self, encoding: str = "utf-8") -> None:
        self.encoding = encoding
        self.heard: list[dict[str, Any]] = []
        self.raw = b""
        self.gone: Deferred[None] = Deferred()
        self.challenge = ""
        self._rest = b""
        self._waiting: list[Deferred[dict[str, Any]]] = []
        self._id = 0
        self.seq = 0
        self.appid = ""

    # from the socket
    def dataReceived(self, data: bytes) -> None:
        self.raw += data
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line.decode(self.encoding))
            if self._waiting:
                self._waiting.pop(0).callback(message)
            else:
                self.heard.append(message)

    def connectionLost(self, reason: Any = None) -> None:
        self.gone.callback(None)

    # from the test
    def next(self) -> Deferred[dict[str, Any]]:
        """Return the next message."""
        done: Deferred[dict[str, Any]] = Deferred()
        if self.heard:
            done.callback(self.heard.pop(0))
        else:
            self._waiting.append(done)
            done.addTimeout(ANSWER_WITHIN_S, reactor)
        return done

    def send(self, line: bytes) -> None:
        """Send bytes and an end of line."""
        self.transport.write(line + b"\n")

    async def say(self, line: bytes) -> dict[str, Any]:
        """Send a raw line and return what comes back."""
        self.send(line)
        return await self.next()

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and return its answer."""
        return await self.say(self.request(method, params))

    def request(self, method: str, params: Any) -> bytes:
        """Return the line of a request, sealed when the door wants it."""
        self._id += 1
        call = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        if self.frame_mac and self.appid:
            self.seq += 1
            return self.sealed(call | {"seq": self.seq})
        return json.dumps(call, ensure_ascii=False).encode(self.encoding)

    def sealed(self, call: dict[str, Any], key: bytes = KEY) -> bytes:
        """Return the line of a request with the mac as its last member."""
        text = json.dumps(call, ensure_ascii=False).encode(self.encoding)
        head = f"fep1|{self.appid}|{self.challenge}|".encode()
        mac = hmac.new(key, head + text, "sm3").hexdigest()
        return text[:-1] + b',"mac":"' + mac.encode() + b'"}'

    def proof(self, appid: str, *, key: bytes = KEY, alg: str = "hmac-sm3",
              challenge: str = "") -> dict[str, str]:  # fmt: skip
        """Return the params of `system.auth`."""
        text = f"fep1|{appid}|{challenge or self.challenge}".encode()
        mac = hmac.new(key, text, alg.removeprefix("hmac-")).hexdigest()
        return {"appid": appid, "alg": alg, "mac": mac}

    async def enter(self, caller: Caller = HIS) -> Line:
        """Prove a key."""
        answer = await self.ask("system.auth", **self.proof(caller.appid, alg=caller.auth))
        assert answer["result"]["appid"] == caller.appid, answer
        self.appid = caller.appid
        return self


def fault(answer: dict[str, Any]) -> str:
    """Return the code of a refusal, proved to be one with both sentences."""
    data = answer["error"]["data"]
    assert data["zh"]
    assert data["en"]
    assert data["ref"]
    assert isinstance(data["retryable"], bool)
    assert answer["error"]["message"].startswith(data["fault"])
    return str(data["fault"])


class Hall:
    """An intake on real sockets: one TCP door, or what the test asks for."""

    def __init__(
        self,
        place: Path,
        methods: Methods,
        *,
        bounds: Bounds | None = None,
        connections_max: int = 16,
        frame_mac: bool = False,
        token_ok: bool = True,
        clock: Any = None,
    ) -> None:
        self.place = place
        self.notes = Notes()
        self.lines: list[Line] = []
        self._doors = [
            DoorSettings("tcp:0:interface=127.0.0.1", False, frame_mac, token_ok),
            DoorSettings(str(place / "control.sock"), True, False, False),
        ]
        self.intake = Intake(
            reactor, RealEntropy(), Callers(clock or RealClock(), CALLERS), methods,
            bounds or Bounds(1 << 20, 64), self.notes, version="1",
            connections_max=connections_max,
        )  # fmt: skip

    async def __aenter__(self) -> Any:
        await self.intake.open(self._doors)
        return self

    async def __aexit__(self, *_what: object) -> None:
        await self.close()

    @property
    def port(self) -> int:
        return int(self.intake._ports[0].getHost().port)

    async def line(self, encoding: str = "utf-8") -> Line:
        """Connect and hear the greeting."""
        return await self._met(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), encoding)

    async def control(self) -> Line:
        """Connect to the control socket."""
        return await self._met(UNIXClientEndpoint(reactor, str(self.place / "control.sock")))

    async def _met(self, endpoint: Any, encoding: str = "utf-8") -> Line:
        line = Line(encoding)
        await connectProtocol(endpoint, line)
        self.lines.append(line)
        hello = await line.next()
        line.challenge = hello["params"]["challenge"]
        line.frame_mac = hello["params"]["frame_mac"]
        return line

    async def close(self) -> None:
        """Close every door and connection."""
        await self.intake.close_doors()
        await self.intake.close_connections()
        for line in self.lines:
            line.transport.loseConnection()
            if not line.gone.called:
                await line.gone


def echo(right: str = "") -> Methods:
    """Return a table with one method that answers its params."""
    return Methods({"test.echo": Method(right, lambda _caller, params: params, "")})


class Front(Hall):
    """The whole way from the socket to the store, with the site as it is shipped."""

    def __init__(self, place: Path, **options: Any) -> None:
        shutil.copytree(CONF, place / "conf")
        keys = place / "conf" / "keys"
        keys.mkdir()
        sm.create_identity(keys / "unit.key", keys / "unit.crt", "unit", 71)
        sm.create_identity(keys / "node.key", keys / "node.crt", "node-0001", 72)
        (keys / "caller-his.key").write_bytes(KEY)
        for path in keys.iterdir():
            path.chmod(0o600)
        settings = load(place / "conf" / "fep.toml")
        self.counter = counter = Counter(place / "site", numbers=0)
        counter.issue._signers["H001"] = counter.signer
        draw = Draw(
            RealEntropy(), settings.units, settings.kinds, settings.provinces, details_max=50
        )
        counter.issue._draw = draw
        queue = Queue(counter.room.clock, counter.room.store, counter.issue, draw, counter.notes)
        window = Window(counter.room.store, counter.issue, queue, draw, RealClock(), "1")
        finding = Finding(counter.room.store)
        super().__init__(place, Methods(window.methods(), finding.methods()), **options)
        from fep.store import numbers

        block = numbers.Grant("H001", "42060126", "0000000001", "0000001000", "person", "1")
        counter.room.done(counter.room.store.do("grant", numbers.grant_txn, block))
        self._ticking = reactor.callLater(0, self._tick)

    def _tick(self) -> None:
        """The store's clock goes with the reactor's."""
        self.counter.room.clock.advance(0.002)
        self._ticking = reactor.callLater(0.002, self._tick)

    async def close(self) -> None:
        await super().close()
        self._ticking.cancel()
        self.counter.close()
