"""Day close and reconciliation in a town of real processes, over a real gate."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.checkers import check_all
from tests.harness.processes import Fleet, run, wait_until
from tests.harness.town import Town, program, set_keys

RECEIPTS = 12


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town whose HIS has issued and whose province has everything."""
    with Fleet(tmp_path / "logs") as fleet:
        town = Town(tmp_path / "site", fleet)
        town.found()
        set_keys(town.config, "link", {"rto_first_s": "2.0"})
        town.start_province()
        town.start_gate()
        town.start_daemon()
        town.grant(100)
        wait_until(town.has_numbers, "numbers", timeout_s=20, children=fleet.children)
        town.load("--count", str(RECEIPTS))
        wait_until(lambda: _delivered(town), "delivered", timeout_s=30, children=fleet.children)
        yield town


def _delivered(town: Town) -> bool:
    return town.count("SELECT count(*) FROM upload WHERE state IN ('due', 'sent')") == 0


def _plant(town: Town, what: str, name: str, *more: str) -> None:
    run([program("fepsim"), "province", "plant", "--state", str(town.province_state), what, name,
         *more])  # fmt: skip


def _told(town: Town, *words: str) -> dict[str, Any]:
    """Return the JSON of a verb that may leave with 1: books that differ are no failure here."""
    done = subprocess.run(
        [program("fepctl"), "-c", str(town.config), *words, "--json"],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _names(town: Town) -> list[str]:
    with sqlite3.connect(f"file:{town.store}?mode=ro", uri=True) as store:
        rows = store.execute("SELECT code || '-' || number FROM receipt ORDER BY id").fetchall()
    return [row[0] for row in rows]


def _today(town: Town) -> str:
    with sqlite3.connect(f"file:{town.store}?mode=ro", uri=True) as store:
        return str(store.execute("SELECT max(issued_on) FROM receipt").fetchone()[0])


@pytest.mark.timeout(120)
def test_five_planted_differences_are_named_and_repaired(town: Town, tmp_path: Path):
    names, day = _names(town), _today(town)
    red = json.loads(town.fepctl("receipts", "reverse", names[0], "--reason", "退费", "--json"))
    red_name = f"{red['receipt']['code']}-{red['receipt']['number']}"
    wait_until(lambda: _delivered(town), "red delivered", timeout_s=30)
    clean = _told(town, "reconcile", "run", day)
    assert ("done", []) == (clean["run"]["state"], clean["differences"])
    strange = f"{town.code}-0000000099"
    _plant(town, "lose", names[1])
    _plant(town, "lose", red_name)
    _plant(town, "amount", names[2], "--fen", "1")
    _plant(town, "written_off", names[3])
    _plant(town, "invent", strange)

    found = _told(town, "reconcile", "run", day)

    rows = {(row["gap"], row["name"]): row for row in found["differences"]}
    assert {
        ("only_here", names[1]): "resend", ("only_here", red_name): "resend",
        ("state", names[0]): "resend_red", ("amount", names[2]): "decide",
        ("state", names[3]): "mark", ("only_there", strange): "report",
    } == {key: row["repair"] for key, row in rows.items()}  # fmt: skip
    for row in found["differences"]:
        town.fepctl("reconcile", "repair", str(row["id"]), "--reason", "查实")
    wait_until(lambda: _delivered(town), "delivered again", timeout_s=30)
    # What only the platform can put right, its operator does.
    _plant(town, "lose", strange)
    _plant(town, "amount", names[2], "--fen", str(_fen(town, names[2])))
    pdf = tmp_path / "reconcile.pdf"
    after = _told(town, "reconcile", "run", day)
    town.fepctl("reconcile", "show", day, "--pdf", str(pdf))

    assert ([], "done") == (after["differences"], after["run"]["state"])
    assert pdf.read_bytes().startswith(b"%PDF")
    life = json.loads(town.fepctl("receipts", "life", names[3], "--json"))["life"]
    assert life["written_off"]
    assert [] == check_all(town.place, town.ledger, town.report(), None)


def _fen(town: Town, name: str) -> int:
    return town.count(f"SELECT amount_fen FROM receipt WHERE code || '-' || number = '{name}'")
