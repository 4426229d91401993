"""`fepsim form-printer`: the form printer (套打) as a process, and `ctl` to make it fail."""

from __future__ import annotations

from pathlib import Path

import click

from fep.cli.sim_loop import add_ctl, claim, say, serve

_LENGTH_MM = 127.0
_WIDTH_MM = 190.0


@click.group("form-printer", invoke_without_command=True)
@click.option("--port", default=9100, show_default=True, help="0 takes any free port.")
@click.option("--interface", default="127.0.0.1", show_default=True)
@click.option("--paper", type=click.Path(path_type=Path), help="Directory of the sheets.")
@click.option("--form", type=click.Path(path_type=Path, exists=True),
              help="forms/*.toml of the preprinted sheet that is loaded.")  # fmt: skip
@click.option("--make", type=click.Choice(("lq", "dascom", "lq1600k")), default="lq",
              show_default=True)  # fmt: skip
@click.option("--sheet-mm", default=0.0, help="Real length of the sheets; 0: as the form says.")
@click.option("--control", help="Unix socket path or TCP port; default PAPER/control.sock.")
@click.option("--png/--no-png", default=True, help="Draw the sheets; off is faster.")
@click.pass_context
def command(
    ctx: click.Context, /, port: int, interface: str, paper: Path | None, form: Path | None,
    make: str, sheet_mm: float, control: str | None, png: bool,
) -> None:  # fmt: skip
    """ESC/P 套打打印机模拟器 / simulate an ESC/P form printer on TCP."""
    if ctx.invoked_subcommand is not None:
        return
    if paper is None:
        raise click.UsageError("--paper DIR is needed")
    from twisted.internet import reactor

    from fep.sim import control as desk
    from fep.sim.form.picture import Blank, read_blank
    from fep.sim.form.station import Station, Tray

    try:
        blank = read_blank(form) if form else Blank("", _WIDTH_MM, sheet_mm or _LENGTH_MM)
    except (OSError, KeyError, ValueError) as error:
        raise click.ClickException(f"{form}: {error!r}") from error
    lock = claim(paper / ".lock", "another printer prints there")
    station = Station(reactor, Tray(paper, blank, png=png), make, sheet_mm or blank.length)
    where = control or str(paper / "control.sock")

    async def start() -> None:
        desk.listen(reactor, station.obey, where)
        listening = await station.start(port, interface)
        say(listening=f"{interface}:{listening}", port=listening, control=where,
            paper=str(paper), make=make)  # fmt: skip

    with lock:
        serve(reactor, start, station.stop)


ctl = add_ctl(
    command, "对运行中的打印机下指令 / give an order: hang-up-at N, stall, align, state …"
)
