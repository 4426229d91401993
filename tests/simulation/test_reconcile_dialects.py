"""Reconciliation where the province speaks its own dialect behind a relay and has no lists."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness.books import ask
from tests.harness.far_side import FarSide
from tests.harness.processes import Fleet, run, wait_until
from tests.harness.town import program

RECEIPTS = 8


def _told(town: FarSide, *words: str) -> dict[str, Any]:
    """Return the JSON of a verb that may leave with 1."""
    done = subprocess.run(
        [program("fepctl"), "-c", str(town.config), *words, "--json"],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _plant(town: FarSide, what: str, name: str, *more: str) -> None:
    run([program("fepsim"), "province", "plant", "--state", str(town.province_state), what, name,
         *more])  # fmt: skip


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("dialect", "relayed"), [("finance_rest", True), ("cnnontax", True), ("finance_rest", False)]
)
def test_receipts_asked_for_one_by_one_show_what_is_lost_wrong_and_invented(
    tmp_path: Path, dialect: str, relayed: bool
):
    with Fleet(tmp_path / "logs") as fleet:
        town = FarSide(tmp_path / "site", fleet, dialect=dialect)
        town.found()
        children = [town.start_province()]
        if relayed:
            children += [town.start_gate(), town.start_relay()]
        else:
            town.go_direct()
            kind = town.place / "kinds" / f"{town.kind}.toml"
            text = kind.read_text("utf-8")
            kind.write_text(text.replace('numbering = "platform"', 'numbering = "block"'), "utf-8")
        children.append(town.start_daemon())
        town.import_numbers(RECEIPTS + 5)
        town.load("--count", str(RECEIPTS))
        wait_until(town.drained, "delivered", timeout_s=60, children=children)
        rows = ask(town.store, "SELECT code || '-' || number, issued_on FROM receipt ORDER BY id")
        names, day = [str(row[0]) for row in rows], str(rows[0][1])
        clean = _told(town, "reconcile", "run", day)
        strange = f"{town.code}-{int(names[-1][-10:]) + 1:010d}"
        _plant(town, "lose", names[0])
        _plant(town, "amount", names[1], "--fen", "1")
        _plant(town, "invent", strange)

        found = _told(town, "reconcile", "run", day)

    assert ("done", []) == (clean["run"]["state"], clean["differences"]), clean["run"]
    assert {("only_here", names[0]), ("amount", names[1]), ("only_there", strange)} == {
        (row["gap"], row["name"]) for row in found["differences"]
    }
