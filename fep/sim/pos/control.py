"""What the operator asks of the terminal over its control socket.

Orders: set KNOB=VALUE …, power off|on|cycle, night (it settles by itself), state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from fep.sim import control
from fep.sim.pos.terminal import Terminal


async def obey(terminal: Terminal, words: Sequence[str]) -> dict[str, object]:
    """Carry an order out and return the state. Raises ValueError for an unknown one."""
    verb, rest = words[0], words[1:]
    if verb == "set" and rest:
        for word in rest:
            name, _, value = word.partition("=")
            terminal.knobs.turn(name, value)
    elif verb == "power" and rest and rest[0] in ("off", "on", "cycle"):
        {"off": terminal.power_off, "on": terminal.power_on, "cycle": terminal.power_cycle}[
            rest[0]
        ]()
    elif verb == "night":
        terminal.night()
    elif verb != "state":
        raise ValueError("orders: set KNOB=VALUE, power off|on|cycle, night, state")
    return {
        "powered": terminal.powered, "signed_in": terminal.signed_in, "busy": terminal.busy,
        "batch": terminal.book.batch, "records": len(terminal.book.entries),
        "ledger": terminal.host.lines[-100:], "knobs": asdict(terminal.knobs),
    }  # fmt: skip


def listen(reactor: Any, terminal: Terminal, where: str) -> Any:
    """Open the control socket at a path or a TCP port. Raises CannotListenError."""
    return control.listen(reactor, partial(obey, terminal), where)
