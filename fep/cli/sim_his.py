"""fepsim his: a hospital's business system that keeps its own ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from fep.sim import his_events
from fep.sim.his_content import Call
from fep.sim.his_dialect import PATHS, Saying
from fep.sim.his_kinds import kinds_of
from fep.sim.his_life import run_life
from fep.sim.his_line import Lost
from fep.sim.his_load import METHODS, Denied, Plan, run_load
from fep.sim.his_medical import STYLES, Broken, address, ask_once

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """模拟业务系统。The hospital's business system."""


@command.command()
@click.option(
    "--connect",
    "connect_to",
    required=True,
    help="tcp:HOST:PORT or unix:PATH; http://HOST:PORT with --dialect",
)
@click.option(
    "--dialect",
    type=click.Choice(list(PATHS)),
    default=None,
    help="speak it instead of the socket API",
)
@click.option("--region", default="420100", show_default=True, help="standard-web only")
@click.option("--deptcode", default="001", show_default=True, help="standard-web only")
@click.option("--close", is_flag=True, help="a new HTTP connection for every call")
@click.option(
    "--style",
    type=click.Choice(STYLES),
    default="plain",
    show_default=True,
    help="how the HTTP client writes its request",
)
@click.option("--appid", default="his", show_default=True)
@click.option("--key-file", type=FILE, default=None, help="not needed over unix:")
@click.option("--count", type=click.IntRange(min=1), default=None)
@click.option("--seconds", type=float, default=None, help="instead of --count")
@click.option("--concurrency", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--rate", type=float, default=0.0, help="calls a second, 0: as fast as answered")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--start", type=int, default=0, help="number of the first call of this seed")
@click.option("--ledger", type=click.Path(path_type=Path), default=None)
@click.option("--phase", default="")
@click.option("--events", type=FILE, default=None, help="medical-web or receipt.issue JSON")
@click.option("--unit", default="")
@click.option("--point", default="001", show_default=True)
@click.option("--kind", default="outpatient", show_default=True)
@click.option(
    "--kinds",
    default="",
    help="all, or a list with commas: these kinds in turn;"
    " then one of ten is reversed, one exchanged for paper, some printed again",
)
@click.option("--print", "wants_print", is_flag=True)
@click.option("--mode", type=click.Choice(list(METHODS)), default="issue", show_default=True)
@click.option("--retry", is_flag=True, help="repeat unanswered calls with the same key")
@click.option("--give-up", type=float, default=120.0, show_default=True, help="seconds")
@click.option("--timeout", type=float, default=30.0, show_default=True, help="seconds")
@click.option("--json", "as_json", is_flag=True)
def run(
    connect_to: str,
    dialect: str | None,
    region: str,
    deptcode: str,
    close: bool,
    style: str,
    appid: str,
    key_file: Path | None,
    count: int | None,
    seconds: float | None,
    concurrency: int,
    rate: float,
    seed: int,
    start: int,
    ledger: Path | None,
    phase: str,
    events: Path | None,
    unit: str,
    point: str,
    kind: str,
    kinds: str,
    wants_print: bool,
    mode: str,
    retry: bool,
    give_up: float,
    timeout: float,
    as_json: bool,
) -> None:
    """Make calls and write down every answer. Exit code 1 when a call was refused or lost."""
    calls: tuple[Call, ...] = ()
    if events is not None:
        calls = _calls(events, unit=unit, point=point, kind=kind, wants_print=wants_print)
    elif count is None and seconds is None:
        raise click.UsageError("give --count, --seconds or --events")
    plan = Plan(
        unit, point, kind, mode, phase, rate, retry, give_up, timeout, wants_print, start, calls,
        _kinds(kinds, ledger), _saying(dialect, region, deptcode, connect_to, kinds, mode),
        not close, style,
    )  # fmt: skip
    key = key_file.read_bytes().strip() if key_file else b""
    try:
        report = run_load(
            connect_to, appid, key, count=count, seconds=seconds, concurrency=concurrency,
            seed=seed, ledger=ledger, plan=plan,
        )  # fmt: skip
    except Denied as error:
        raise click.ClickException(f"登录被拒 login denied: {error}") from error
    summary = report.summary()
    if plan.kinds and ledger is not None:
        later = run_life(connect_to, appid, key, ledger=ledger, phase=phase, point=point)
        summary |= later["done"]
        report.refused.update(later["refused"])
        summary["refused"] = dict(report.refused)
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False))
    else:
        click.echo("  ".join(f"{name} {value}" for name, value in summary.items()))
    if report.refused or report.unanswered:
        raise SystemExit(1)


def _calls(events: Path, **place: Any) -> tuple[Call, ...]:
    try:
        return tuple(his_events.load(events.read_text(), **place))
    except (ValueError, KeyError) as error:
        raise click.ClickException(f"{events}: {error!r}") from error


@command.command()
@click.argument("method")
@click.argument("fields", default="{}")
@click.option("--connect", "connect_to", required=True, help="http://HOST:PORT")
@click.option("--dialect", type=click.Choice(list(PATHS)), default="medical-web", show_default=True)
@click.option("--region", default="420100", show_default=True, help="standard-web only")
@click.option("--deptcode", default="001", show_default=True, help="standard-web only")
@click.option("--appid", default="his", show_default=True)
@click.option("--key-file", type=FILE, required=True)
def ask(connect_to: str, dialect: str, region: str, deptcode: str, appid: str, key_file: Path,
        method: str, fields: str) -> None:  # fmt: skip
    """Call METHOD of a dialect with FIELDS (JSON); exit code 1 unless it answers S0000."""
    saying = _saying(dialect, region, deptcode, connect_to, "", "issue")
    assert saying is not None
    try:
        key = key_file.read_bytes().strip()
        asked = json.loads(fields)
        result, told = ask_once(connect_to, appid, key, saying, method, asked)
    except (ValueError, Lost, Broken, TimeoutError) as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error
    click.echo(json.dumps({"result": result, "message": told}, ensure_ascii=False))
    if result != "S0000":
        raise SystemExit(1)


def _saying(dialect: str | None, region: str, deptcode: str, where: str, kinds: str,
            mode: str) -> Saying | None:  # fmt: skip
    if dialect is None:
        return None
    if kinds or mode != "issue":
        raise click.UsageError("--kinds and --mode are of the socket API, not of a dialect")
    try:
        address(where)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    outer = {"region": region, "deptcode": deptcode} if dialect == "standard-web" else {}
    return Saying(dialect, outer)


def _kinds(said: str, ledger: Path | None) -> tuple[str, ...]:
    if said and ledger is None:
        raise click.UsageError("--kinds needs --ledger: what is reversed is read from it")
    try:
        return kinds_of(said) if said else ()
    except ValueError as error:
        raise click.UsageError(str(error)) from error
