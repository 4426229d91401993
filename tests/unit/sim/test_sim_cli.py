"""The simulators' verbs: what scripts and technicians type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fep.cli.fepsim import main
from fep.cli.sim_loop import Loop
from tests.unit.sim.sim_server import KEY, FakeFrontEnd
from tests.unit.sim.sim_world import CODE, identity


def _fepsim(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the state of a province that knows one node and one unit."""
    identity(tmp_path, "node", 5)
    identity(tmp_path, "unit", 6)
    _fepsim("province", "init", "--state", tmp_path / "P")
    done = _fepsim(
        "province", "register", "--state", tmp_path / "P", "--node-id", "node-0001",
        "--node-cert", tmp_path / "node.crt", "--unit", "H1", "--unit-cert", tmp_path / "unit.crt",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return tmp_path / "P"


def test_a_second_init_shows_the_same_fingerprint(tmp_path: Path) -> None:
    first = _fepsim("province", "init", "--state", tmp_path / "P").output
    again = _fepsim("province", "init", "--state", tmp_path / "P").output

    assert first == again
    assert len(first.strip()) == 64
    assert (tmp_path / "P" / "platform.key").stat().st_mode & 0o777 == 0o600


def test_grants_are_told_and_an_overlap_is_refused(state: Path) -> None:
    grant = ("province", "grant", "--state", state, "--unit", "H1", "--code", CODE)

    first = _fepsim(*grant, "--count", 10)
    clash = _fepsim(*grant, "--count", 10, "--first", "0000000010")
    second = _fepsim(*grant, "--count", 10, "--not-after", "2027-01-01T00:00:00+08:00")

    assert first.output == f"H1 {CODE} 0000000001-0000000010\n"
    assert (clash.exit_code, "0000000001-0000000010" in clash.output) == (1, True)
    assert second.output == f"H1 {CODE} 0000000011-0000000020\n"


def test_the_report_is_a_ledger_for_programs_and_for_people(state: Path) -> None:
    _fepsim("province", "grant", "--state", state, "--unit", "H1", "--code", CODE, "--count", 5)

    found = json.loads(_fepsim("province", "report", "--state", state, "--json").output)
    shown = _fepsim("province", "report", "--state", state).output

    (block,) = found["granted"]
    assert (block["code"], block["first"], block["last"]) == (CODE, "0000000001", "0000000005")
    assert (found["applied"], found["money_fen"], found["gaps"]) == (0, 0, [])
    assert "0000000001-0000000005" in shown


def test_a_state_that_is_none_is_explained(tmp_path: Path) -> None:
    done = _fepsim("province", "report", "--state", tmp_path)

    assert done.exit_code == 1
    assert "init" in done.output


def test_the_gate_is_cut_and_healed_by_its_state(tmp_path: Path) -> None:
    _fepsim("gate", "cut", "--state", tmp_path)
    cut = json.loads(_fepsim("gate", "status", "--state", tmp_path, "--json").output)
    _fepsim("gate", "heal", "--state", tmp_path)
    healed = json.loads(_fepsim("gate", "status", "--state", tmp_path, "--json").output)

    assert (cut["cut"], healed["cut"]) == (True, False)


def test_a_state_directory_has_one_process(tmp_path: Path) -> None:
    with Loop(tmp_path / "run.lock"):
        done = _fepsim(
            "gate", "--state", tmp_path, "--a-out", tmp_path / "1", "--b-in", tmp_path / "2",
            "--b-out", tmp_path / "3", "--a-in", tmp_path / "4",
        )  # fmt: skip

    assert done.exit_code == 1
    assert "already running" in done.output


def test_the_business_system_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "his.key").write_bytes(KEY + b"\n")
    server = FakeFrontEnd()

    done = _fepsim(
        "his", "run", "--connect", server.where, "--key-file", tmp_path / "his.key",
        "--count", 3, "--unit", "H1", "--json",
    )  # fmt: skip
    server.close()

    summary = json.loads(done.output)
    assert done.exit_code == 0
    assert (summary["sent"], summary["acked"], summary["refused"]) == (3, 3, {})


def test_every_simulator_is_listed() -> None:
    shown = _fepsim("--help").output

    assert [name for name in ("province", "gate", "his", "printer") if name not in shown] == []
