"""fepsim gate: moves files between two sides, as badly as it is told to."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fep.cli.sim_loop import Loop
from fep.env import RealClock
from fep.sim import gate

DIRECTORY = click.Path(file_okay=False, path_type=Path)
STATE = click.option("--state", type=DIRECTORY, required=True)
PROBABILITY = click.FloatRange(0, 1)


@click.group(invoke_without_command=True)
@click.option("--state", type=DIRECTORY)
@click.option("--a-out", type=DIRECTORY, help="what the hospital side sends")
@click.option("--b-in", type=DIRECTORY, help="where the platform side finds it")
@click.option("--b-out", type=DIRECTORY, help="what the platform side sends")
@click.option("--a-in", type=DIRECTORY, help="where the hospital side finds it")
@click.option("--delay-ms", type=int, nargs=2, default=(0, 0), show_default=True)
@click.option("--duplicate", type=PROBABILITY, default=0.0)
@click.option("--reorder", is_flag=True)
@click.option("--half-visible", type=PROBABILITY, default=0.0)
@click.option("--half-ms", type=int, default=300, show_default=True)
@click.option("--drop", type=PROBABILITY, default=0.0)
@click.option("--rename-on-clash", is_flag=True)
@click.option("--poll", type=float, default=0.1, show_default=True, help="seconds")
@click.option("--seed", type=int, default=0, show_default=True)
@click.pass_context
def command(
    context: click.Context,
    state: Path | None,
    a_out: Path | None,
    b_in: Path | None,
    b_out: Path | None,
    a_in: Path | None,
    delay_ms: tuple[int, int],
    duplicate: float,
    reorder: bool,
    half_visible: float,
    half_ms: int,
    drop: float,
    rename_on_clash: bool,
    poll: float,
    seed: int,
) -> None:
    """模拟网闸。Without a verb: run until SIGTERM."""
    if context.invoked_subcommand is not None:
        return
    if not (state and a_out and b_in and b_out and a_in):
        raise click.UsageError("--state, --a-out, --b-in, --b-out and --a-in are needed to run")
    if delay_ms[0] > delay_ms[1]:
        raise click.UsageError("--delay-ms takes the smaller number first")
    knobs = gate.Knobs(
        delay_ms, duplicate, reorder, half_visible, half_ms, drop, rename_on_clash, seed
    )
    lanes = [gate.Lane("a-to-b", a_out, b_in), gate.Lane("b-to-a", b_out, a_in)]
    with Loop(state / "run.lock") as loop:
        running = gate.Gate(state, lanes, RealClock(), knobs)
        click.echo("gate ready")
        loop.run(running.step, poll)


@command.command()
@STATE
def cut(state: Path) -> None:
    """Cut the link: files wait."""
    gate.cut(state)
    click.echo("cut")


@command.command()
@STATE
def heal(state: Path) -> None:
    """Heal the link."""
    gate.heal(state)
    click.echo("healed")


@command.command()
@STATE
@click.option("--json", "as_json", is_flag=True)
def status(state: Path, as_json: bool) -> None:
    """Show whether the gate is cut, and what it moved."""
    found = gate.status(state)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo("断开 cut" if found["cut"] else "接通 open")
    lanes = found["lanes"]
    assert isinstance(lanes, dict)
    for name, counts in lanes.items():
        click.echo(f"{name}: " + ", ".join(f"{key} {value}" for key, value in counts.items()))
