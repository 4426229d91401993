"""`fepd relay [init|status]`: the relay's process, its identity, and what it said last."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from fep.cli.common import CliFault, Column, emit, heading, say, table, when
from fep.cli.common_verbs import CONFIG
from fep.settings_relay import RELAY_LOCK, RELAY_NAME, RelaySettings
from fep.store.lock import runs

EX_CONFIG = 78
STATUS_MAX_BYTES = 1 << 20
STATES = {
    "running": ("运行中", "running"), "stopped": ("已停止", "stopped"),
    "dead": ("已中断，未正常停止，请重新启动", "gone without a word, start it again"),
}  # fmt: skip
CHANNELS = {1: ("票据", "receipts"), 2: ("控制", "control"), 3: ("对账", "reconciliation")}


def _config() -> Path:
    """Return relay.toml: -c, $FEP_RELAY_CONFIG, here, /etc/fep. Raises CliFault."""
    told = click.get_current_context().find_root().meta.get(CONFIG)
    named = told or os.environ.get("FEP_RELAY_CONFIG", "")
    places = [Path(named)] if named else [Path(RELAY_NAME), Path("/etc/fep") / RELAY_NAME]
    for place in places:
        found = place / RELAY_NAME if place.is_dir() else place
        if found.is_file():
            return found
    raise CliFault("CTL_NO_CONFIG", f"没有找到 {places[0]}", f"there is no {places[0]}")


def _settings() -> RelaySettings:
    from fep.services.relay_run import read_settings

    found = read_settings(_config())
    if found is None:
        sys.exit(EX_CONFIG)
    return found


def run_it() -> NoReturn:
    """Run the relay until SIGTERM."""
    from fep.env import rest_collector

    rest_collector()
    from fep.services.relay_run import run_relay

    sys.exit(run_relay(_config()))


def init() -> None:
    """Make key and certificate where relay.toml wants them; never in place of others."""
    from fep.env import RealClock, RealEntropy
    from fep.services.relay_identity import Exists, make_identity

    settings = _settings()
    try:
        made = make_identity(settings, RealClock(), RealEntropy())
    except Exists as error:
        raise CliFault("CTL_EXISTS", f"已存在：{error}", f"is there already: {error}") from error
    emit(made, lambda: click.echo(
        say(f"证书 {made['cert']}，SM3 指纹 {made['sm3']}",
            f"certificate {made['cert']}, SM3 {made['sm3']}")
    ))  # fmt: skip


def status() -> None:
    """Show what the relay wrote down last, and whether it runs."""
    settings = _settings()
    path = settings.root / settings.file.relay.data / "status.json"
    try:
        with path.open("rb") as file:
            told: dict[str, Any] = json.loads(file.read(STATUS_MAX_BYTES))
    except (OSError, ValueError) as error:
        raise CliFault("CTL_NO_STATUS", f"没有状态：{path}", f"no status: {path}") from error
    if told["state"] == "running" and not runs(path.with_name(RELAY_LOCK)):
        told["state"] = "dead"
    emit(told, lambda: _show(told))


def _streams(rows: list[dict[str, Any]]) -> str:
    """Return how many records of each channel's newest epoch are answered, of how many opened."""
    newest = {row["channel"]: row for row in sorted(rows, key=lambda row: int(row["epoch"]))}
    return "  ".join(
        f"{say(*CHANNELS[channel])} {row['applied']}/{row['opened']}"
        for channel, row in sorted(newest.items())
    ) or "-"  # fmt: skip


def _show(told: dict[str, Any]) -> None:
    word = say(*STATES.get(told["state"], (told["state"],) * 2))
    heading(say(f"中继  {word}  状态写于 {when(told['at'])}",
                f"relay  {word}  as of {when(told['at'])}"))  # fmt: skip
    table(
        (Column("平台", "destination"), Column("方言", "dialect"),
         Column("未答", "open", right=True),
         Column("在途", "in flight", right=True), Column("存疑", "doubt", right=True),
         Column("故障", "fault")),
        [(one["name"], one["dialect"], str(one["open"]), str(one["in_flight"]),
          str(one["doubt"]), one["fault"] or "-") for one in told["destinations"]],
        empty=say("没有平台", "no destination"),
    )  # fmt: skip
    table(
        (Column("节点", "node"), Column("最后收到", "last heard"),
         Column("已应答/已收", "answered/held"),
         Column("隔离", "set aside", right=True), Column("故障", "fault")),
        [(one["node"], when(one["heard_at"]), _streams(one["streams"]), str(one["quarantined"]),
          one["fault"] or "-") for one in told["nodes"]],
        empty=say("没有节点", "no node"),
    )  # fmt: skip
