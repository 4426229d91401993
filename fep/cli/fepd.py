"""fepd: the daemon's command. `fepd run -c fep.toml` is all that systemd needs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from fep.cli.common import steady
from fep.cli.common_lang import LANG, choose
from fep.cli.common_verbs import Verbs


@click.group("fepd", cls=Verbs, zh="财政电子票据前置机", en="the fiscal e-receipt front-end")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False,
              callback=lambda ctx, _param, asked: _version(ctx) if asked else None)  # fmt: skip
def cli() -> None:
    """Group the verbs."""


def _version(ctx: click.Context) -> None:
    from fep.cli.common_reach import version

    click.echo(f"fepd {version()}")
    ctx.exit()


@cli.command("run", zh="运行前置机，直到收到 SIGTERM", en="run the front-end until SIGTERM")
def run() -> None:
    """Run the daemon in this process."""
    from fep.cli.common import CliFault, refuse_with
    from fep.cli.common_reach import find_config
    from fep.env import rest_collector

    try:
        path: Path = find_config()
    except CliFault as fault:
        refuse_with(fault)
    rest_collector()
    from fep.services.run import run as run_node

    sys.exit(run_node(path))


@cli.group("relay", cls=Verbs, invoke_without_command=True,
           zh="网闸外侧的中继：取批次、报平台、回结果",
           en="the far side of the gate: takes batches, talks to the platform")  # fmt: skip
@click.pass_context
def relay(ctx: click.Context) -> None:
    """Run the relay, or one of its verbs."""
    if ctx.invoked_subcommand is None:
        from fep.cli.fepd_relay import run_it

        run_it()


@relay.command("init", zh="生成中继的密钥与证书", en="make the relay's key and certificate")
def relay_init() -> None:
    """Make key and certificate."""
    from fep.cli.fepd_relay import init

    init()


@relay.command("status", zh="中继的状态：平台、节点、待报、存疑",
               en="destinations, nodes, what is open and in doubt")  # fmt: skip
def relay_status() -> None:
    """Show the relay."""
    from fep.cli.fepd_relay import status

    status()


def main() -> None:
    """Run the command line."""
    LANG.set(choose(sys.argv[1:], os.environ, sys.stdout.encoding))
    steady()
    cli.main(sys.argv[1:], prog_name="fepd")
