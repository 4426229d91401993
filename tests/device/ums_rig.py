"""A UMS terminal behind a bridge process: real library, simulated terminal, our driver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from drivers.transports.bridge import Options as Lent
from drivers.ums import Options, Ums, load
from fep.domain.payment import Op, Order, Way
from fep.env import RealClock
from fep.sim.ums.machine import Knobs, Machine
from fep.sim.ums.server import build, listen
from fep.testing.cable_tcp import TcpCable
from tests.device.bridge_rig import Rig, rig


@dataclass
class Pos:
    """Bridge, terminal and driver."""

    rig: Rig
    machine: Machine
    driver: Ums
    acks: list[str]
    cable: TcpCable | None = None

    @property
    def knobs(self) -> Knobs:
        """Return what can be turned at the terminal."""
        return self.machine.knobs

    def paid(self) -> list[tuple[str, int]]:
        """Return what moved money, in order."""
        moved = ("pay", "void", "refund")
        return [(row["op"], row["fen"]) for row in self.machine.lines if row["op"] in moved]

    def another(self, **options: Any) -> Ums:
        """Return a driver as after a restart of the daemon."""
        told = {"result_timeout_s": 20.0, **options}
        where = Options(Lent("pc", "pos"), "00000001", "01", **told)
        return Ums(self.rig.reactor, RealClock(), where, load("umspay"))

    async def run(self, asked: Order) -> Any:
        """Prepare and run an order."""
        assert "" == await self.driver.prepare()
        return await self.driver.run(asked, lambda: self.acks.append(asked.serial))


@asynccontextmanager
async def pos(root: Path, *, cabled: bool = False, **options: Any) -> AsyncIterator[Pos]:
    """Build the library, start the bridge, wait until it is there. `cabled`: its connection can
    be cut, both ends staying alive; what the cable counts as sent is what the bridge says."""
    async with rig(root) as found:
        cable = TcpCable(found.reactor, found.port) if cabled else None
        if cable is not None:
            found.port = (await cable.start()).port
        library = build(root, root / "ums.sock")
        assert library is not None
        machine = Machine(root / "ledger.jsonl", datetime.now, Knobs())
        stop = listen(found.reactor, machine, root / "ums.sock")
        found.write(f"[port pos]\nkind = bankall\nlibrary = {library}\n")
        found.run()
        await found.connected()
        made = Pos(found, machine, None, [], cable)  # type: ignore[arg-type]  # set in the next line
        made = replace(made, driver=made.another(**options))
        try:
            yield made
        finally:
            await stop()
            found.kill()
            if cable is not None:
                await cable.stop()


def order(number: int, fen: int = 1234, op: Op = Op.PAY, way: Way = Way.CARD,
          **more: Any) -> Order:  # fmt: skip
    """Return an order."""
    return Order(number, op, way, f"261121120000{number:08d}", fen, "李收费", **more)
