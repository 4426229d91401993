"""A counter town with two terminals, one on TCP and one on a serial cable, each its own process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.harness.checkers import check_all
from tests.harness.counter_town import CounterTown, enter
from tests.harness.processes import Child, Fleet, free_ports, listens, run, wait_until
from tests.harness.town import program
from tests.harness.world import Violation

DEVICE = """
id = "{id}"
group = "window-1"
kind = "terminal"
driver = "mispos"
profile = "landfone"

[transport]
{transport}

[options]
merchant = "105290053110001"
terminal = "12345678"
ack_timeout_s = 1.0
"""


class Pos:
    """A terminal as a process, at a port of its own."""

    def __init__(self, fleet: Fleet, state: Path) -> None:
        self.fleet, self.state = fleet, state
        (self.port,) = free_ports(1)
        self.child: Child | None = None

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.jsonl"

    @property
    def transport(self) -> str:
        """Return the keys of its `[transport]`."""
        return f'type = "tcp"\nhost = "127.0.0.1"\nport = {self.port}'

    def where(self) -> Sequence[str]:
        """Return the simulator's words for where it stands."""
        return ("--port", str(self.port))

    def start(self, *knobs: str) -> None:
        """Switch it on."""
        words = [program("fepsim"), "pos", *self.where(), "--state", str(self.state)]
        for knob in knobs:
            words += ["--set", knob]
        (self.state / "control.sock").unlink(missing_ok=True)
        self.child = self.fleet.start("pos", words)
        wait_until(self.listens, "the terminal listens", timeout_s=30, children=[self.child])

    def listens(self) -> bool:
        """Say whether it can be reached."""
        return listens(self.port)

    def kill(self) -> None:
        """Take its power away."""
        assert self.child is not None
        self.child.kill()
        self.fleet.forget(self.child)

    def turn(self, *knobs: str) -> dict[str, Any]:
        """Turn knobs; returns its state."""
        return self.order("set", *knobs)

    def order(self, *words: str) -> dict[str, Any]:
        """Give the simulator an order; returns its state."""
        control = str(self.state / "control.sock")
        told = run([program("fepsim"), "pos", "ctl", "--control", control, *words])
        return dict(json.loads(told))

    def lines(self) -> int:
        """Return how often money moved."""
        return len(self.ledger.read_text().splitlines()) if self.ledger.exists() else 0


class SerialPos(Pos):
    """A terminal on a serial cable: two pseudo terminals joined by socat."""

    def __init__(self, fleet: Fleet, state: Path) -> None:
        super().__init__(fleet, state)
        state.mkdir(parents=True)
        self.ends = (state / "cashier", state / "terminal")
        words = ["socat", *(f"PTY,link={end},raw,echo=0" for end in self.ends)]
        cable = fleet.start("socat", words)
        wait_until(lambda: all(end.exists() for end in self.ends), "the cable is there",
                   timeout_s=20, children=[cable])  # fmt: skip

    @property
    def transport(self) -> str:
        """Return the keys of its `[transport]`."""
        return f'type = "serial"\npath = "{self.ends[0].resolve()}"\nbaud = 9600'

    def where(self) -> Sequence[str]:
        """Return the simulator's words for where it stands."""
        return ("--serial", str(self.ends[1].resolve()))

    def listens(self) -> bool:
        """Say whether it can be reached."""
        return (self.state / "control.sock").exists()


class PosTown(CounterTown):
    """A counter town whose HIS may take money at `pos-1` (TCP) and `pos-2` (serial)."""

    daemon: Child
    terminals: dict[str, Pos]

    def open(self, numbers: int = 100) -> None:
        """Found it, and start daemon and terminals."""
        daemon = self.furnish(numbers)
        daemon.stop()
        self.fleet.forget(daemon)
        world = self.place / "world"
        self.terminals = {
            "pos-1": Pos(self.fleet, world / "pos-1"),
            "pos-2": SerialPos(self.fleet, world / "pos-2"),
        }
        for id_, pos in self.terminals.items():
            text = DEVICE.format(id=id_, transport=pos.transport)
            (self.place / "devices" / f"{id_}.toml").write_text(text, "utf-8")
            pos.start("card_s=0.2")
        text = self.config.read_text("utf-8")
        self.config.write_text(text.replace('"print", "query"]', '"print", "query", "pay"]'))
        self.daemon = self.start_daemon()

    def again(self) -> None:
        """Kill the daemon without a word, and start it."""
        self.daemon.kill()
        self.fleet.forget(self.daemon)
        self.daemon = self.start_daemon()

    def pay(self, key: str, amount: str, terminal: str = "pos-1", **more: Any) -> dict[str, Any]:
        """Pay for the event of the same key."""
        with enter(self) as client:
            told = client.call("payment.pay", unit=self.unit, key=key, terminal=terminal,
                               amount=amount, **{"receipt_key": key, **more})  # fmt: skip
        return dict(told["payment"])

    def state(self, key: str) -> str:
        """Return the state of a payment."""
        with enter(self) as client:
            return str(client.call("payment.get", unit=self.unit, key=key)["payment"]["state"])

    def wrong(self) -> list[Violation]:
        """Return every violation of I11."""
        money = [pos.ledger for pos in self.terminals.values() if pos.ledger.exists()]
        found = check_all(self.place, None, None, None, quiescent=False, money=money)
        return [violation for violation in found if violation.invariant == "I11"]
