"""Day close and reconciliation in a town of real processes, over a real gate."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import zlib
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


@pytest.mark.timeout(120)
def test_what_the_platform_sends_back_reaches_receipts_numbers_and_signers(
    town: Town, tmp_path: Path
):
    name, state = _names(town)[0], str(town.province_state)
    for said in ("told", "booked", "written_off"):
        run([program("fepsim"), "province", "mark", "--state", state, name, said,
             "--evidence", "回执"])  # fmt: skip
    run([program("fepsim"), "province", "revoke", "--state", state, "--code", town.code,
         "--first", "0000000001", "--reason", "收回"])  # fmt: skip
    wait_until(
        lambda: town.count("SELECT count(*) FROM number_block WHERE state = 'returned'") == 1,
        "the block is taken back", timeout_s=30,
    )  # fmt: skip
    life = _told(town, "receipts", "life", name)["life"]
    assert ("delivered", "yes", True, True) == tuple(
        life[part] for part in ("message", "booking", "written_off", "supervised"))  # fmt: skip
    assert "NUM_NONE" in _refused(town)

    town.grant(50)
    wait_until(town.has_numbers, "numbers again", timeout_s=30)
    run([program("fepsim"), "province", "revoke", "--state", state, "--unit", town.unit,
         "--reason", "密钥遗失"])  # fmt: skip
    wait_until(lambda: "SIG_REVOKED" in _refused(town), "nothing is signed", timeout_s=30)

    cashier, today = _cashier(town), _today(town)
    times = ("--from", f"{today} 00:00", "--to", f"{today} 23:59:59")
    shift = _told(town, "day", "shift", cashier, *times)
    pdf = tmp_path / "shift.pdf"
    town.fepctl("day", "shift", cashier, *times, "--pdf", str(pdf))
    assert shift["units"][0]["total"]["blue"] > 0
    assert pdf.read_bytes().startswith(b"%PDF")
    assert {"running": False, "closed": []} == {
        part: _told(town, "day", "close", "--reason", "试结")[part]
        for part in ("running", "closed")
    }  # fmt: skip


@pytest.mark.timeout(120)
def test_a_day_that_passed_while_the_daemon_was_down_is_closed_at_its_start(
    town: Town, tmp_path: Path
):
    daemon = next(child for child in town.fleet.children if child.name == "fepd")
    daemon.stop()
    town.fleet.forget(daemon)
    with sqlite3.connect(town.store) as store:  # nobody can wait for midnight here
        store.execute("UPDATE receipt SET issued_on = date(issued_on, '-1 day')")
    store.close()
    day, pdf = _today(town), tmp_path / "day.pdf"

    town.start_daemon()
    wait_until(lambda: town.count("SELECT count(*) FROM day_close") == 1, "closed", timeout_s=30)

    (unit,) = _told(town, "day", "show", day)["units"]
    town.fepctl("day", "show", day, "--pdf", str(pdf))
    assert (RECEIPTS, 1, []) == (unit["total"]["blue"], unit["days"], unit["missing"])
    assert town.count("SELECT sum(amount_fen) FROM receipt") == unit["total"]["net_fen"]
    assert day in town.fepctl("day", "list")
    assert pdf.read_bytes().startswith(b"%PDF")


def _refused(town: Town) -> str:
    """Let the HIS try one event of its own; return all it was told."""
    attempts = len(list(town.world.glob("try-*")))
    (town.world / f"try-{attempts}").touch()
    done = subprocess.run(
        town.his("--count", "1", "--start", str(1000 + attempts), "--give-up", "1"),
        capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def _cashier(town: Town) -> str:
    with sqlite3.connect(f"file:{town.store}?mode=ro", uri=True) as store:
        body = store.execute("SELECT body FROM event WHERE state = 'issued' LIMIT 1").fetchone()[0]
    return str(json.loads(zlib.decompress(body))["cashier"])
