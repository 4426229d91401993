"""The uplink over a gate that loses, repeats, reorders and stops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.link.link_world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, records_max=10)
    made.grant()
    yield made
    made.store.close()


def test_every_receipt_takes_effect_once_and_is_applied(world: World):
    world.uplink.start()
    numbers = world.issue(35)

    world.run(10)

    assert numbers == [number for number, _ in world.platform.applied]
    assert {"applied": 35} == world.states()
    assert "online" == world.uplink.status().state
