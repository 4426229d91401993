"""fepsim province: the platform that grants numbers and takes receipts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from fep.cli.sim_loop import Loop
from fep.env import RealClock, RealEntropy
from fep.sim import province_desk as desk
from fep.sim import province_life as life
from fep.sim import province_orders as orders
from fep.sim import province_recon as recon
from fep.sim import sm
from fep.sim.ports import wall_ms
from fep.sim.province import Knobs, Province
from fep.sim.province_book import Book
from fep.sim.province_check import Rejected

T = TypeVar("T")

STATE = click.option("--state", type=click.Path(path_type=Path), required=True)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """模拟财政平台。The provincial platform."""


@command.command()
@STATE
@click.option("--id", "party_id", default="province", show_default=True)
def init(state: Path, party_id: str) -> None:
    """Create the platform's key, certificate and books."""
    serial = int.from_bytes(RealEntropy().token(15), "big") | 1 << 112
    click.echo(_said(lambda: desk.initialise(state, party_id, serial)))


@command.command()
@STATE
@click.option("--node-id", required=True)
@click.option("--node-cert", type=FILE, required=True)
@click.option("--unit", required=True)
@click.option("--unit-cert", type=FILE, required=True)
def register(state: Path, node_id: str, node_cert: Path, unit: str, unit_cert: Path) -> None:
    """Bind a node and one of its units to their certificates."""
    book = _book(state)
    fingerprint = _said(
        lambda: desk.register(book, node_id, node_cert.read_bytes(), unit, unit_cert.read_bytes())
    )
    click.echo(f"{node_id} {unit} {fingerprint}")


@command.command()
@STATE
@click.option("--unit", required=True)
@click.option("--code", required=True)
@click.option("--count", type=click.IntRange(min=1), required=True)
@click.option("--first", type=int, default=None, help="default: after the highest granted")
@click.option("--not-after", default=None, help="ISO date-time with offset")
@click.option("--kind", default="", help="what the code is for; serve has no other way to know")
@click.option("--quota-count", type=int, default=None)
@click.option("--quota-amount-fen", type=int, default=None)
@click.option("--quota-hours", type=int, default=None)
@click.option("--quota-single-fen", type=int, default=None)
def grant(
    state: Path,
    unit: str,
    code: str,
    count: int,
    first: int | None,
    not_after: str | None,
    kind: str,
    quota_count: int | None,
    quota_amount_fen: int | None,
    quota_hours: int | None,
    quota_single_fen: int | None,
) -> None:
    """Grant a block of numbers; the running platform sends it."""
    book = _book(state)
    quota = {"amount_fen": quota_amount_fen, "count": quota_count, "hours": quota_hours,
             "single_fen": quota_single_fen}  # fmt: skip
    until = _said(lambda: desk.parse_not_after(not_after)) if not_after else None
    block = _said(
        lambda: desk.grant(
            book, unit, code, count, first=first, not_after=until,
            quota=json.dumps(quota), now_ms=wall_ms(RealClock()),
        )
    )  # fmt: skip
    if kind:
        book.conn.execute("INSERT OR REPLACE INTO kind_of VALUES(?,?)", (code, kind))
    click.echo(f"{unit} {code} {block[0]}-{block[1]}")


@command.command()
@STATE
@click.argument("name", metavar="CODE-NUMBER")
@click.argument("said", type=click.Choice(["booked", "unbooked", "written_off", "told", "untold"]))
@click.option("--evidence", required=True)
def mark(state: Path, name: str, said: str, evidence: str) -> None:
    """Say what became of a receipt: booked, written off, the payer told; it is sent."""
    code, _, number = name.partition("-")
    try:
        click.echo(life.mark(_book(state), code, number, said, evidence, wall_ms(RealClock())))
    except Rejected as refusal:
        raise click.ClickException(str(refusal)) from refusal


@command.command()
@STATE
@click.option("--code", default="", help="of the block; with --first")
@click.option("--first", default="", help="its first number")
@click.option("--unit", default="", help="instead: the certificate of a unit")
@click.option("--reason", required=True)
def revoke(state: Path, code: str, first: str, unit: str, reason: str) -> None:
    """Take back a block, or revoke a unit's certificate; the running platform sends it."""
    book = _book(state)
    try:
        click.echo(orders.revoke_unit(book, unit, reason) if unit
                   else orders.revoke_numbers(book, code, first, reason))  # fmt: skip
    except Rejected as refusal:
        raise click.ClickException(str(refusal)) from refusal


@command.command()
@STATE
@click.argument("what", type=click.Choice(["lose", "invent", "amount", "written_off", "booked"]))
@click.argument("name", metavar="CODE-NUMBER")
@click.option("--fen", type=int, default=100, show_default=True)
def plant(state: Path, what: str, name: str, fen: int) -> None:
    """Make the platform's books differ from what it received, for reconciliation."""
    code, _, number = name.partition("-")
    at = wall_ms(RealClock())
    _said(lambda: recon.plant(_book(state), what, code, number, fen, at))
    click.echo(f"{what} {name}")


