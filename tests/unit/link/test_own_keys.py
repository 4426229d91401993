"""The node changes its own key on the link: announced, answered, used; the former one ended."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from twisted.internet.defer import Deferred

from fep.domain.faults import Refused
from fep.services.uplink_keys import Pair
from fep.settings_link import LinkSettings
from fep.store.queries_link import history_q
from fep.wire.fpb_ack import Result
from fep.wire.fpb_record import idem
from tests.unit.link.link_world import NODE, PLATFORM, World, party
from tests.unit.link.test_channels import answer

OLD, NEW = party(NODE, 0x10), party("node-next", 0x11)
WHY = ("换密钥", "admin")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.grant()
    made.store.close()
    made.following = Pair(*NEW)
    made.open()
    made.uplink.start()
    made.run(1)
    yield made
    made.store.close()


def _rotate(world: World) -> dict[str, Any]:
    return dict(world.done(Deferred.fromCoroutine(world.uplink.rotate(*WHY))))


def _revoke(world: World, serial: str) -> dict[str, Any]:
    return dict(world.done(Deferred.fromCoroutine(world.uplink.revoke(serial, *WHY))))


def _answered(world: World, word: Literal["OK", "REJECT"] = "OK") -> None:
    answer(world, 2, 1, Result(1, word))
    world.run(3)


def _letter(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.platform.letters[2][-1][1].split(b"\n")[-1])
    return found


def test_until_the_answer_the_old_key_signs_and_then_the_next_one_also_after_a_restart(
    world: World,
):
    told = _rotate(world)
    world.run(3)
    letter = _letter(world)
    world.issue(1)
    world.run(3)
    before = set(world.platform.signed_by)
    # From its apply on the platform seals to the next one; what it sealed before is still read.
    world.platform.believed[NEW[1].serial_bytes()] = NEW[1].public_key
    world.platform.grant(200_001, 200_010)
    world.platform.node_cert = NEW[1]
    _answered(world)
    world.platform.signed_by.clear()
    numbers = world.issue(2)
    world.run(3)
    after = set(world.platform.signed_by)
    world.stop()
    world.open()
    world.platform.signed_by.clear()
    world.uplink.start()
    world.run(3)

    assert (True, "11", False) == (told["announced"], told["serial"], told["signs"])
    assert ("ROTATE", idem(NODE, "11", "ROTATE")) == (letter["op"], letter["idem"])
    assert NEW[1].der == base64.b64decode(letter["body"]["cert"])
    assert {OLD[1].serial_bytes()} == before
    assert {NEW[1].serial_bytes()} == after == set(world.platform.signed_by)
    assert numbers == [number for number, _ in world.platform.applied][-2:]
    assert (False, True, "applied") == tuple(
        _rotate(world)[name] for name in ("announced", "signs", "state"))  # fmt: skip
    assert {} == world.ferry.quarantine


def test_a_refused_announcement_changes_nothing(world: World):
    _rotate(world)
    world.run(3)
    _answered(world, "REJECT")
    world.platform.signed_by.clear()
    world.issue(1)
    world.run(3)

    assert {OLD[1].serial_bytes()} == set(world.platform.signed_by)
    assert ("rejected", False) == tuple(_rotate(world)[name] for name in ("state", "signs"))


def test_a_former_certificate_is_revoked_only_when_all_it_signed_is_answered(world: World):
    world.platform.believed[NEW[1].serial_bytes()] = NEW[1].public_key
    with pytest.raises(Refused, match="LINK_KEY"):
        _revoke(world, "10")  # it signs
    world.outbound = lambda name: 0
    world.issue(1)
    world.run(3)
    world.outbound = lambda name: 1
    _rotate(world)
    world.run(3)
    _answered(world)
    with pytest.raises(Refused, match="LINK_KEY"):
        _revoke(world, "0010")
    world.run(150)  # the lost batch is sent again, as it was

    told = _revoke(world, "0010")
    world.run(3)

    letter = _letter(world)
    assert (True, "10") == (told["announced"], told["serial"])
    assert ("REVOKE_CERT", idem(NODE, "10", "REVOKE_CERT")) == (letter["op"], letter["idem"])
    assert ["link.own_cert"] * 2 == [
        json.loads(bytes(line))["op"]
        for (line,) in world.rows("SELECT line FROM journal ORDER BY seq")
        if json.loads(bytes(line))["op"] == "link.own_cert"
    ]
    assert ["REVOKE_CERT", "ROTATE"] == [
        row["body"]["op"] for row in world.store.read(history_q, 50) if row["op"] == "link.own_cert"
    ]


def test_without_a_next_pair_there_is_nothing_to_announce(tmp_path: Path):
    world = World(tmp_path)
    world.uplink.start()

    with pytest.raises(Refused, match="LINK_KEY"):
        _rotate(world)
    with pytest.raises(Refused, match="LINK_KEY"):
        _revoke(world, "not hex")
    with pytest.raises(ValueError, match="belong together"):
        LinkSettings(next_key="keys/next.key")
    assert PLATFORM == world.settings.dest
    world.stop()
