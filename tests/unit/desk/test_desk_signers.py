"""The keys of a site at the desk: what is shown, what a reset does, what the doctor says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fep.domain.faults import Refused
from fep.domain.kind import KeyPlace
from fep.services.desk_checks import State
from fep.services.desk_signers import checks_of
from fep.services.signing import SignerFiles, UnitSigner
from fep.services.signing_bench import Bench
from fep.sim import sm
from tests.unit.desk.desk_site import UNIT, DeskSite
from tests.unit.services.counter import Notes

PLACES = (
    KeyPlace("skf", cert="keys/unit.crt", passphrase="file:pin", library="libskf.so"),
    KeyPlace("file", "keys/unit.key", "keys/unit.crt"),
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Any]:
    """A site with a UKEY, and a key file that stands by; neither process runs."""
    built = DeskSite(tmp_path / "site")
    sm.create_identity(built.root / "keys/unit.key", built.root / "keys/unit.crt", "unit", 77)
    (built.root / "pin").write_text("12345678\n")
    unit = built.settings.units[UNIT]
    built.settings.units = {UNIT: replace(unit, signers=PLACES)}
    built.clock.wall_ms += 86_400_000  # the certificate has just been made
    bench = Bench(built.room.clock, Notes())
    key, cert, mark = (built.root / name for name in ("keys/unit.key", "keys/unit.crt", "mark"))
    main = UnitSigner(None, SignerFiles(UNIT, key, cert, "old", "main", {}, mark), Notes())
    standby = UnitSigner(None, SignerFiles(UNIT, key, cert, "", "standby"), Notes())
    bench.add(UNIT, (main, standby))
    built.with_services(bench=bench, signers=bench.active)
    yield SimpleNamespace(desk=built, bench=bench, main=main, standby=standby, mark=mark)
    built.close()


def test_keys_shows_each_key_with_its_certificate_and_which_one_signs(site: Any):
    site.main.state, site.main.fault = "removed", "SIG_REMOVED"
    site.standby.state = "ready"
    site.main.on_change()

    rows = site.desk.ask("keys.list")["keys"]

    assert [("main", "skf", "removed", False), ("standby", "file", "ready", True)] == [
        (row["role"], row["kind"], row["state"], row["signs"]) for row in rows[:2]
    ]
    assert ("SIG_REMOVED", "4d") == (rows[0]["fault"], rows[0]["serial"])
    assert "UKEY" in rows[0]["zh"]
    assert "12345678" not in str(rows)


def test_keys_of_a_stopped_site_are_shown_from_their_certificates(site: Any):
    site.desk.with_services(bench=None, store=None, signers={}, data=site.desk.root)

    rows = site.desk.ask("keys.list")["keys"]

    assert ["stopped", "stopped", ""] == [row["state"] for row in rows]
    assert ["4d"] * 3 == [row["serial"] for row in rows]


def test_reset_reads_the_pin_again_forgets_the_refusal_and_is_journalled(site: Any):
    site.mark.write_text("refused")
    site.main.state, site.main.fault, site.main.left = "failed", "SIG_PIN_WRONG", 3

    site.desk.ask("keys.reset", unit=UNIT, reason="new pin")

    assert not site.mark.exists()
    assert "12345678" == site.main.files.passphrase
    assert "key.reset" in site.desk.journal()


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"unit": UNIT, "reason": " "}, "CTL_REASON"), ({"unit": "X", "reason": "r"}, "SIG_UNKNOWN"),
     ({"unit": UNIT, "role": "third", "reason": "r"}, "SIG_UNKNOWN")],
)  # fmt: skip
def test_a_reset_of_nothing_is_refused(site: Any, asked: dict[str, str], code: str):
    with pytest.raises(Refused) as refused:
        site.desk.ask("keys.reset", **asked)

    assert code == refused.value.code


def test_a_reset_without_a_readable_pin_changes_nothing(site: Any):
    (site.desk.root / "pin").unlink()
    site.mark.write_text("refused")

    with pytest.raises(Refused) as refused:
        site.desk.ask("keys.reset", unit=UNIT, reason="new pin")

    assert "SIG_KEY" == refused.value.code
    assert site.mark.exists()


def test_the_doctor_fails_for_the_one_that_signs_and_warns_of_the_one_that_stands_by(site: Any):
    def states() -> list[State]:
        return [check.state for check in checks_of(site.desk.context)]

    site.main.state = site.standby.state = "ready"
    well = states()
    site.standby.state = "failed"
    one = states()
    site.main.state, site.main.fault, site.main.left = "failed", "SIG_PIN_WRONG", 3
    checks = checks_of(site.desk.context)

    assert [State.OK, State.OK] == well
    assert [State.OK, State.WARN] == one
    assert [State.FAIL, State.WARN] == [check.state for check in checks]
    assert "剩余 3 次" in checks[0].zh
    assert "fepctl keys" == checks[0].next
