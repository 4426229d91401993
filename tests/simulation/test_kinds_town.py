"""Every kind of receipt lives its life in a town of real processes, and all books agree."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.harness.books import read
from tests.harness.checkers import check_all
from tests.harness.processes import Fleet, run, wait_until
from tests.harness.town import Town, program

RECEIPTS = 80


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_all_kinds_are_issued_reversed_and_exchanged_and_the_books_agree_to_the_fen(
    tmp_path: Path,
):
    with Fleet(tmp_path / "world" / "logs") as fleet:
        town = Town(tmp_path, fleet)
        town.found()
        town.start_province()
        town.start_gate()
        town.start_printer()
        daemon = town.start_daemon()
        kinds = _grant_all(town)
        wait_until(
            lambda: town.count("SELECT count(*) FROM number_block") == len(kinds),
            "every kind has numbers", timeout_s=60, children=[daemon],
        )  # fmt: skip
        town.fepctl(
            "numbers", "import", "--sheet", "--unit", town.unit, "--point", town.point,
            "--code", "042126", "--first", "00000001", "--last", "00000100",
            "--approval", "1", "--reason", "test",
        )  # fmt: skip

        told = town.load("--kinds", "all", "--count", str(RECEIPTS))
        wait_until(town.drained, "all is delivered", timeout_s=60, children=[daemon])
        audit = [town.fepctl("numbers", "audit"), town.fepctl("journal", "verify")]
        fleet.stop_all()

    report = town.report()
    assert (RECEIPTS, 8, 8) == (told["acked"], told["reversed"], told["exchanged"])
    assert [] == check_all(town.place, town.ledger, report, town.paper)
    assert _money(town) == {row["kind"]: row["money_fen"] for row in report["kinds"]}
    assert sorted(kinds) == sorted(row["kind"] for row in report["kinds"])
    assert all("OK" in text for text in audit)


def _grant_all(town: Town) -> list[str]:
    kinds = sorted((town.place / "kinds").glob("*.toml"))
    for kind in kinds:
        template = tomllib.loads(kind.read_text("utf-8"))["code_template"]
        code = template.format(area2=town.code[:2], yy=town.code[-2:])
        run(
            [
                program("fepsim"), "province", "grant", "--state", str(town.province_state),
                "--unit", town.unit, "--code", code, "--count", "100",
            ]
        )  # fmt: skip
    return [kind.stem for kind in kinds]


def _money(town: Town) -> dict[str, int]:
    money: Counter[str] = Counter()
    for row in read(town.store)["receipt"]:
        money[row.kind] += row.amount_fen
    return dict(money)
