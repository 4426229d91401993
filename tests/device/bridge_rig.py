"""Both ends of a fep-bridge: the daemon's part in this process, the bridge as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater

from fep.env import RealEntropy
from fep.services.bridges import Bridges
from fep.services.bridges_lender import Bridge
from fep.settings_bridge import BridgePc, BridgeSettings
from fep.settings_http import TlsSettings

BRIDGE_PY = Path(__file__).parents[2] / "fep" / "bridge.py"
KEY = "5a" * 32


class Told:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        """Keep a line."""
        self.lines.append((event, facts))

    warning = error = info


@dataclass
class Rig:
    """One registered bridge, `pc`, and what is needed to run and kill it."""

    reactor: Any
    bridges: Bridges
    root: Path
    port: int
    log: Told
    process: subprocess.Popen[bytes] | None = None
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def bridge(self) -> Bridge:
        """Return the daemon's end."""
        return self.bridges.bridges["pc"]

    def write(self, ports: str, **more: object) -> None:
        """Write bridge.ini."""
        lines = "".join(f"{name} = {value}\n" for name, value in more.items())
        head = (
            f"[bridge]\nid = pc\nserver = 127.0.0.1:{self.port}\nkey_file = pc.key\npace = 0.02\n"
        )
        extend = "" if "extend_port" in more else "extend_port = 0\n"
        (self.root / "bridge.ini").write_text(f"{head}{extend}{lines}\n{ports}", "utf-8")

    def run(self, python: str = sys.executable) -> None:
        """Start the bridge."""
        with (self.root / "bridge.log").open("ab") as log:
            self.process = subprocess.Popen(
                [python, str(BRIDGE_PY), str(self.root / "bridge.ini")],
                stderr=log, env={**os.environ, **self.environ},
            )  # fmt: skip

    def kill(self) -> None:
        """Kill it without a word."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    async def until(self, true: Callable[[], object], seconds: float = 10.0) -> None:
        """Poll; fails with the bridge's log when it does not come true."""
        end = self.reactor.seconds() + seconds
        while not true():
            if self.reactor.seconds() > end:
                log = (self.root / "bridge.log").read_text("utf-8", "replace")
                raise AssertionError(f"not within {seconds} s\n{log[-2000:]}\n{self.log.lines}")
            await deferLater(self.reactor, 0.005)

    async def connected(self) -> None:
        """Wait until it is there."""
        await self.until(lambda: self.bridge.connected)


def make(reactor: Any, root: Path, log: Told, tls: TlsSettings | None = None, **pc: Any) -> Bridges:
    """Return the daemon's end for one bridge."""
    (root / "pc.key").write_text(KEY + "\n", "ascii")
    settings = BridgeSettings(
        listen=(f"{'ssl' if tls else 'tcp'}:0:interface=127.0.0.1",),
        pcs=(BridgePc(id="pc", key_file=Path("pc.key"), **pc),),
    )
    return Bridges(reactor, RealEntropy(), settings, tls or TlsSettings(), root, root, log)


@asynccontextmanager
async def rig(root: Path, **pc: Any) -> AsyncIterator[Rig]:
    """Open the daemon's end; the test writes the settings and starts the bridge."""
    from twisted.internet import reactor

    log = Told()
    bridges = make(reactor, root, log, **pc)
    await bridges.open()
    found = Rig(reactor, bridges, root, bridges.places()[0], log)
    try:
        yield found
    finally:
        if found.process is not None:
            found.process.kill()
            found.process.wait()
        await bridges.close()
