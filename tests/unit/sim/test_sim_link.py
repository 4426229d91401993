"""Province and gate together: however bad the gate, each receipt is booked exactly once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fep.sim import fpb, gate
from fep.sim import province_desk as desk
from tests.unit.sim import sim_world
from tests.unit.sim.sim_world import KNOBS

BATCHES = 12
TURNS = 600


@pytest.mark.parametrize("seed", range(4))
def test_a_bad_gate_and_restarts_book_every_receipt_once(
    tmp_path: Path, parties: tuple[fpb.Self, fpb.Self], seed: int
) -> None:
    world = sim_world.build(tmp_path, parties, KNOBS)
    near_out, near_in = tmp_path / "near-out", tmp_path / "near-in"
    lanes = [
        gate.Lane("a-to-b", near_out, tmp_path / "in"),
        gate.Lane("b-to-a", tmp_path / "out", near_in),
    ]
    knobs = gate.Knobs((0, 900), duplicate=0.3, reorder=True, half_visible=0.4, drop=0.2,
                       rename_on_clash=True, seed=seed)  # fmt: skip
    link = gate.Gate(tmp_path / "G", lanes, world.clock, knobs)
    batches = [
        world.node.batch(*(world.node.body(3 * n + i) for i in (1, 2, 3))) for n in range(BATCHES)
    ]
    unanswered, applied = set(range(1, 3 * BATCHES + 1)), 0
    refused = 0

    for turn in range(TURNS):
        if turn % 40 == 0:
            due = sorted({(rec_seq - 1) // 3 for rec_seq in unanswered})
            _write(near_out, [batches[n] for n in due], turn // 40)
        if turn == 100:
            world.restart(KNOBS)
        link.step()
        world.turn(0.25)
        for path in [p for p in near_in.iterdir() if p.is_file()]:
            try:
                batch = fpb.read(path.read_bytes(), world.node.me, lambda _: world.node.platform)
            except fpb.Bad as bad:
                refused += bad.final
                continue
            path.unlink()
            for record in batch.records() if batch.header.kind == fpb.ACK else []:
                applied = max(applied, record["applied_upto"])
                unanswered -= {result["rec_seq"] for result in record["results"]}

    report = desk.report(world.book)
    world.province.close()
    assert (applied, unanswered, refused) == (3 * BATCHES, set(), 0)
    assert (report["applied"], report["conflicts"], report["rejected"]) == (3 * BATCHES, 0, [])
    assert report["channels"][0]["stopped"] is None


def _write(directory: Path, batches: list[tuple[str, bytes]], attempt: int) -> None:
    for name, content in batches:
        (directory / f"{name.removesuffix('01.fpb')}{attempt + 1:02d}.fpb").write_bytes(content)
