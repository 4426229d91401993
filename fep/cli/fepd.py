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

    try:
        path: Path = find_config()
    except CliFault as fault:
        refuse_with(fault)
    from fep.services.run import run as run_node

    sys.exit(run_node(path))


def main() -> None:
    """Run the command line."""
    LANG.set(choose(sys.argv[1:], os.environ, sys.stdout.encoding))
    steady()
    cli.main(sys.argv[1:], prog_name="fepd")
