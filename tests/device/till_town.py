"""A till with a real store and a simulated terminal on one fake clock; each side may die alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from fep.services.callers import Caller
from fep.services.till import Till
from fep.settings_device import DeviceSettings, TransportSettings
from fep.store import payments, queries_payments
from fep.store.opening import open_store
from tests.device.pos_rig import START, Counter

UNIT = "wuhan-1"
EVERY = frozenset({"*"})
HIS = Caller("his", frozenset({"pay", "query"}), EVERY, EVERY, line=object())
POS = DeviceSettings(
    id="pos-1", group="window-1", driver="mispos", profile="landfone", kind="terminal",
    transport=TransportSettings(type="tcp", host="pos"),
)  # fmt: skip


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **more: self.lines.append(f"{level} {event} {more}")


class Lifeline:
    """The store as one life of the daemon has it: once cut, nothing comes back from it."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def do(self, name: str, work: Any, *args: Any) -> Deferred[Any]:
        """Do a work whose outcome only the living hear of."""
        outcome: Deferred[Any] = Deferred()
        if not self.cut:
            self._store.do(name, work, *args).addBoth(self._heard, outcome)
        return outcome

    def _heard(self, found: Any, outcome: Deferred[Any]) -> None:
        if not self.cut:
            outcome.callback(found)


class TillTown(Counter):
    """Terminal, driver, till and store."""

    def __init__(self, place: Path | None = None, **knobs: Any) -> None:
        super().__init__(**knobs)
        self.place = place
        self.log = Log()
        self.store: Any = None
        self.till: Any = None
        self.life: Any = None
        self.keys = 0

    def start(self) -> None:
        """Start the daemon's part, as after a crash."""
        self._open(self.place / "fep.db" if self.place else Path(":memory:"))
        self.boot()

    def _open(self, path: Path) -> None:
        """Open the store. Only processes die here, never the power, which other tests cut: what
        is committed need not wait for the disk."""
        wall_ms = int(START.timestamp() * 1000)
        self.store = open_store(
            self.clock, path, now_ms=lambda: wall_ms + int(self.clock.seconds() * 1000),
            on_fatal=lambda why: None, pool=None,
        )  # fmt: skip
        self.store._conn.connection.driver_connection.execute("PRAGMA synchronous = OFF")
        self.store._conn.rollback()

    def boot(self) -> None:
        """Start till and driver on the store that is open."""
        self.driver = self.new_driver()
        self.life = Lifeline(self.store)
        self.till = Till(self.clock, None, self.life, (POS,), self.log,
                         make=lambda *_: self.driver)  # fmt: skip
        self.done(self.till.start())

    def crash(self) -> None:
        """Kill the daemon: nothing more is written, the line breaks, the store stays."""
        dead = self.store
        assert self.place is not None
        path = self.place / "fep.db"
        dead.dead = "killed"
        self._die("fep.sim")
        dead.close()
        self._open(path)
        self.boot()

    def crash_quickly(self) -> None:
        """Kill the daemon but for its store, which has deaths and tests of its own."""
        self._die("fep.sim", "fep.store")
        self.boot()

    def _die(self, *who_lives: str) -> None:
        self.life.cut = True
        if self.cable.wire is not None:
            self.cable.wire.on_data = lambda data: None
            self.cable.wire.on_lost = lambda: None
            self.cable.wire.abort()
        for call in list(self.clock.getDelayedCalls()):
            if not _owner(call).startswith(who_lives):
                call.cancel()

    def call(self, name: str, **params: Any) -> Deferred[Any]:
        """Call a method as a business system."""
        method = self.till.methods()[name]
        try:
            found = method.call(HIS, params)
        except Exception as error:
            found = Deferred()
            found.errback(Failure(error))
        if not isinstance(found, Deferred):
            answer: Deferred[Any] = Deferred()
            answer.callback(found)
            return answer
        return found

    def ask(self, name: str, **params: Any) -> dict[str, Any]:
        """Call and wait. Raises Refused."""

        async def asked() -> Any:
            return await self.call(name, **params)

        return self.done(asked(), 3600.0)

    def sale(self, key: str, amount: str = "12.34", **more: Any) -> Deferred[Any]:
        """Begin a payment."""
        return self.call("payment.pay", unit=UNIT, key=key, terminal="pos-1", amount=amount, **more)

    def sold(self, key: str, amount: str = "12.34", **more: Any) -> dict[str, Any]:
        """Pay and wait for the outcome."""
        told = self.ask("payment.pay", unit=UNIT, key=key, terminal="pos-1", amount=amount, **more)
        return told["payment"]

    def rows(self) -> tuple[payments.Payment, ...]:
        """Return all payments, oldest first."""
        return self.store.read(queries_payments.list_q, "", "", 10_000)[::-1]

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass."""
        for _ in range(int(seconds / step)):
            self.clock.advance(step)

    def settle_down(self, seconds: float) -> None:
        """Let time pass up to a bound, as far as anything is going to happen in it."""
        until = self.clock.seconds() + seconds
        while self.clock.getDelayedCalls():
            due = min(call.getTime() for call in self.clock.getDelayedCalls())
            if due > until:
                break
            self.clock.advance(max(due - self.clock.seconds(), 0.0))

    def newest(self) -> payments.Payment:
        """Return the newest payment."""
        return self.store.read(queries_payments.list_q, "", "", 1)[0]

    def differences(self) -> list[str]:
        """Compare the simulator's money with ours (I11); what is unknown is listed, not counted."""
        wrong = []
        for row in self.rows():
            net, debits = self.host.net(row.serial), self.host.debits(row.serial)
            if debits > 1:
                wrong.append(f"{row.key}: {debits} debits")
            if row.state.value == "unknown":
                continue
            sign = 1 if row.op.value == "pay" else -1
            ours = sign * row.amount_fen if row.state.value == "approved" else 0
            if ours != net:
                wrong.append(f"{row.key}: {row.state} ours {ours}, theirs {net}")
        return wrong


def _owner(call: Any) -> str:
    owner = getattr(call.func, "__self__", None)
    return getattr(call.func, "__module__", "") if owner is None else type(owner).__module__
