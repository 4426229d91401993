"""`fepsim printer`: the receipt printer as a process, and `ctl` to make it fail.

Rules: one JSON line on standard output says that it listens; sheets and faults are told on
standard error; SIGTERM tears off the paper that hangs out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fep.cli.sim_loop import add_ctl, claim, say, serve
from fep.sim.printer.knobs import ByteFault, Knobs
from fep.sim.printer.profiles import PROFILES


class _ByteFaultType(click.ParamType[ByteFault]):
    """`rx:drop:120`: direction, kind, number of the byte."""

    name = "DIR:KIND:N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ByteFault:
        """Return the fault or fail with the form that is expected."""
        parts = str(value).split(":")
        known = len(parts) == 3 and parts[0] in ("rx", "tx") and parts[2].isdigit()
        if not known or parts[1] not in ("drop", "duplicate", "corrupt"):
            self.fail("expected rx|tx:drop|duplicate|corrupt:N", param, ctx)
        return ByteFault(parts[0], parts[1], int(parts[2]))


def _options(command: Callable[..., None]) -> Callable[..., None]:
    roll = Knobs()
    for option in reversed((
        click.option("--port", default=9100, show_default=True, help="0 takes any free port."),
        click.option("--interface", default="127.0.0.1", show_default=True),
        click.option("--lpd-port", type=int, default=None,
                     help="Also be a print server (RFC 1179, queue lp); 0 takes any free port."),
        click.option("--paper", type=click.Path(path_type=Path), help="Directory of the sheets."),
        click.option("--profile", type=click.Choice(sorted(PROFILES)), default="epson_full",
                     show_default=True),
        click.option("--control", help="Unix socket path or TCP port; default PAPER/control.sock."),
        click.option("--seed", default=0, help="Of the dice that noise and delays are drawn from."),
        click.option("--png/--no-png", default=True, help="Draw the sheets; off is faster."),
        click.option("--quiet", is_flag=True, help="Tell nothing on standard error."),
        click.option("--speed", "lines_s", default=0.0, help="Lines a second; 0 is at once."),
        click.option("--rows", "paper_rows", default=roll.paper_rows, help="Dot rows on the roll."),
        click.option("--near-end-rows", default=roll.near_end_rows, show_default=True),
        click.option("--second-client", type=click.Choice(("refuse", "reset", "hang")),
                     default="refuse", show_default=True),
        click.option("--latency", "latency_s", default=0.0, help="Seconds before a reply."),
        click.option("--jitter", default=0.0, help="Share of the latency added at random."),
        click.option("--pace", "pace_bytes_s", default=0, help="Bytes a second, as on a cable."),
        click.option("--split", "split_bytes", default=0, help="Most bytes of a reply at once."),
        click.option("--noise", default=0.0, help="Share of reply bytes with a flipped bit."),
        click.option("--byte", "faults", type=_ByteFaultType(), multiple=True,
                     help="A fault of the n-th byte, such as rx:drop:120."),
        click.option("--hang-up-at", default=0, help="Break the connection after N bytes."),
        click.option("--idle-close", "idle_close_s", default=0.0),
        click.option("--reopen", "reopen_s", default=0.0, help="Seconds between two clients."),
        click.option("--boot", "boot_s", default=roll.boot_s, show_default=True),
    )):  # fmt: skip
        command = option(command)
    return command


@click.group("printer", invoke_without_command=True)
@_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    port: int,
    interface: str,
    lpd_port: int | None,
    paper: Path | None,
    profile: str,
    control: str | None,
    seed: int,
    png: bool,
    quiet: bool,
    **knobs: Any,
) -> None:
    """ESC/POS 小票打印机模拟器 / simulate an ESC/POS receipt printer on TCP."""
    if ctx.invoked_subcommand is not None:
        return
    if paper is None:
        raise click.UsageError("--paper DIR is needed")
    from twisted.internet import reactor

    from fep.sim.printer import build
    from fep.sim.printer import control as desk
    from fep.sim.printer.glyphs import FontMissing
    from fep.sim.printer.spooler import Spooler

    # Two printers on one directory would give one sheet number twice.
    lock = claim(paper / ".lock", "another printer prints there")
    settings = Knobs(**{**knobs, "faults": list(knobs["faults"])})
    try:
        station = build.make_station(
            reactor, paper, profile=profile, knobs=settings, seed=seed, png=png,
            tell=None if quiet else _tell,
        )  # fmt: skip
    except FontMissing as error:
        raise click.ClickException(str(error)) from error
    where = control or str(paper / "control.sock")
    spooler = Spooler(reactor, station.printer) if lpd_port is not None else None

    async def start() -> None:
        desk.listen(reactor, station, where)
        listening = await station.start(port, interface)
        lpd = await spooler.start(lpd_port or 0, interface) if spooler is not None else 0
        say(listening=f"{interface}:{listening}", port=listening, control=where,
            paper=str(paper), profile=profile, lpd_port=lpd)  # fmt: skip

    async def stop() -> None:
        if spooler is not None:
            await spooler.stop()
        await station.stop()

    with lock:
        serve(reactor, start, stop)


def _tell(event: str, facts: dict[str, object]) -> None:
    """Tell a person at the terminal what happens to the paper; the bytes are in the journal."""
    if event in ("received", "sent", "connected", "disconnected", "listening"):
        return
    shown = " ".join(f"{key}={value}" for key, value in facts.items())
    click.echo(f"{event} {shown}".rstrip(), err=True)


ctl = add_ctl(
    command, "对运行中的打印机下指令 / give an order: cover open, paper end, restart, state …"
)
