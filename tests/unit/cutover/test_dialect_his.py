"""fepsim his speaks the dialects with its own code, into the same ledger."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness.processes import run
from tests.harness.town import program
from tests.unit.cutover.office import Office


def his(office: Office, *more: str) -> dict[str, Any]:
    """Let the HIS work through the HTTP front; return its closing line."""
    told: dict[str, Any] = json.loads(run([
        program("fepsim"), "his", "run", "--connect", f"http://127.0.0.1:{office.http}",
        "--key-file", str(office.town.place / "keys" / "caller-his.key"),
        "--ledger", str(office.town.ledger), "--unit", office.town.unit,
        "--point", office.town.point, "--kind", "outpatient", "--json", *more,
    ]))  # fmt: skip
    return told


def ledger(office: Office, phase: str) -> list[dict[str, Any]]:
    """Return what the HIS was told in one phase."""
    lines = map(json.loads, office.town.ledger.read_text().splitlines())
    return [entry for entry in lines if entry["phase"] == phase]


@pytest.mark.parametrize("style", ["plain", "apache", "jquery"])
def test_bills_through_medical_web_stand_in_the_ledger(office: Office, style: str):
    seed = str(len(style))
    told = his(office, "--dialect", "medical-web", "--count", "12", "--concurrency", "3",
               "--seed", seed, "--style", style, "--phase", style, "--close")  # fmt: skip

    assert (12, {}, 0) == (told["acked"], told["refused"], told["unanswered"])
    written = ledger(office, style)
    assert 12 == len({entry["number"] for entry in written})


def test_the_same_bill_through_another_door_is_the_same_receipt(office: Office):
    common = ("--count", "5", "--seed", "77")
    his(office, "--dialect", "medical-web", *common, "--phase", "first")
    his(office, "--dialect", "medical-web", *common, "--phase", "again")

    first, again = ledger(office, "first"), ledger(office, "again")
    assert [e["number"] for e in first] == [e["number"] for e in again]
