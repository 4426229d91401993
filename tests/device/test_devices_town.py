"""Devices as a technician meets them: real daemon, real printers, the commands of the manual."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from fep.cli import fepctl
from tests.harness.processes import Fleet, free_ports, listens, wait_until
from tests.harness.town import Town, program

WHY = ("--reason", "换机")


class Workshop:
    """A town with two printers, and the technician's hands."""

    def __init__(self, town: Town) -> None:
        self.town = town
        (self.second,) = free_ports(1)
        self.paper = town.world / "paper-2"

    def said(self, *words: str) -> str:
        """Run a verb in this process, which costs a tenth; return what it printed."""
        said = io.StringIO()
        with redirect_stdout(said), suppress(SystemExit):
            fepctl.run(["-c", str(self.town.config), *words, "--json"])
        return said.getvalue()

    def ctl(self, *words: str) -> Any:
        """Run a verb; return its JSON."""
        return json.loads(self.said(*words))

    def checked(self, device: str) -> Any:
        """Check a device from a process of its own, as is done while the daemon is stopped."""
        return json.loads(self.town.fepctl("devices", "check", device, "--json"))["check"]

    def row(self, device: str) -> dict[str, Any]:
        """Return a device of the list."""
        rows = self.ctl("devices", "list")["devices"]
        return next(row for row in rows if row["id"] == device)

    def until(self, device: str, state: str) -> None:
        """Wait for a state, bounded."""
        wait_until(lambda: self.row(device)["state"] == state, f"{device} {state}", timeout_s=20)

    def start_second(self) -> None:
        """Switch the second printer on."""
        child = self.town.fleet.start(
            "printer-2",
            [program("fepsim"), "printer", "--port", str(self.second), "--paper", str(self.paper),
             "--no-png", "--quiet", "--profile", "clone_no_procid"],
        )  # fmt: skip
        wait_until(lambda: listens(self.second), "it listens", timeout_s=20, children=[child])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """A site that never ran, with both printers on."""
    with Fleet(tmp_path / "world" / "logs") as fleet:
        town = Town(tmp_path, fleet)
        town.found()
        town.start_printer("--no-png", "--quiet")
        shop = Workshop(town)
        shop.start_second()
        yield shop


def test_a_printer_comes_into_use_is_held_and_stays_off_over_a_restart(shop: Workshop) -> None:
    town = shop.town
    first = shop.checked("window-1")  # nothing ever ran here
    daemon = town.start_daemon()
    found = shop.ctl("devices", "discover", "127.0.0.1", "--ask", "--port", str(shop.second))
    address = found["found"][-1]["address"]
    shop.ctl("devices", "add", "w2", "--group", "w2", "--address", address, *WHY)
    checked = shop.ctl("devices", "check", "w2")["check"]
    tested = shop.ctl("devices", "test", "w2", *WHY)["result"]
    shop.ctl("printers", "assign", town.point, "w2", *WHY)
    nowhere = shop.ctl("printers", "assign", town.point, "w9", *WHY)["error"]["fault"]

    shop.ctl("devices", "claim", "window-1", "--owner", "kiosk-3", *WHY)
    shop.ctl("devices", "disable", "w2", *WHY)
    assert 0 == daemon.stop()
    town.fleet.forget(daemon)
    stopped = shop.checked("window-1")
    town.start_daemon()
    shop.until("window-1", "claimed")
    off = shop.row("w2")
    shop.ctl("devices", "enable", "w2", *WHY)
    shop.until("w2", "ready")

    assert [True, True, True] == [first["ok"], checked["ok"], stopped["ok"]]
    assert (("Gprinter GP-C80250I", "gprinter-80"), f"tcp:127.0.0.1:{shop.second}") == (
        (found["found"][-1]["about"], found["found"][-1]["profile"]), address
    )  # fmt: skip
    assert ("printed", "fence") == (tested["outcome"], tested["detail"])
    assert "DEV_FILE" == nowhere
    assert ("disabled", "GP-C80250I SIM0000002") == (off["state"], off["identity"])
    assert "kiosk-3" == shop.row("window-1")["owner"]
    unit = next((town.place / "units").glob("*.toml")).read_text("utf-8")
    assert 'group = "w2"' in unit
    watched = shop.said("devices", "watch", "w2", "--seconds", "0.1")
    assert "ready" == json.loads(watched.splitlines()[0])["state"]
    assert shop.ctl("journal", "verify")
