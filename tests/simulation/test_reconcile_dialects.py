"""Reconciliation where the province speaks its own dialect and has no lists, only single receipts.

The five differences are those the dialect can show: what it has no words for (a red receipt in
cnnontax) is no difference but a refusal that the operator sees.
"""

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
BOTH = ("finance_rest", "cnnontax")


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


def _open(town: FarSide, *, relayed: bool) -> None:
    """Set a town going that has numbers, issued receipts, and nothing under way."""
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


@pytest.mark.timeout(150)
@pytest.mark.parametrize("relayed", [True, False], ids=["relay", "direct"])
@pytest.mark.parametrize("dialect", BOTH)
def test_five_planted_differences_are_named_and_repaired_in_each_dialect(
    tmp_path: Path, dialect: str, relayed: bool
):
    with Fleet(tmp_path / "logs") as fleet:
        town = FarSide(tmp_path / "site", fleet, dialect=dialect)
        _open(town, relayed=relayed)
        rows = ask(town.store, "SELECT code || '-' || number, issued_on, amount_fen FROM receipt"
                               " ORDER BY id")  # fmt: skip
        names, day, fen = [str(row[0]) for row in rows], str(rows[0][1]), int(rows[1][2])
        red = _told(town, "receipts", "reverse", names[2], "--reason", "退费")["receipt"]
        red_name = f"{red['code']}-{red['number']}"
        wait_until(town.drained, "the red one answered", timeout_s=60, children=fleet.children)
        refused = ask(town.store, "SELECT op, detail FROM upload WHERE state = 'rejected'")
        strange = f"{red['code']}-{int(red['number']) + 1:010d}"
        _plant(town, "lose", names[0])
        _plant(town, "amount", names[1], "--fen", "1")
        _plant(town, "written_off", names[3])
        _plant(town, "invent", strange)
        if dialect == "finance_rest":
            _plant(town, "lose", red_name)
        else:
            _plant(town, "booked", names[4])

        found = _told(town, "reconcile", "run", day)
        for row in found["differences"]:
            town.fepctl("reconcile", "repair", str(row["id"]), "--reason", "查实")
        wait_until(town.drained, "delivered again", timeout_s=60, children=fleet.children)
        # What only the platform can put right, its operator does.
        _plant(town, "lose", strange)
        _plant(town, "amount", names[1], "--fen", str(fen))
        after = _told(town, "reconcile", "run", day)
        marks = ask(town.store, "SELECT name, value FROM mark ORDER BY name")

    expected = {
        ("only_here", names[0]): "resend", ("amount", names[1]): "decide",
        ("state", names[3]): "mark", ("only_there", strange): "report",
    }  # fmt: skip
    if dialect == "finance_rest":
        expected |= {("only_here", red_name): "resend", ("state", names[2]): "resend_red"}
    else:
        expected |= {("state", names[4]): "mark"}
        assert [("RED", True)] == [(op, "cnnontax has no RED" in text) for op, text in refused]
    assert expected == {(row["gap"], row["name"]): row["repair"] for row in found["differences"]}
    assert ("done", []) == (after["run"]["state"], after["differences"]), after["run"]
    assert ("write_off", "done") in [tuple(row) for row in marks]
