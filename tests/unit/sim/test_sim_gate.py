"""The gate: late, twice, halved, out of order, cut; but nothing is lost unless told so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from fep.sim import gate
from tests.unit.sim.sim_world import HandClock


@dataclass
class Link:
    """A gate between two pairs of directories, and its clock."""

    root: Path
    clock: HandClock
    gate: gate.Gate

    def send(self, *names: str) -> None:
        for name in names:
            (self.root / "a-out" / name).write_bytes(f"content of {name}".encode())

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.passed_s += seconds
        self.gate.step()

    def names(self, side: str) -> list[str]:
        return sorted(p.name for p in (self.root / side).iterdir() if p.is_file())


def _link(root: Path, knobs: gate.Knobs) -> Link:
    lanes = [
        gate.Lane("a-to-b", root / "a-out", root / "b-in"),
        gate.Lane("b-to-a", root / "b-out", root / "a-in"),
    ]
    clock = HandClock()
    return Link(root, clock, gate.Gate(root / "G", lanes, clock, knobs))


def test_files_cross_in_both_directions(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs())
    link.send("one")
    (tmp_path / "b-out" / "two").write_bytes(b"2")

    link.turn()

    assert (tmp_path / "b-in" / "one").read_bytes() == b"content of one"
    assert (tmp_path / "a-in" / "two").read_bytes() == b"2"
    assert link.names("a-out") + link.names("b-out") == []


def test_hidden_names_stay(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs())
    link.send(".staged")

    link.turn()

    assert link.names("a-out") == [".staged"]


def test_a_cut_gate_moves_nothing_until_it_is_healed(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs())
    gate.cut(tmp_path / "G")
    link.send("one")

    link.turn(100)
    during, told = link.names("b-in"), gate.status(tmp_path / "G")["cut"]
    gate.heal(tmp_path / "G")
    link.turn()

    assert (during, told) == ([], True)
    assert link.names("b-in") == ["one"]
    assert gate.status(tmp_path / "G")["cut"] is False


def test_a_delayed_file_arrives_late_and_order_is_kept(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs(delay_ms=(1000, 1000)))
    link.send("one")

    link.turn()
    link.turn(0.9)
    early = link.names("b-in")
    link.turn(0.2)

    assert early == []
    assert link.names("b-in") == ["one"]


def test_a_duplicate_comes_again_under_the_same_name(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs(duplicate=1.0))
    link.send("one")

    link.turn()
    first = (tmp_path / "b-in" / "one").read_bytes()
    link.turn(1)
    waiting = link.names("a-out")
    (tmp_path / "b-in" / "one").unlink()
    link.turn(1)

    assert waiting == ["one"]
    assert (tmp_path / "b-in" / "one").read_bytes() == first
    assert link.names("a-out") == []


def test_a_clash_is_renamed_when_told(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs(duplicate=1.0, rename_on_clash=True))
    link.send("one.fpb")

    link.turn()
    link.turn(1)

    assert link.names("b-in") == ["one(1).fpb", "one.fpb"]


def test_a_half_is_visible_under_the_final_name_until_the_rest_comes(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs(half_visible=1.0, half_ms=300))
    link.send("one")

    link.turn()
    half = (tmp_path / "b-in" / "one").read_bytes()
    link.turn(0.2)
    still = (tmp_path / "b-in" / "one").read_bytes()
    link.turn(0.2)

    assert half == still == b"content"
    assert (tmp_path / "b-in" / "one").read_bytes() == b"content of one"
    assert link.names("a-out") == []


def test_a_gate_cut_between_the_halves_finishes_after_it_is_healed(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs(half_visible=1.0))
    link.send("one")
    link.turn()

    gate.cut(tmp_path / "G")
    link.turn(10)
    during = (tmp_path / "b-in" / "one").read_bytes()
    gate.heal(tmp_path / "G")
    link.turn()

    assert during == b"content"
    assert (tmp_path / "b-in" / "one").read_bytes() == b"content of one"


def test_a_gate_restarted_between_the_halves_completes_the_file(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs(half_visible=1.0))
    link.send("one")
    link.turn()

    restarted = _link(tmp_path, gate.Knobs())
    restarted.turn()

    assert (tmp_path / "b-in" / "one").read_bytes() == b"content of one"
    assert link.names("a-out") == []


def test_reordering_changes_the_order_and_loses_nothing(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs(reorder=True, seed=3))
    names = [f"{n:02d}" for n in range(10)]
    link.send(*names)
    arrived: list[str] = []

    for _ in range(60):
        link.turn(0.01)
        arrived += sorted(set(link.names("b-in")) - set(arrived))

    assert sorted(arrived) == names
    assert arrived != names


def test_the_same_seed_does_the_same(tmp_path: Path) -> None:
    arrivals = []
    for run in ("first", "second"):
        link = _link(tmp_path / run, gate.Knobs(reorder=True, duplicate=0.3, drop=0.3, seed=9))
        link.send(*(f"{n:02d}" for n in range(10)))
        seen = []
        for _ in range(80):
            link.turn(0.01)
            seen.append(link.names("b-in"))
        arrivals.append(seen)

    assert arrivals[0] == arrivals[1]


def test_a_dropped_file_is_gone_and_counted(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs(drop=1.0))
    link.send("one")

    link.turn()
    link.turn()

    assert (link.names("a-out"), link.names("b-in")) == ([], [])
    lanes = gate.status(tmp_path / "G")["lanes"]
    assert isinstance(lanes, dict)
    assert lanes["a-to-b"]["dropped"] == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_gate_loses_nothing_over_restarts(tmp_path: Path, seed: int) -> None:
    knobs = gate.Knobs((0, 400), duplicate=0.4, reorder=True, half_visible=0.5, seed=seed,
                       rename_on_clash=True)  # fmt: skip
    link = _link(tmp_path, knobs)
    names = [f"{n:02d}.fpb" for n in range(20)]
    link.send(*names)

    for turn in range(100):
        if turn == 7:
            link.gate = _link(tmp_path, knobs).gate
            link.gate._clock = link.clock
        link.turn(0.05)

    arrived = {path.name: path.read_bytes() for path in (tmp_path / "b-in").iterdir()
               if path.is_file()}  # fmt: skip
    contents = set(arrived.values())
    assert {f"content of {name}".encode() for name in names} - contents == set()
    assert link.names("a-out") == []


def test_a_file_taken_back_by_its_sender_is_forgotten(tmp_path: Path) -> None:
    link = _link(tmp_path, gate.Knobs(half_visible=1.0))
    link.send("one")
    link.turn()

    (tmp_path / "a-out" / "one").unlink()
    link.send("two")
    link.turn(1)
    link.turn(1)

    assert (tmp_path / "b-in" / "two").read_bytes() == b"content of two"
