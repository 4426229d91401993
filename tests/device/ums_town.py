"""A till with a UMS terminal on a fake clock: daemon, bridge, library, PC may each die alone.

The bridge is the real one but for its socket, its threads and the child that loads the library:
frames travel for LATENCY_S, its work goes on in greenlets, the child is a few timers that outlive
the bridge, as a process does, and leaves its answer in the same file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from greenlet import greenlet

from drivers.transports import bridge as transport
from drivers.ums import Options, Ums, load
from fep import bridge
from fep.services.bridges_lender import Bridge, Seen
from fep.sim.ums.machine import Knobs
from fep.wire.bridge import Frame
from tests.device.bridge_rig import KEY
from tests.device.pos_rig import Wall
from tests.device.till_town import TillTown, _owner
from tests.device.ums_books import PORT, Books, settings

LATENCY_S, EXIT_S, REDIAL_S, DEAF_S, PC_S = 0.02, 0.02, 0.3, 35.0, 5.0


class Tokens:
    """Entropy that never repeats itself."""

    def __init__(self) -> None:
        self._count = 0

    def token(self, size: int) -> bytes:
        """Return bytes that were not there before."""
        self._count += 1
        return self._count.to_bytes(size, "big")


class Child:
    """A process that calls the library; it may outlive the bridge that hired it."""

    def __init__(self, town: UmsTown, file: Any, id_: str, tell: Callable[[], None]) -> None:
        self._town, self._file, self._id, self._tell = town, file, id_, tell
        self.ended = False
        town.children.append(self)

    def begin(self, request: bytes) -> None:
        """Ask the payer for the card."""
        self._town.clock.callLater(self._town.knobs.card_s, self._host, request)

    def kill(self) -> None:
        """Die, without an answer."""
        if not self.ended:
            self._end()

    def _host(self, request: bytes) -> None:
        if self.ended or self._town.knobs.hang:
            return
        told = self._town.host.asked(self._id, request)
        if told is None:
            self._end()
        else:
            self._town.clock.callLater(self._town.host_s, self._leave, told)

    def _leave(self, told: bytes) -> None:
        if not self.ended:
            record = {"answer": bridge.base64.b64encode(told).decode("ascii"), "code": 0}
            self._file.write(bridge._line(record))
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._file.close()
        self._town.children.remove(self)
        self._town.clock.callLater(EXIT_S, self._gone)

    def _gone(self) -> None:
        self._tell()


class Teller(bridge.Clerk):
    """Hires children of the town."""

    def __init__(self, lent: bridge.Lent, answers: Path, pc: Pc) -> None:
        super().__init__(lent, answers)
        self._pc = pc

    def hire(self, id_: str) -> Any:
        """Return a child that holds the lock of its answer."""
        worker = greenlet.getcurrent()
        file = bridge.locked(self.place(id_))
        assert file is not None, "two children of one call"
        return Child(self._pc.town, file, id_, lambda: self._pc.go_on(worker))

    def call(self, child: Any, id_: str, request: bytes) -> bytes:
        """Wait for the child while the clock goes on. Raises OSError when it died."""
        child.begin(request)
        self._pc.wait()
        answer = bridge.answered(self.place(id_))
        if answer is None:
            raise OSError("the library ended without an answer")
        return answer


class Pc(bridge.Bridge):
    """The bridge's process."""

    def __init__(self, town: UmsTown) -> None:
        assert town.place is not None
        told = settings(town.place, 0, KEY, 1.0)
        super().__init__(told)
        self.town = town
        self.dead = False
        self._clerks = {PORT: Teller(told.ports[PORT], told.journal / "calls", self)}
        self._collect()

    def join(self, wire: Any) -> None:
        """Say what there is over a new connection."""
        self._wire = wire
        self.tell(self._hello())

    def kill(self) -> None:
        """Die; nothing of it goes on."""
        self.dead = True
        self._wire = None
        self.journal._file.close()
        self.journal._guard.close()

    def wait(self) -> None:
        """Wait, in a piece of work that was put aside."""
        greenlet.getcurrent().parent.switch()

    def go_on(self, worker: greenlet) -> None:
        """Go on with it."""
        if not self.dead:
            worker.switch()

    def _aside(self, work: Callable[..., None], *arguments: Any) -> None:
        self.town.clock.callLater(0, self._begin_aside, greenlet(work), arguments)

    def _begin_aside(self, worker: greenlet, arguments: tuple[Any, ...]) -> None:
        if not self.dead:
            worker.switch(*arguments)


class End:
    """One end of a connection: what it is given travels to the other."""

    def __init__(self, carry: Callable[[Any, bytes], bool]) -> None:
        self.send = carry


