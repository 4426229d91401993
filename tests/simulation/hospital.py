"""The HIS of the simulated city: windows that ask, repeat what was not answered, and note it."""

from __future__ import annotations

import hmac
import json
from typing import Any

from twisted.internet.protocol import ClientFactory, Protocol

from fep.sim.his_content import Call, Content
from tests.harness.ledgers import Acked
from tests.simulation.net import Reactor

AGAIN_S = 0.5


class Hospital:
    """Hands events out to its windows, each with one call at a time; keeps the ledger."""

    def __init__(self, reactor: Reactor, port: int, key: bytes, seed: int, now_ms: Any) -> None:
        self.reactor, self.port, self.key, self.now_ms = reactor, port, key, now_ms
        self.told: list[Acked] = []
        self.refused: list[tuple[str, str]] = []
        self.phase = ""
        self.print_every = 2
        self._content: dict[bool, Content] = {
            wants: Content(
                seed=seed, unit="H001", point="001", kind="outpatient",
                at="20261121083000000", wants_print=wants,
            )
            for wants in (False, True)
        }  # fmt: skip
        self._next = 0
        self.wanted = 0
        self._windows: list[Window] = []

    def open(self, windows: int) -> None:
        """Open windows; they connect by themselves, now and after every loss."""
        self._windows = [Window(self) for _ in range(windows)]
        for window in self._windows:
            window.connect()

    def want(self, events: int) -> None:
        """Have that many more events happen."""
        self.wanted += events
        for window in self._windows:
            window.turn()

    @property
    def done(self) -> bool:
        """Tell whether every event that happened has its receipt or a refusal for good."""
        idle = all(window.call is None for window in self._windows)
        return self._next == self.wanted and idle

    # from windows
    def take(self) -> Call | None:
        """Return the next event, None while nothing happens."""
        if self._next >= self.wanted:
            return None
        number, self._next = self._next, self._next + 1
        wants = bool(self.print_every) and number % self.print_every == 0
        return self._content[wants].call(number)

    def note(self, call: Call, receipt: dict[str, Any], repeated: bool) -> None:
        """Write down what was told."""
        self.told.append(
            Acked(
                key=call.key, unit=receipt["unit"], code=receipt["code"],
                number=receipt["number"], check_code=receipt["check_code"],
                amount_fen=call.amount_fen, payer=call.payer, kind=receipt["kind"],
                acked_at=self.now_ms(), repeated=repeated, phase=self.phase,
            )
        )  # fmt: skip


class Window:
    """One window: a connection that comes again, and the call it is at."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital = hospital
        self.call: Call | None = None
        self._line: _Line | None = None
        self._sent = False

    def connect(self) -> None:
        """Try to reach the front-end."""
        hospital = self.hospital
        hospital.reactor.connectTCP("", hospital.port, _Lines(self))

    def turn(self) -> None:
        """Send what is to be sent."""
        if self.call is None:
            self.call, self._sent = self.hospital.take(), False
        if self.call is not None and self._line is not None and not self._sent:
            self._sent = True
            self._line.ask(self.call)

    # from the line
    def ready(self, line: _Line) -> None:
        """Go on where the last line broke: the same key, the same bytes."""
        self._line, self._sent = line, False
        self.turn()

    def lost(self) -> None:
        """Come again in a moment."""
        self._line, self._sent = None, False
        self.hospital.reactor.callLater(AGAIN_S, self.connect)

    def answered(self, answer: dict[str, Any]) -> None:
        """Take the answer to the call."""
        call = self.call
        assert call is not None
        error = answer.get("error")
        if error is None:
            result = answer["result"]
            self.hospital.note(call, result["receipt"], result["repeated"])
        elif error["data"]["retryable"]:
            self._sent = False
            self.hospital.reactor.callLater(AGAIN_S, self.turn)
            return
        else:
            self.hospital.refused.append((call.key, error["data"]["fault"]))
        self.call = None
        self.turn()


class _Lines(ClientFactory):
    noisy = False

    def __init__(self, window: Window) -> None:
        self.window = window

    def buildProtocol(self, _addr: Any) -> _Line:
        return _Line(self.window)

    def clientConnectionFailed(self, _connector: Any, _reason: Any) -> None:
        self.window.lost()


class _Line(Protocol):
    """JSON-RPC lines with the login."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._rest = b""
        self._id = 0

    def dataReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._heard(json.loads(line))

    def _heard(self, message: dict[str, Any]) -> None:
        if message.get("method") == "system.hello":
            challenge = message["params"]["challenge"]
            text = f"fep1|his|{challenge}".encode()
            mac = hmac.new(self._window.hospital.key, text, "sm3").hexdigest()
            self._send("system.auth", {"appid": "his", "alg": "hmac-sm3", "mac": mac})
        elif message["id"] == 1:
            assert "result" in message, message
            self._window.ready(self)
        elif message["id"] == self._id:
            self._window.answered(message)

    def ask(self, call: Call) -> None:
        """Send one event."""
        self._send("receipt.issue", json.loads(call.params))

    def _send(self, method: str, params: dict[str, Any]) -> None:
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.transport.write(json.dumps(request, ensure_ascii=False).encode() + b"\n")

    def connectionLost(self, reason: Any = None) -> None:
        self._window.lost()
