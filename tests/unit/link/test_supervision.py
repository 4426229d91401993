"""The finance signature: verified over what we sent; a bad one is kept, told and never dropped."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.services import desk_checks
from fep.services.uplink_in import answer
from fep.store.life import named_q
from fep.store.supervision import doubt_q
from fep.wire import einvoice
from fep.wire.fpb_ack import Result, Supervision
from tests.unit.link.link_world import CODE, World, begun, journalled, party

SERIAL = "20"


def signed(world: World, body: dict[str, Any], spoil: bytes = b"") -> Supervision:
    """Return what an honest platform signs; `spoil` is added to what it signs over."""
    original = base64.b64decode(body["original"])
    text = einvoice.finance_original(original, body["signature_xml"].encode())
    der = world.platform.key.sign(text + spoil)
    return Supervision(SERIAL, world.now_ms(), base64.b64encode(der).decode())


def supervise(world: World, how: Callable[[dict[str, Any]], Supervision]) -> None:
    """Make the platform sign receipts this way."""
    platform = world.platform

    def effect(record: Any) -> Result:
        platform.applied.append((record.body["number"], record.idem))
        return Result(record.rec_seq, "OK", supervision=how(record.body))

    platform._effect = effect  # type: ignore[method-assign]  # the test is the platform's mind


def build(root: Path, **settings: Any) -> World:
    made = World(root, records_max=10, **settings)
    made.grant()
    made.uplink.start()
    return made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build(tmp_path)
    yield made
    made.store.close()


def life_of(world: World, number: str) -> Any:
    return world.store.read(named_q, CODE, number)


def test_a_good_signature_makes_a_receipt_supervised(world: World):
    supervise(world, lambda body: signed(world, body))
    numbers = world.issue(25)

    world.run(10)

    assert {"applied": 25} == world.states()
    assert [] == journalled(world, "supervision_bad")
    assert all(life_of(world, number).supervised_at > 0 for number in numbers)
    assert 0 == world.uplink.status().supervision_bad


def test_finance_may_sign_with_a_certificate_of_its_own(tmp_path: Path):
    world = World(tmp_path, records_max=10)
    key, cert = party("finance", 0x4F)

    def by_finance(body: dict[str, Any]) -> Supervision:
        text = einvoice.finance_original(
            base64.b64decode(body["original"]), body["signature_xml"].encode()
        )
        return Supervision("4F", world.now_ms(), base64.b64encode(key.sign(text)).decode())

    world.finance_certs = (cert,)
    world.store.close()
    world.open()
    world.grant()
    world.uplink.start()
    supervise(world, by_finance)
    (number,) = world.issue(1)

    world.run(10)

    assert 0 == world.uplink.status().supervision_bad
    assert life_of(world, number).supervised_at > 0
    peers = world.uplink._ends.peers
    assert peers.key_of("province", cert.serial_bytes()) is None, "it signs no batch"
    world.store.close()


@pytest.mark.parametrize(
    ("why", "how"),
    [
        ("the signature does not fit", lambda good: replace_value(good, b"\x30\x00")),
        ("certificate 0a is not the platform's", lambda good: Supervision("0a", 7, good.value)),
        ("certificate odd is not the platform's", lambda good: Supervision("odd", 7, good.value)),
    ],
)
def test_a_bad_signature_is_kept_with_the_fact_and_told(world: World, why: str, how: Any):
    supervise(world, lambda body: how(signed(world, body)))
    (number,) = world.issue(1)

    world.run(5)

    receipt = life_of(world, number).receipt
    status = world.uplink.status()
    assert {"applied": 1} == world.states()
    assert [(1,)] == world.rows("SELECT count(*) FROM supervision")
    assert [("link.supervision_bad",)] == journalled(world, "supervision_bad")
    assert f"supervision-bad: {why}" == world.store.read(doubt_q, receipt.id)
    assert 0 == life_of(world, number).supervised_at
    assert (1, f"{CODE}-{number}") == (status.supervision_bad, status.supervision_bad_last)


def replace_value(good: Supervision, der: bytes) -> Supervision:
    return Supervision(good.cert_serial, good.signed_at, base64.b64encode(der).decode())


def test_a_signature_over_other_bytes_is_bad_and_its_neighbours_are_not(world: World):
    supervise(
        world,
        lambda body: signed(world, body, b"!" if body["number"].endswith("3") else b""),
    )
    numbers = world.issue(12)

    world.run(8)

    bad = [number for number in numbers if not life_of(world, number).supervised_at]
    assert ["0000000003"] == bad


def test_an_unreadable_value_is_a_bad_one(world: World):
    supervise(world, lambda body: Supervision(SERIAL, 7, "not base64!"))
    world.issue(1)

    world.run(5)

    assert {"applied": 1} == world.states()
    assert 1 == world.uplink.status().supervision_bad
    assert "unreadable" == answer(Result(1, "OK", supervision=Supervision("1", 7, "!"))).doubt


def test_the_alarm_outlives_a_restart_until_a_person_has_looked(world: World):
    supervise(world, lambda body: signed(world, body, b"!"))
    world.issue(3)
    world.run(5)
    world.stop()
    world.restart()
    row = {"live": {"supervision_bad": world.uplink.status().supervision_bad,
                    "supervision_bad_last": "x"}}  # fmt: skip
    link = {"dest": "province", "state": "online", "reason": "", "since_at": 0, "backlog": 0,
            "rejected": 0}  # fmt: skip

    found = [check.code for check in desk_checks.links([{**link, **row}])]
    seen = world.done(begun(world.uplink.resume("looked at", "accountant")))

    assert (["LINK", "SUPERVISION"], 3) == (found, row["live"]["supervision_bad"])
    assert 0 == seen.supervision_bad
    assert 0 == world.uplink.status().supervision_bad


def test_verification_can_be_switched_off(tmp_path: Path):
    world = build(tmp_path, verify_supervision=False)
    supervise(world, lambda body: signed(world, body, b"!"))
    (number,) = world.issue(1)

    world.run(5)

    assert 0 == world.uplink.status().supervision_bad
    assert life_of(world, number).supervised_at > 0
    world.store.close()


def test_a_receipt_that_was_answered_is_not_verified_again(world: World):
    supervise(world, lambda body: signed(world, body))
    world.issue(1)
    world.run(5)
    results = world.platform.results[1]
    spoilt = tuple(
        Result(r.rec_seq, r.result, supervision=replace_value(r.supervision, b"\x30\x00"))
        for r in results
        if r.supervision is not None
    )

    world.platform.ack(spoilt)
    world.run(3)

    assert 1 == len(spoilt)
    assert 0 == world.uplink.status().supervision_bad