class Rope:
    """One connection of the bridge to the daemon, both greeted."""

    def __init__(self, town: UmsTown, pc: Pc) -> None:
        self._town, self._pc, self._lender = town, pc, town.lender
        self.over = self.deaf = self.widowed = False
        self._near, far = End(self._down), End(self._up)
        self._lender.joined(self._near)
        pc.join(far)

    def cut(self) -> None:
        """Break; what travels is lost, both hear of it."""
        if self.over:
            return
        self.over = True
        if self._pc._wire is not None:
            self._pc._wire = None
        if not self.widowed:
            self._lender.left(self._near)
        self._town.dial_later()

    def daemon_died(self) -> None:
        """Nobody hears the bridge any more; what the daemon had sent still arrives."""
        self.widowed = True
        self._town.clock.callLater(LATENCY_S * 1.5, self.cut)

    def silence(self) -> None:
        """Lose everything without a word, as behind a dead switch, until the pulse notices."""
        self.deaf = True
        self._town.clock.callLater(DEAF_S, self.cut)

    def _down(self, head: Any, body: bytes = b"") -> bool:
        self._town.asked.append(dict(head))
        self._town.clock.callLater(LATENCY_S, self._to_pc, dict(head), body)
        return True

    def _up(self, head: Any, body: bytes = b"") -> bool:
        if self.over:
            return False
        self._town.said.append(dict(head))
        self._town.clock.callLater(LATENCY_S, self._to_daemon, dict(head), body)
        return True

    def _to_pc(self, head: Any, body: bytes) -> None:
        if not (self.over or self.deaf or self._pc.dead):
            self._pc._heard(head, body)

    def _to_daemon(self, head: Any, body: bytes) -> None:
        if not (self.over or self.deaf or self.widowed):
            self._town.heard.append(head)
            self._lender.heard(Frame(head, body))


class UmsTown(TillTown):
    """Terminal, PC, bridge, driver, till and store."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.knobs: Any = Knobs()
        self.host_s = 0.0
        self.host: Any = Books(Wall(self.clock).wall, self.knobs)
        self.seen = Seen()
        self.tokens = Tokens()
        self.asked: list[dict[str, Any]] = []  # sent by the daemon
        self.said: list[dict[str, Any]] = []  # sent by the bridge
        self.heard: list[dict[str, Any]] = []  # of these, what arrived
        self.children: list[Child] = []
        self.lender: Any = None
        self.rope: Rope | None = None
        self.pc: Pc | None = Pc(self)

    def new_driver(self, **options: Any) -> Any:
        """Return a driver as after a start."""
        where = Options(transport.Options("pc", PORT), "00000001", "01", **options)
        return Ums(self.clock, Wall(self.clock), where, load("umspay"))

    def boot(self) -> None:
        """Start the daemon's part; the bridge dials it."""
        self.lender = Bridge(self.clock, "pc", self.tokens, self.seen, self._remember, self.log)
        transport.introduce(self.clock, "pc", self.lender)
        super().boot()
        self.dial_later()

    def dial_later(self) -> None:
        """Let the bridge dial soon."""
        self.clock.callLater(REDIAL_S, self._dial)

    # who may die
    def bridge_dies(self, again_s: float = REDIAL_S) -> None:
        """Kill the bridge's process; a call that goes on ends in its own."""
        pc, self.pc = self.pc, None
        if pc is not None:
            pc.kill()
            self.clock.callLater(again_s, self._pc_starts)
        if self.rope is not None:
            self.rope.cut()

    def power_fails(self) -> None:
        """Switch the PC off: bridge and library die at once."""
        for child in tuple(self.children):
            child.kill()
        self.bridge_dies(PC_S)

    def link_breaks(self) -> None:
        """Cut the connection."""
        if self.rope is not None:
            self.rope.cut()

    def link_is_deaf(self) -> None:
        """Have the connection lose everything for a while."""
        if self.rope is not None:
            self.rope.silence()

    def _die(self, *who_lives: str) -> None:
        self.life.cut = True
        if self.rope is not None:
            self.rope.daemon_died()
        for call in list(self.clock.getDelayedCalls()):
            if not _owner(call).startswith((*who_lives, __name__)):
                call.cancel()

    def _pc_starts(self) -> None:
        self.pc = Pc(self)
        self._dial()

    def _dial(self) -> None:
        if self.pc is not None and (self.rope is None or self.rope.over):
            self.rope = Rope(self, self.pc)

    def _remember(self, _id: str, seen: Seen) -> None:
        self.seen = seen
