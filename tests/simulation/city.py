"""A whole city in one process: the real node, with province, gate, printer and HIS, on a
fake clock. What happens depends on the seed alone; a day passes in seconds.
"""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from fep.crypto.certs import self_signed
from fep.crypto.keyfile import load_private
from fep.services.node import Node
from fep.settings import load
from fep.sim import gate, province_desk, sm
from fep.sim.printer.build import make_station
from fep.sim.province import Knobs, Province
from fep.sim.province_book import Book
from tests.harness.ledgers import paper, province
from tests.harness.town import set_keys
from tests.harness.world import World, look
from tests.simulation.hospital import Hospital
from tests.simulation.net import Hub, Reactor

CONF = Path(__file__).resolve().parents[2] / "conf"
BEGIN = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
PORT, PRINTER_PORT = 7500, 9100
UNIT, CODE = "H001", "42060126"
FORTNIGHT_S = 14 * 86_400


class SimClock:
    """The wall may be wrong by `offset`; the monotonic clock never is."""

    def __init__(self, hub: Hub, begin: datetime) -> None:
        self._hub, self._begin = hub, begin
        self.offset = timedelta()

    def wall(self) -> datetime:
        """Return the wall clock."""
        return self._begin + timedelta(seconds=self._hub.seconds()) + self.offset

    def mono(self) -> float:
        """Return the world's seconds."""
        return self._hub.seconds()


class SimEntropy:
    """Dice instead of randomness: the same seed, the same day."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def token(self, size: int) -> bytes:
        """Return bytes."""
        return self._dice.randbytes(size)

    def below(self, bound: int) -> int:
        """Return a number."""
        return self._dice.randrange(bound)


class Blank:
    """A rasteriser that draws white."""

    async def raster(self, text: str, height_dots: int, bold: bool) -> tuple[int, bytes]:
        """Return the size of the text, without a dot."""
        width = max(1, len(text) * height_dots // 8)
        return width, bytes(width * height_dots)

    def close(self) -> None:
        """Nothing to close."""


class Notes:
    """The log, kept in memory."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        def note(event: str, **facts: Any) -> None:
            self.lines.append((level, event, facts))

        return note

    def tail(self, count: int = 40) -> str:
        """Return the last lines as text."""
        return "\n".join(f"{level} {event} {facts}" for level, event, facts in self.lines[-count:])


