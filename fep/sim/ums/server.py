"""The simulator's end of the library's socket: one record, one answer, a connection each."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory, Protocol

from fep.sim.ums.machine import Machine

REQUEST_MAX = 4096


class Visit(Protocol):
    """One call of the library."""

    transport: Any

    def __init__(self, reactor: Any, machine: Machine, visits: set[Visit]) -> None:
        self._reactor = reactor
        self._machine = machine
        self._visits = visits
        self._heard = b""

    def connectionMade(self) -> None:
        self._visits.add(self)

    def connectionLost(self, reason: Any = None) -> None:
        self._visits.discard(self)

    def dataReceived(self, data: bytes) -> None:
        """Collect the record; answer after the card's time."""
        self._heard += data
        size = int.from_bytes(self._heard[:4], "big")
        if len(self._heard) < 4 or size > REQUEST_MAX or len(self._heard) < 4 + size:
            return
        if not self._machine.knobs.hang:
            self._reactor.callLater(self._machine.knobs.card_s, self._answer, self._heard[4:])

    def _answer(self, raw: bytes) -> None:
        told = self._machine.answer(raw)
        if told is not None:
            self.transport.write(len(told).to_bytes(4, "big") + told)
        self.transport.loseConnection()


class Counter(Factory):
    """Listens for the library."""

    noisy = False

    def __init__(self, reactor: Any, machine: Machine) -> None:
        self._reactor = reactor
        self._machine = machine
        self.visits: set[Visit] = set()

    def buildProtocol(self, addr: Any) -> Visit:
        """Return a call."""
        return Visit(self._reactor, self._machine, self.visits)


def listen(reactor: Any, machine: Machine, place: Path) -> Callable[[], Any]:
    """Open the socket of the library; return what closes it and hangs up on who still waits."""
    place.unlink(missing_ok=True)
    counter = Counter(reactor, machine)
    port = reactor.listenUNIX(str(place), counter, mode=0o600)

    def stop() -> Any:
        for visit in tuple(counter.visits):
            visit.transport.abortConnection()
        return port.stopListening()

    return stop


def build(directory: Path, socket: Path) -> Path | None:
    """Compile the library into a directory; None where there is no C compiler."""
    (directory / "posinf.socket").write_text(f"{socket}\n", "utf-8")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    source = directory / "posinf.c"
    source.write_bytes(files("fep.sim.ums").joinpath("posinf.c").read_bytes())
    library = directory / "libposinf.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return library
