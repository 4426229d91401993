"""A UKEY pulled out of a daemon that issues: the second signer goes on, and all books agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fep.sim import sm
from fep.sim.control import ask
from tests.device.skf import PIN, library
from tests.harness.books import read
from tests.harness.checkers import check_all
from tests.harness.processes import Child, Fleet, run, wait_until
from tests.harness.town import NODE, Town, program, set_keys

RECEIPTS = 100


class UKeyTown(Town):
    """A town whose unit signs with a UKEY; a key file with a certificate of its own stands by."""

    def furnish(self) -> Child:
        """Write the unit's signers, make both certificates known; return the UKEY's process."""
        self.found()
        slot = self.world / "slot"
        slot.mkdir(parents=True)
        self.control = str(slot / "state" / "control.sock")
        keys = self.place / "keys"
        ukey = self.fleet.start(
            "ukey",
            [program("fepsim"), "signer", "--library", str(library(slot)), "--pin", PIN,
             "--state", str(slot / "state")],
        )  # fmt: skip
        wait_until(Path(self.control).exists, "the UKEY is there", timeout_s=20, children=[ukey])
        certificate = slot / "state" / "token.crt"
        (keys / "unit.crt").write_bytes(certificate.read_bytes())
        (keys / "unit.pin").write_text(f"{PIN}\n")
        (keys / "unit.pin").chmod(0o600)
        sm.create_identity(keys / "second.key", keys / "second.crt", "second", 99)
        unit = next((self.place / "units").glob("*.toml"))
        set_keys(unit, "signer", {
            "kind": '"skf"', "library": f'"{slot}/libskf.so"', "pin": '"file:keys/unit.pin"',
        })  # fmt: skip
        set_keys(unit, "signer.standby", {
            "kind": '"file"', "key": '"keys/second.key"', "cert": '"keys/second.crt"',
        })  # fmt: skip
        for name in ("unit.crt", "second.crt"):
            self._register(keys / name)
        return ukey

    def _register(self, certificate: Path) -> None:
        run(
            [program("fepsim"), "province", "register", "--state", str(self.province_state),
             "--node-id", NODE, "--node-cert", str(self.place / "keys" / "node.crt"),
             "--unit", self.unit, "--unit-cert", str(certificate)]
        )  # fmt: skip

    def keys(self) -> dict[str, dict[str, Any]]:
        """Return the unit's keys by their role."""
        told = json.loads(self.fepctl("keys", "--json"))
        return {row["role"]: row for row in told["keys"] if row["unit"]}


@pytest.mark.timeout(120)
def test_pulled_out_under_load_the_second_signer_goes_on_and_each_number_has_one_signature(
    tmp_path: Path,
):
    with Fleet(tmp_path / "world" / "logs") as fleet:
        town = UKeyTown(tmp_path, fleet)
        town.furnish()
        town.start_province()
        town.start_gate()
        town.start_printer("--no-png", "--quiet")
        daemon = town.start_daemon()
        town.grant(5000)
        wait_until(town.has_numbers, "numbers arrive", timeout_s=30, children=[daemon])
        wait_until(lambda: town.keys()["main"]["signs"], "the UKEY signs", timeout_s=20)
        ask(town.control, ["set", "sign_s=0.02"])
        load = fleet.start("his", town.his("--count", str(RECEIPTS), "--concurrency", "4"))
        wait_until(lambda: town.count("SELECT count(*) FROM signature") > 20, "it signs",
                   timeout_s=30, children=[daemon])  # fmt: skip
        ask(town.control, ["set", "removed_signs=1"])
        assert 0 == load.process.wait(60), load.tail()
        keys = town.keys()
        wait_until(town.drained, "all is delivered", timeout_s=30, children=[daemon])
        fleet.stop_all()

    report = town.report()
    signers = [row.cert_id for row in read(town.store)["signature"]]
    assert ("removed", False) == (keys["main"]["state"], keys["main"]["signs"])
    assert ("ready", True) == (keys["standby"]["state"], keys["standby"]["signs"])
    assert 2 == len(set(signers))
    assert RECEIPTS == len(signers)
    assert [] == check_all(town.place, town.ledger, report, town.paper)
