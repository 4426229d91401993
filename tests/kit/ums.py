"""UMS terminals at the device kit: the cable of the kit is the one from the PC to the daemon."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from drivers.transports.bridge import Options as Lent
from drivers.ums import Options, Ums, load
from fep import bridge
from fep.env import RealClock
from fep.services.bridges import Bridges
from fep.testing.cable import Cable, Way
from fep.testing.terminals import TerminalKit
from fep.wire.bridge import Broken, Talk
from tests.device.bridge_rig import KEY, Told, make
from tests.device.ums_books import PORT, Books, settings
from tests.kit.dialled import DialledCable

PACE = 0.0001  # a bridge that lost its daemon is back within 3 ms


class Over(BaseException):
    """The PC is switched off."""


class Teller(bridge.Clerk):
    """Calls the terminal at once, where a child would load the library."""

    def __init__(self, lent: bridge.Lent, answers: Path, books: Books) -> None:
        super().__init__(lent, answers)
        self._books = books

    def hire(self, id_: str) -> Any:
        """Return nobody."""
        return None

    def call(self, child: Any, id_: str, request: bytes) -> bytes:
        """Have the terminal answer."""
        answer = self._books.asked(id_, request)
        assert answer is not None
        return answer


class Pc(bridge.Bridge):
    """fep-bridge in a thread of this process; it ends when it is told to."""

    def __init__(self, told: bridge.Settings, books: Books) -> None:
        super().__init__(told)
        self.lent = told.ports[PORT]
        self._clerks = {PORT: Teller(self.lent, told.journal / "calls", books)}
        self._over = False
        self._thread = threading.Thread(target=self._live, daemon=True)

    def start(self) -> None:
        """Dial."""
        self._thread.start()

    def stop(self) -> None:
        """End; its cable is gone already."""
        self._over = True
        wire = self._wire
        if wire is not None:
            wire.close()
        self._thread.join(10.0)
        assert not self._thread.is_alive()
        self.journal._file.close()
        self.journal._guard.close()

    def _live(self) -> None:
        with contextlib.suppress(Over):
            self.run()

    def _serve(self) -> None:
        if self._over:
            raise Over
        super()._serve()

    def _watch(self) -> None:
        """Nothing: what it tells is not asked for here, and its thread would outlive us."""


class BankallPc:
    """The daemon's door for bridges, and the PC that will dial it."""

    def __init__(self, reactor: Any, place: Path) -> None:
        self._place = place
        self._bridges: Bridges = make(reactor, place, Told())
        self._pc: Pc | None = None
        self.books = Books(datetime.now)
        self.port = 0

    async def start(self) -> BankallPc:
        """Open the door."""
        await self._bridges.open()
        self.port = self._bridges.places()[0]
        return self

    def dial(self, port: int) -> None:
        """Switch the PC on; it reaches the daemon by the cable at `port`."""
        self._pc = Pc(settings(self._place, port, KEY, PACE), self.books)
        self._pc.start()

    def connected(self) -> bool:
        """Say whether the daemon has it."""
        return self._bridges.bridges["pc"].connected

    def hold(self) -> None:
        """Let another program of the PC have the terminal."""
        assert self._pc is not None
        assert self._pc.lent.user.acquire(timeout=5.0)

    def leave(self) -> None:
        """Let it go again."""
        assert self._pc is not None
        if self._pc.lent.user.locked():
            self._pc.lent.user.release()

    def debits(self, serial: str) -> int:
        """Return how often a serial was charged."""
        return self.books.debits(serial)

    async def stop(self) -> None:
        """Switch the PC off and close the door."""
        if self._pc is not None:
            self._pc.stop()
        await self._bridges.close()


class Frames:
    """What a daemon makes of the bytes of a bridge: frames, until one breaks the rules."""

    def __init__(self) -> None:
        self._talk = Talk("0" * 64, {"pc": bytes.fromhex(KEY)}.get)
        self._broken = False

    def feed(self, data: bytes) -> list[object]:
        """Return what has come whole; one that is broken is the last."""
        found: list[object] = []
        if self._broken:
            return found
        try:
            found.extend(self._talk.feed(data))
        except Broken as broken:
            self._broken = True
            found.append(str(broken))
        return found


class UmsOverBridge(TerminalKit):
    """Terminals behind a vendor's library, called by a fep-bridge."""

    driver = "ums"
    taken = "POS_BUSY"  # the bridge tells whether its port is in use
    over = "bridge"
    tried_on = "fepsim ums behind a fep-bridge in a thread; cut is its connection"

    async def make_simulator(self, reactor: Any, place: Path) -> BankallPc:
        self.pc = await BankallPc(reactor, place).start()
        return self.pc

    def make_cable(self, reactor: Any, port: int, place: Path) -> Cable:
        return DialledCable(reactor, self.pc)

    def make_driver(self, reactor: Any, way: Way) -> Ums:
        self.pc.dial(way.port)
        options = Options(Lent("pc", PORT), "00000001", "01", result_timeout_s=0.4)
        return Ums(reactor, RealClock(), options, load("umspay"))

    def make_parser(self) -> Callable[[bytes], Sequence[object]]:
        return Frames().feed
