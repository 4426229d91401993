"""`fepsim signer`: a UKEY as a process, behind a stub of a vendor's SKF library; `ctl` for it.

One JSON line on standard output says where it listens. The key and certificate are those of
STATE, made there at the first start.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from fep.cli.sim_loop import add_ctl, say, serve
from fep.sim.signer.knobs import Knobs


@click.group("signer", invoke_without_command=True)
@click.option("--library", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The stub library; its socket is LIBRARY.sock.")  # fmt: skip
@click.option("--state", type=click.Path(path_type=Path), help="Directory of key and certificate.")
@click.option("--pin", default="12345678", show_default=True)
@click.option("--unit", default="unit", show_default=True, help="Name in a new certificate.")
@click.option("--set", "turned", multiple=True, metavar="KNOB=VALUE",
              help=f"One of {', '.join(field.name for field in fields(Knobs))}.")  # fmt: skip
@click.pass_context
def command(ctx: click.Context, library: Path | None, state: Path | None, pin: str, unit: str,
            turned: tuple[str, ...]) -> None:  # fmt: skip
    """签名 UKEY 模拟器（GM/T 0016） / simulate a UKEY behind a vendor's SKF library."""
    if ctx.invoked_subcommand is not None:
        return
    if state is None or library is None:
        raise click.UsageError("--state DIR and --library FILE are needed")
    from twisted.internet import reactor as running

    from fep.sim import sm
    from fep.sim.signer import control
    from fep.sim.signer.server import Slot
    from fep.sim.signer.token import Token

    # The reactor is a module of functions to the type checker.
    reactor: Any = running
    state.mkdir(parents=True, exist_ok=True)
    key, certificate = state / "token.key", state / "token.crt"
    if not key.exists():
        sm.create_identity(key, certificate, unit, 1)
    knobs = Knobs()
    try:
        for word in turned:
            name, _, value = word.partition("=")
            knobs.turn(name, value)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    token = Token(
        sm.load_private(key.read_bytes()), sm.load_certificate(certificate.read_bytes()).der,
        pin, knobs=knobs,
    )  # fmt: skip
    slot = Slot(reactor, token)
    where = str(state / "control.sock")

    async def start() -> None:
        control.listen(reactor, token, where)
        say(listening=slot.open(library), control=where, certificate=str(certificate))

    serve(reactor, start, slot.close)


ctl = add_ctl(
    command, "对运行中的 UKEY 下指令 / give an order: set KNOB=VALUE, pull, insert, unlock."
)
