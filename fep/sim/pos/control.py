"""The control socket: one JSON line in, one out. `{"order": ["set", "answer=decline"]}`.

Orders: set KNOB=VALUE …, power off|on|cycle, state.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

from fep.sim.pos.terminal import Terminal

ASK_TIMEOUT_S = 10.0
REPLY_MAX = 65536


def obey(terminal: Terminal, words: Sequence[str]) -> dict[str, Any]:
    """Carry an order out and return the state. Raises ValueError for an unknown one."""
    verb, rest = (words[0], words[1:]) if words else ("", ())
    if verb == "set" and rest:
        for word in rest:
            name, _, value = word.partition("=")
            terminal.knobs.turn(name, value)
    elif verb == "power" and rest and rest[0] in ("off", "on", "cycle"):
        {"off": terminal.power_off, "on": terminal.power_on, "cycle": terminal.power_cycle}[
            rest[0]
        ]()
    elif verb != "state":
        raise ValueError("orders: set KNOB=VALUE, power off|on|cycle, state")
    return {
        "powered": terminal.powered, "signed_in": terminal.signed_in, "busy": terminal.busy,
        "batch": terminal.book.batch, "records": len(terminal.book.entries),
        "ledger": terminal.host.lines[-100:], "knobs": asdict(terminal.knobs),
    }  # fmt: skip


class Desk(LineOnlyReceiver):
    """One connection of an operator."""

    delimiter = b"\n"
    transport: Any

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def lineReceived(self, line: bytes) -> None:
        """Answer an order."""
        try:
            answer = {"ok": True, "state": obey(self._terminal, json.loads(line)["order"])}
        except (ValueError, KeyError, TypeError) as error:
            answer = {"ok": False, "error": str(error)}
        self.transport.write(json.dumps(answer).encode() + b"\n")


class Desks(Factory):
    """Listens for operators."""

    noisy = False

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def buildProtocol(self, addr: Any) -> Desk:
        """Return a connection."""
        return Desk(self._terminal)


def listen(reactor: Any, terminal: Terminal, where: Path) -> Any:
    """Open the control socket. Raises CannotListenError."""
    where.unlink(missing_ok=True)
    return reactor.listenUNIX(str(where), Desks(terminal), mode=0o600)


def ask(where: str, words: Sequence[str]) -> dict[str, Any]:
    """Give one order and wait for the answer. Blocks. Raises OSError, ValueError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(ASK_TIMEOUT_S)
        line.connect(where)
        line.sendall(json.dumps({"order": list(words)}).encode() + b"\n")
        heard = b""
        while not heard.endswith(b"\n") and len(heard) < REPLY_MAX:
            chunk = line.recv(4096)
            if not chunk:
                break
            heard += chunk
    answer: dict[str, Any] = json.loads(heard)
    return answer
