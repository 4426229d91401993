"""A business system with one line to the simulated node: any method, one call at a time."""

from __future__ import annotations

import hmac
import json
from typing import Any

from twisted.internet.protocol import ClientFactory, Protocol

from tests.simulation.city import PORT, City

ANSWER_S = 10.0


class Till:
    """Asks the node of a city; what was acknowledged stands in the hospital's ledger."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.line: _Line | None = None
        city.world_reactor.connectTCP("", PORT, _Lines(self))
        assert city.hub.run(ANSWER_S, until=lambda: self.line is not None), city.notes.tail()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the whole answer to a call."""
        assert self.line is not None
        line = self.line
        line.ask(method, params)
        heard = self.city.hub.run(ANSWER_S, until=lambda: line.answer is not None)
        assert heard, f"{method}: no answer\n{self.city.notes.tail()}"
        assert line.answer is not None
        return line.answer

    def told(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of a call that must succeed."""
        answer = self.ask(method, **params)
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result


class _Lines(ClientFactory):
    noisy = False

    def __init__(self, till: Till) -> None:
        self.till = till

    def buildProtocol(self, _addr: Any) -> _Line:
        return _Line(self.till)


class _Line(Protocol):
    """JSON-RPC lines with the login."""

    def __init__(self, till: Till) -> None:
        self._till = till
        self._rest = b""
        self._id = 0
        self.answer: dict[str, Any] | None = None

    def dataReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._heard(json.loads(line))

    def _heard(self, message: dict[str, Any]) -> None:
        if message.get("method") == "system.hello":
            text = f"fep1|his|{message['params']['challenge']}".encode()
            mac = hmac.new(self._till.city.his.key, text, "sm3").hexdigest()
            self.ask("system.auth", {"appid": "his", "alg": "hmac-sm3", "mac": mac})
        elif message.get("id") == 1:
            assert "result" in message, message
            self._till.line = self
        elif message.get("id") == self._id:
            self.answer = message

    def ask(self, method: str, params: dict[str, Any]) -> None:
        """Send one call."""
        self._id += 1
        self.answer = None
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.transport.write(json.dumps(request, ensure_ascii=False).encode() + b"\n")
