"""An arrival that makes us fail is nobody else's trouble."""

from __future__ import annotations

from pathlib import Path

from tests.unit.link.link_world import World


def test_an_arrival_we_stumble_over_stands_in_nobodys_way(tmp_path: Path):
    world = World(tmp_path, records_max=10, rto_first_s=5.0, gap_s=3.0, heartbeat_s=10.0)
    world.grant()
    read = world.ferry.read

    def stumble(name: str) -> bytes | None:
        if name.startswith("a-poison"):
            raise RuntimeError("a bug of ours")
        return read(name)

    world.ferry.read = stumble  # type: ignore[method-assign]  # one file is read badly
    world.ferry.arrivals["a-poison"] = b"x"
    world.uplink.start()

    numbers = world.issue(12)
    world.run(10)

    assert numbers == [number for number, _ in world.platform.applied]
    assert {"applied": len(numbers)} == world.states()
    assert ["a-poison"] == list(world.ferry.arrivals), "it stays for a better build"
    assert 1 <= len(world.log.named("link.arrival_failed")) <= 5
    world.store.close()