@command.command()
@STATE
@click.option("--in", "incoming", type=click.Path(path_type=Path), required=True)
@click.option("--out", "outgoing", type=click.Path(path_type=Path), required=True)
@click.option("--poll", type=float, default=0.2, show_default=True, help="seconds")
@click.option("--heartbeat", type=float, default=5.0, show_default=True, help="seconds")
@click.option("--gap", type=float, default=60.0, show_default=True, help="seconds")
@click.option("--resend", type=float, default=5.0, show_default=True, help="seconds")
@click.option("--part-timeout", type=float, default=900.0, show_default=True, help="seconds")
@click.option("--latency-ms", type=int, default=0, show_default=True)
@click.option("--refuse-rate", type=float, default=0.0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def run(
    state: Path,
    incoming: Path,
    outgoing: Path,
    poll: float,
    heartbeat: float,
    gap: float,
    resend: float,
    part_timeout: float,
    latency_ms: int,
    refuse_rate: float,
    seed: int,
) -> None:
    """Run the platform until SIGTERM."""
    knobs = Knobs(heartbeat, latency_ms / 1000, gap, poll, resend, part_timeout, refuse_rate, seed)
    with Loop(state / "run.lock") as loop:
        province = Province(
            _book(state), incoming, outgoing, RealClock(), RealEntropy().token, knobs
        )
        click.echo(f"province ready {incoming} {outgoing}")
        try:
            loop.run(province.step, poll)
        finally:
            province.close()


@command.command()
@STATE
@click.option("--dialect", type=click.Choice(["finance_rest", "cnnontax"]), required=True)
@click.option("--port", type=int, default=0, show_default=True, help="0 for any")
@click.option("--key", default="demo", show_default=True, help="app key or token")
@click.option("--issue-days", type=int, default=-1, show_default=True,
              help="how old an IssueDate may be; -1 any age")  # fmt: skip
@click.option("--refuse-item", multiple=True, help="item name or code nobody may charge")
@click.option("--clock-off", type=int, default=0, show_default=True, help="seconds")
@click.option("--latency-ms", type=int, default=0, show_default=True)
@click.option("--lost", type=float, default=0.0, show_default=True,
              help="share of calls whose answer never comes, after the effect")  # fmt: skip
@click.option("--dropped", type=float, default=0.0, show_default=True,
              help="share without effect and answer")  # fmt: skip
@click.option("--error500", type=float, default=0.0, show_default=True)
@click.option("--half", type=float, default=0.0, show_default=True)
@click.option("--busy", type=float, default=0.0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def serve(
    state: Path,
    dialect: str,
    port: int,
    key: str,
    issue_days: int,
    refuse_item: tuple[str, ...],
    clock_off: int,
    latency_ms: int,
    lost: float,
    dropped: float,
    error500: float,
    half: float,
    busy: float,
    seed: int,
) -> None:
    """Serve the platform in a province's own dialect until SIGTERM."""
    from fep.cli.sim_province_serve import run_server
    from fep.sim.province_server import Faults
    from fep.sim.province_window import Rules

    rules = Rules(issue_days, refuse_item, clock_off)
    faults = Faults(lost, dropped, error500, half, busy, latency_ms / 1000, seed)
    run_server(_book(state), state, dialect, port, key, rules, faults)


@command.command()
@STATE
@click.option("--json", "as_json", is_flag=True)
def report(state: Path, as_json: bool) -> None:
    """Show the platform's own ledger."""
    found = desk.report(_book(state))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    money = found["money_fen"]
    for block in found["granted"]:
        click.echo(
            f"发放 {block['unit']} {block['code']} {block['first']}-{block['last']}"
            f" 回执 {block['answered'] or '-'}"
        )
    click.echo(
        f"入账 {found['applied']} 张, {money // 100}.{money % 100:02d} 元;"
        f" 重复 {found['duplicate_records']}, 冲突 {found['conflicts']},"
        f" 拒收 {len(found['rejected'])}, 缺号 {len(found['gaps'])},"
        f" 验签失败 {found['bad_signatures']}"
    )
    for row in found["rejected"][:20]:
        click.echo(f"拒收 {row['code']} {row['number']} {row['reason']} {row['detail']}")
    for row in found["channels"]:
        click.echo(
            f"通道 {row['node']} 纪元 {row['epoch']} 批次 {row['batch_seq']}"
            f" 记录 {row['rec_seq']} {row['stopped'] or '正常'}"
        )


def _said(action: Callable[[], T]) -> T:
    try:
        return action()
    except (desk.Refusal, LookupError, sm.CryptoFault) as error:
        raise click.ClickException(str(error)) from error


def _book(state: Path) -> Book:
    if not (state / "province.db").exists():
        raise click.ClickException(f"{state}: run `fepsim province init` first")
    return Book(state)