class City:
    """Lays everything out; `start` brings the node up, `crash` takes it away."""

    HEARTBEAT_S = 10.0  # of the province

    def __init__(
        self, place: Path, seed: int, gate_knobs: gate.Knobs | None = None, begin: datetime = BEGIN
    ) -> None:
        self.place, self.seed, self.begin = place, seed, begin
        self.hub = Hub()
        self.world_reactor = Reactor(self.hub)
        self.clock = SimClock(self.hub, begin)
        self.notes = Notes()
        self.node: Node | None = None
        self.reactor = self.world_reactor
        self._starts = 0
        self._lay_out()
        self._open_province()
        self._open_gate(gate_knobs or gate.Knobs(seed=seed))
        self.printer = make_station(
            self.world_reactor, self.paper, seed=seed, png=False, now_ms=self.now_ms
        )
        self._now(self.printer.start(PRINTER_PORT))
        key = (place / "keys" / "caller-his.key").read_bytes().strip()
        self.his = Hospital(self.world_reactor, PORT, key, seed, self.now_ms)

    @property
    def paper(self) -> Path:
        """Where the sheets are."""
        return self.place / "world" / "paper"

    def now_ms(self) -> int:
        """Return the world's true wall clock."""
        return int((self.begin.timestamp() + self.hub.seconds()) * 1000)

    # building
    def _lay_out(self) -> None:
        shutil.copytree(CONF, self.place)
        keys = self.place / "keys"
        keys.mkdir()
        for name in ("out", "in", "tmp", "quarantine"):
            (self.place / "link" / name).mkdir(parents=True)
        sm.create_identity(keys / "unit.key", keys / "unit.crt", "unit", 71)
        sm.create_identity(keys / "node.key", keys / "node.crt", "node-0001", 72)
        # The unit's must be valid by the city's clock, not by that of whoever runs the test.
        unit = load_private((keys / "unit.key").read_bytes(), entropy=SimEntropy(self.seed + 2))
        day = timedelta(days=1)
        (keys / "unit.crt").write_bytes(
            self_signed(unit, "unit", 71, self.begin - day, self.begin + 7300 * day)
        )
        (keys / "caller-his.key").write_text("5a" * 32 + "\n")
        for path in keys.iterdir():
            path.chmod(0o600)
        set_keys(self.place / "fep.toml", "link", {"silent_after_s": "60.0", "rto_first_s": "20.0"})

    def _open_province(self) -> None:
        state, keys = self.place / "world" / "province", self.place / "keys"
        province_desk.initialise(state, "province", 73)
        shutil.copy(state / "platform.crt", keys / "platform.crt")
        self.book = Book(state)
        province_desk.register(
            self.book, "node-0001", (keys / "node.crt").read_bytes(), UNIT,
            (keys / "unit.crt").read_bytes(),
        )  # fmt: skip
        self.far_in, self.far_out = (self.place / "world" / name for name in ("in", "out"))
        knobs = Knobs(heartbeat_s=self.HEARTBEAT_S, gap_s=10.0, resend_s=20.0, seed=self.seed)
        token = SimEntropy(self.seed + 1).token
        self.province = Province(Book(state), self.far_in, self.far_out, self.clock, token, knobs)
        self._every(1.0, self.province.step)

    def _open_gate(self, knobs: gate.Knobs) -> None:
        link = self.place / "link"
        lanes = [
            gate.Lane("a-to-b", link / "out", self.far_in),
            gate.Lane("b-to-a", self.far_out, link / "in"),
        ]
        self.gate = gate.Gate(self.place / "world" / "gate", lanes, self.clock, knobs)
        self._every(0.5, self.gate.step)

    def _every(self, seconds: float, step: Any) -> None:
        def turn() -> None:
            step()
            self.world_reactor.callLater(seconds, turn)

        self.world_reactor.callLater(seconds, turn)

    # living
    def start(self) -> None:
        """Start the daemon's node on a reactor of its own."""
        self._starts += 1
        self.reactor = Reactor(self.hub)
        entropy = SimEntropy(self.seed * 1000 + self._starts)
        self.node = Node(
            load(self.place / "fep.toml"), self.reactor, self.clock, entropy, self.notes,
            Blank(), threads=False,
        )  # fmt: skip
        self._now(self.node.start())

    def crash(self) -> None:
        """Take the node away between two turns of its reactor, as SIGKILL does."""
        assert self.node is not None
        self.reactor.die()
        self.node.store._reader.close()
        self.node.store._conn.rollback()
        self.node.store.close()
        self.node._lock.release()
        self.node = None

    def stop(self) -> None:
        """Stop the node in order."""
        assert self.node is not None
        self._now(self.node.stop("test"))
        self.reactor.die()
        self.node = None

    def close(self) -> None:
        """Take everything down."""
        if self.node is not None:
            self.stop()
        self.world_reactor.die()
        self.province.close()
        self.book.close()

    def grant(self, count: int, code: str = CODE) -> None:
        """Have the province grant numbers."""
        province_desk.grant(
            self.book, UNIT, code, count, first=None, not_after=None,
            quota='{"amount_fen":null,"count":null,"hours":null}', now_ms=self.now_ms(),
        )  # fmt: skip

    def cut(self) -> None:
        """Cut the gate."""
        gate.cut(self.gate._state)

    def heal(self) -> None:
        """Heal the gate."""
        gate.heal(self.gate._state)

    def numbers_left(self) -> int:
        """Return how many numbers the node has in hand."""
        assert self.node is not None
        blocks = self.node.store.heads.blocks.values()
        return sum(block.left for group in blocks for block in group)

    def drained(self) -> bool:
        """Tell whether nothing is under way any more.

        Nobody here breaks the store, so a dead one ends the day at once: what interrupted a
        commit (a time limit of the test, too) would else be told as days without rest.
        """
        assert self.node is None or not self.node.store.dead, self.node.store.dead
        if self.node is None or not self.his.done:
            return False
        return self.node.store.read(_left_q) == 0

    def settle(self, within_s: float) -> None:
        """Let time pass until nothing is under way; fails with the log when it stays."""
        done = self.hub.run(within_s, until=self.drained)
        assert done, f"not drained in {within_s} s of simulated time\n{self.notes.tail()}"

    def look(self) -> World:
        """Return the store and its witnesses; the node must be down."""
        assert self.node is None
        world = look(self.place, None, None, None)
        world.his = self.his.told
        world.province = province(province_desk.report(self.book))
        world.paper = paper(self.paper)
        return world

    def _now(self, coroutine: Any) -> Any:
        """Run a coroutine of the node to its end while the world goes on."""
        results: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        assert self.hub.run(120, until=lambda: bool(results)), f"stuck\n{self.notes.tail()}"
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]


def _left_q(conn: Any) -> int:
    left = (
        "SELECT (SELECT count(*) FROM receipt WHERE state = 'frozen')"
        " + (SELECT count(*) FROM event WHERE state = 'queued')"
        " + (SELECT count(*) FROM upload WHERE state NOT IN ('applied', 'rejected'))"
        " + (SELECT count(*) FROM print_job WHERE state IN ('due', 'streaming'))"
    )
    return int(conn.exec_driver_sql(left).scalar())
