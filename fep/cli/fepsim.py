"""fepsim: a whole province, gate, business system and printer on a laptop.

Two rules: one file per simulator, imported only when its verb is used; nothing here knows
what a simulator does.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import click

SIMULATORS = {
    "province": "fep.cli.sim_province",
    "gate": "fep.cli.sim_gate",
    "his": "fep.cli.sim_his",
    "printer": "fep.cli.sim_printer",
    "form-printer": "fep.cli.sim_form_printer",
    "pos": "fep.cli.sim_pos",
    "ums": "fep.cli.sim_ums",
    "signer": "fep.cli.sim_signer",
}


class _Simulators(click.Group):
    """Finds a simulator's `command` in its module at the moment it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the simulators of this installation."""
        return [name for name, module in SIMULATORS.items() if find_spec(module)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one simulator, None for an unknown name."""
        module = SIMULATORS.get(cmd_name)
        if module is None or find_spec(module) is None:
            return None
        command = import_module(module).command
        assert isinstance(command, click.Command)
        return command


@click.command(cls=_Simulators)
def main() -> None:
    """前置服务器的外部世界模拟器。Simulators of everything around the front-end."""


if __name__ == "__main__":
    main()
