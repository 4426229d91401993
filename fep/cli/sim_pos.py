"""`fepsim pos`: a MISPOS terminal as a process, on TCP or a serial device, and `ctl` for it.

One JSON line on standard output says where it listens; the money is in STATE/ledger.jsonl.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from fep.cli.sim_loop import add_ctl, say, serve
from fep.sim.pos.knobs import Knobs


@click.group("pos", invoke_without_command=True)
@click.option("--port", default=9300, show_default=True, help="0 takes any free port.")
@click.option("--interface", default="127.0.0.1", show_default=True)
@click.option("--serial", "device", default="", help="A serial device or pty instead of TCP.")
@click.option("--state", type=click.Path(path_type=Path), help="Directory of book and ledger.")
@click.option("--terminal", "number", default="12345678", show_default=True)
@click.option("--set", "turned", multiple=True, metavar="KNOB=VALUE",
              help=f"One of {', '.join(field.name for field in fields(Knobs))}.")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, port: int, interface: str, device: str, state: Path | None,
            number: str, turned: tuple[str, ...]) -> None:  # fmt: skip
    """POS 终端模拟器（MISPOS），自带资金账 / simulate a MISPOS terminal with a money ledger."""
    if ctx.invoked_subcommand is not None:
        return
    if state is None:
        raise click.UsageError("--state DIR is needed")
    from twisted.internet import reactor as running

    from fep.sim.pos import control
    from fep.sim.pos.book import Book
    from fep.sim.pos.host import Host
    from fep.sim.pos.server import Station
    from fep.sim.pos.terminal import Terminal

    # The reactor is a module of functions to the type checker.
    reactor: Any = running
    state.mkdir(parents=True, exist_ok=True)
    knobs = Knobs()
    try:
        for word in turned:
            name, _, value = word.partition("=")
            knobs.turn(name, value)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    terminal = Terminal(
        reactor, Host(state / "ledger.jsonl"), Book.opened(state / "book.json"), knobs, number
    )
    station = Station(reactor, terminal)
    where = str(state / "control.sock")

    async def start() -> None:
        control.listen(reactor, terminal, where)
        if device:
            station.plug(device)
            say(listening=device, port=port, control=where)
        else:
            taken = station.listen(port, interface)
            say(listening=f"{interface}:{taken}", port=taken, control=where)

    serve(reactor, start, station.stop)


ctl = add_ctl(
    command, "对运行中的终端下指令 / give an order: set KNOB=VALUE, power off|on|cycle, state."
)
