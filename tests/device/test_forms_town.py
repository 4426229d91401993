"""A daemon, a form printer and a person at the window: three processes, real commands."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from fep.cli import fepctl
from tests.harness.checkers import check_all
from tests.harness.processes import Fleet, free_ports, run, wait_until
from tests.harness.town import READY_S, Town, program

SHEETS = "042126"
DEVICE = """id = "lq-1"
group = "window-1"
driver = "escp"
profile = "lq-generic"
poll_s = 0.5
[transport]
type = "tcp"
host = "127.0.0.1"
port = {port}
[options]
offset_x_mm = 1.0
"""


class FormTown(Town):
    """A site whose window has a form printer."""

    form_port = 0
    daemon: Any = None

    @property
    def sheets(self) -> Path:
        """Where the printed sheets come out."""
        return self.world / "sheets"

    def found(self) -> None:
        """Lay the site out, with numbers and paper a person brought."""
        super().found()
        (self.form_port,) = free_ports(1)
        (self.place / "devices" / "lq-1.toml").write_text(DEVICE.format(port=self.form_port))

    def start_forms(self) -> None:
        """Load the outpatient sheets."""
        form = self.place / "forms" / "outpatient.toml"
        self.fleet.start("forms", [
            program("fepsim"), "form-printer", "--port", str(self.form_port),
            "--paper", str(self.sheets), "--form", str(form), "--no-png",
        ])  # fmt: skip
        wait_until(lambda: (self.sheets / "control.sock").exists(), "the printer is on",
                   timeout_s=READY_S)  # fmt: skip

    def forms(self, *order: str) -> dict[str, Any]:
        """Give the printer an order; return its state."""
        where = str(self.sheets / "control.sock")
        told: dict[str, Any] = json.loads(
            run([program("fepsim"), "form-printer", "ctl", "--control", where, *order])
        )
        return told

    def said(self, *words: str) -> str:
        """Run a verb in this process, which costs a tenth; return what it printed."""
        said = io.StringIO()
        with redirect_stdout(said), suppress(SystemExit):
            fepctl.run(["-c", str(self.config), *words, "--json"])
        return said.getvalue()

    def ctl(self, *words: str) -> Any:
        """Return what a verb tells as JSON."""
        return json.loads(self.said(*words))

    def jobs(self) -> list[dict[str, Any]]:
        """Return the form jobs that are open."""
        found: list[dict[str, Any]] = self.ctl("paper", "jobs", "--unit", self.unit)["jobs"]
        return found

    def until(self, state: str) -> None:
        """Wait until the newest open job is in a state."""
        sql = f"SELECT count(*) FROM form_job WHERE state = '{state}'"
        wait_until(lambda: self.count(sql) > 0, f"a form job is {state}", timeout_s=READY_S)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[FormTown]:
    """A town that runs, with one receipt issued."""
    with Fleet(tmp_path / "logs") as fleet:
        town = FormTown(tmp_path / "site", fleet)
        town.found()
        town.start_forms()
        town.daemon = town.start_daemon()
        why = ("--unit", town.unit, "--approval", "批 1", "--reason", "开业")
        town.said("numbers", "import", "--code", town.code, "--first", "0000000001",
                  "--last", "0000000050", *why)  # fmt: skip
        town.said("numbers", "import", "--sheet", "--point", town.point, "--code", SHEETS,
                  "--first", "00000001", "--last", "00000020", *why)  # fmt: skip
        town.load("--count", "2")
        yield town


def test_a_receipt_is_exchanged_printed_spoiled_and_printed_on_the_next_sheet(town: FormTown):
    (newest, *_rest) = town.ctl("receipts", "list")["receipts"]
    names = [f"{newest['code']}-{newest['number']}"]
    place = ("--unit", town.unit, "--point", town.point)
    assert town.ctl("forms", "check")["ok"]

    told = town.ctl("paper", "exchange", names[0], *place, "--print", "--reason", "要纸质")
    job = str(told["job"]["id"])
    assert "FRM_SHEET_MISMATCH" in town.said("paper", "confirm", job, "00000002")
    assert 0 == town.forms("state")["received"]
    # Within the form: 720 bytes before it end an image that an earlier run may have begun.
    town.forms("hang-up-at", "920")
    town.said("paper", "confirm", job, "00000001")
    town.until("uncertain")
    assert "FRM_TWO" in town.said("paper", "spoil", job, "--reason", "断线")
    town.forms("align")
    spoiled = town.ctl("paper", "spoil", job, "--approve", "王", "--approve", "李",
                       "--reason", "断线")  # fmt: skip
    after = str(spoiled["job"]["id"])
    town.said("paper", "confirm", after, "00000002")
    town.until("accepted")
    town.said("paper", "printed", after)

    assert [] == town.jobs()
    wait_until(lambda: len(list(town.sheets.glob("*.json"))) == 2, "two sheets", timeout_s=READY_S)
    torn, whole = (json.loads(path.read_text("utf-8"))["text"]
                   for path in sorted(town.sheets.glob("*.json")))  # fmt: skip
    assert "00000002" in whole
    assert names[0].partition("-")[2] in whole
    assert len(torn) < len(whole)
    state = town.forms("state")
    assert ([], 0, 0.0) == (state["unknown"], state["backward"], state["drift_mm"])
    sheets = town.ctl("paper", "list", "--unit", town.unit)["sheets"]
    assert ["void", "used"] == [row["state"] for row in sheets]
    town.daemon.stop()
    assert [] == check_all(town.place, town.ledger, None, None)
