"""A terminal driver and the simulated terminal on one fake clock, joined by a line of memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from drivers.mispos import Mispos, Options, load
from drivers.transports.line import Unreachable
from fep.domain.payment import Op, Order, Way
from fep.sim.pos.book import Book
from fep.sim.pos.host import Host
from fep.sim.pos.knobs import Knobs
from fep.sim.pos.terminal import Terminal

START = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


class Wall:
    """The clock port over a fake reactor clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def wall(self) -> datetime:
        return START + timedelta(seconds=self._clock.seconds())

    def mono(self) -> float:
        return self._clock.seconds()


class Harm:
    """What happens to one byte on the cable: `cut` before it, or it is `bent`, `lost`, `twice`.

    `way` is `out` (to the terminal) or `back`; `at` counts bytes from when the harm was set.
    """

    def __init__(self, what: str, way: str, at: int) -> None:
        self.what, self.way, self.left = what, way, at
        self.struck = False

    def pass_on(self, way: str, data: bytes) -> tuple[bytes, bool]:
        """Return what arrives of `data`, and whether the line is cut after it."""
        if self.struck or way != self.way:
            return data, False
        if self.left >= len(data):
            self.left -= len(data)
            return data, False
        self.struck = True
        before, byte, after = data[: self.left], data[self.left], data[self.left + 1 :]
        if self.what == "cut":
            return before, True
        middle = {"bent": bytes((byte ^ 0x15,)), "lost": b"", "twice": bytes((byte, byte))}
        return before + middle[self.what] + after, False


class Wire:
    """An open wire; bytes arrive at the next turn of the clock."""

    def __init__(self, cable: Cable, on_data: Callable[[bytes], None],
                 on_lost: Callable[[], None]) -> None:  # fmt: skip
        self.cable, self.on_data, self.on_lost = cable, on_data, on_lost
        self.open = True

    def write(self, data: bytes) -> None:
        self.cable.sent += data
        self.cable.clock.callLater(0, self._to_terminal, data)

    def _to_terminal(self, data: bytes) -> None:
        if not self.open:
            return
        data, cut = self._harmed("out", data)
        self.cable.terminal.receive(data)
        if cut:
            self.cut()

    def arrive(self, data: bytes) -> None:
        """Bytes of the terminal; `split` cuts them into single ones."""
        self.cable.clock.callLater(0, self._to_driver, data)

    def _harmed(self, way: str, data: bytes) -> tuple[bytes, bool]:
        harm = self.cable.harm
        return (data, False) if harm is None else harm.pass_on(way, data)

    def _to_driver(self, data: bytes) -> None:
        data, cut = self._harmed("back", data) if self.open else (data, False)
        self._deliver(data)
        if cut:
            self.cut()

    def _deliver(self, data: bytes) -> None:
        step = self.cable.split or len(data) or 1
        for start in range(0, len(data), step):
            if self.open:
                self.on_data(data[start : start + step])

    def cut(self) -> None:
        """Lose the line."""
        if self.open:
            self.open = False
            self.cable.wire = None
            self.cable.terminal.detach()
            self.cable.clock.callLater(0, self.on_lost)

    def abort(self) -> None:
        if self.open:
            self.open = False
            self.cable.wire = None
            self.cable.terminal.detach()

    close = abort


class Cable:
    """The way to one terminal: a `Line` of memory, and the options that make it."""

    shared, two_way = False, True

    def __init__(self, clock: Clock, terminal: Terminal) -> None:
        self.clock, self.terminal = clock, terminal
        self.wire: Wire | None = None
        self.sent = b""
        self.split = 0
        self.harm: Harm | None = None
        self.unplugged = False
        terminal.on_power = self._power

    def line(self, _reactor: Any) -> Cable:
        return self

    async def open(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> Wire:
        if self.unplugged or not self.terminal.powered:
            raise Unreachable("pos")
        self.wire = Wire(self, on_data, on_lost)
        self.terminal.attach(self.wire.arrive)
        return self.wire

    def closed(self) -> None:
        pass

    def _power(self, on: bool) -> None:
        if not on and self.wire is not None:
            self.wire.cut()


class Counter:
    """Terminal, cable and driver; `Knobs` are at `knobs`."""

    def __init__(self, **knobs: Any) -> None:
        self.clock = Clock()
        self.knobs = Knobs(**knobs)
        self.host = Host()
        self.terminal = Terminal(self.clock, self.host, Book(), self.knobs)
        self.cable = Cable(self.clock, self.terminal)
        self.acks: list[str] = []
        self.driver = self.new_driver()

    def new_driver(self, **options: Any) -> Mispos:
        """Return a driver as after a start."""
        told = {"merchant": "105290053110001", "terminal": "12345678", **options}
        return Mispos(self.clock, Wall(self.clock), Options(self.cable, **told), load("landfone"))

    def done(self, work: Any, within_s: float = 600.0) -> Any:
        """Return what a coroutine comes to, letting time pass."""
        found: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(found.append)
        until = self.clock.seconds() + within_s
        while not found and self.clock.seconds() < until:
            self.clock.advance(0)
            if not found:
                calls = self.clock.getDelayedCalls()
                step = min((c.getTime() for c in calls), default=until) - self.clock.seconds()
                self.clock.advance(max(step, 0.0))
        assert found, "nothing came of it"
        if isinstance(found[0], Failure):
            found[0].raiseException()
        return found[0]

    def pay(self, order: Order) -> Any:
        """Prepare and run one order."""
        assert self.done(self.driver.prepare()) == ""
        return self.done(self.driver.run(order, lambda: self.acks.append(order.serial)))


def order(serial: str = "26112112000000000001", fen: int = 1234, op: Op = Op.PAY,
          way: Way = Way.CARD, **more: Any) -> Order:  # fmt: skip
    """Return an order."""
    return Order(1, op, way, serial, fen, "李收费", **more)
