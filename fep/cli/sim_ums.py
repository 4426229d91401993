"""`fepsim ums`: a terminal behind a POS library; builds the library, keeps the money's ledger.

One JSON line on standard output says where the library is; the money is in STATE/ledger.jsonl.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from fep.cli.sim_loop import add_ctl, say, serve
from fep.sim.ums.machine import Knobs


@click.group("ums", invoke_without_command=True)
@click.option("--state", type=click.Path(path_type=Path), help="Directory of library and ledger.")
@click.option("--set", "turned", multiple=True, metavar="KNOB=VALUE",
              help=f"One of {', '.join(field.name for field in fields(Knobs))}.")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, state: Path | None, turned: tuple[str, ...]) -> None:
    """银联商务 POS 控件模拟器（bankall），自带资金账 / simulate a POS library with a ledger."""
    if ctx.invoked_subcommand is not None:
        return
    if state is None:
        raise click.UsageError("--state DIR is needed")
    from twisted.internet import reactor as running

    from fep.env import RealClock
    from fep.sim import control
    from fep.sim.ums.machine import Machine
    from fep.sim.ums.server import build, listen

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
    state = state.resolve()
    machine = Machine(state / "ledger.jsonl", lambda: RealClock().wall().astimezone(), knobs)
    place, where = state / "ums.sock", str(state / "control.sock")
    library = build(state, place)
    ends: list[Any] = []

    async def start() -> None:
        control.listen(reactor, machine.obey, where)
        ends.append(listen(reactor, machine, place))
        say(listening=str(place), library=str(library or ""), control=where)

    async def stop() -> None:
        for end in ends:
            await end()

    serve(reactor, start, stop)


ctl = add_ctl(command, "对运行中的终端下指令 / give an order: set KNOB=VALUE, state.")
