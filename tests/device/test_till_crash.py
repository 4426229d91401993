"""Whoever dies, whenever: the acquirer's money and our books agree, or the payment is listed."""

from __future__ import annotations

import pytest

from fep.domain.faults import Refused
from fep.store.queries_payments import unknown_q
from tests.device.pay_schedules import Schedules
from tests.device.till_town import TillTown


@pytest.fixture
def town(tmp_path):
    town = TillTown(tmp_path)
    town.start()
    yield town
    town.store.close()


POINTS = ("before_send", "before_ack", "after_ack", "after_host", "after_approval", "mid_reply")


@pytest.mark.parametrize("side", ["driver", "terminal", "both"])
@pytest.mark.parametrize("point", POINTS)
def test_whoever_dies_wherever_the_books_agree_or_the_payment_is_listed(town, point, side):
    die_at_point(town, point, side)
    town.pass_time(900)

    (row,) = town.rows()
    assert [] == town.differences()
    if row.state.value == "unknown":
        assert point in ("after_ack", "after_host"), row
        assert [row] == list(listed(town))
    elif point in ("after_approval", "mid_reply"):
        assert "approved" == row.state.value
    assert "approved" == town.sold("next")["state"]
    assert [] == town.differences()


def listed(town):
    return town.store.read(unknown_q)


def die_at_point(town, point, side):
    """Begin a payment and let the driver's side, the terminal or both die at a point."""
    knobs = town.knobs
    knobs.card_s = knobs.host_s = 1.0
    if point == "before_send":
        knobs.mute = True  # the intent is stored, the terminal is being prepared
        begun(town)
        town.clock.advance(1.0)
        knobs.mute = False
        if side != "driver":
            town.terminal.power_cycle()
        if side != "terminal":
            town.crash()
        return
    if side != "driver":
        knobs.crash = point
    elif point == "mid_reply":
        knobs.lost_replies = 1
    begun(town)
    if side == "terminal":
        return
    for _ in range(200):
        if reached(town, point, side):
            break
        town.clock.advance(0.05)
    town.crash()


def begun(town):
    """Begin a payment whose caller will not hear of it."""
    town.sale("k1").addErrback(lambda failure: failure.trap(Refused))


def reached(town, point, side):
    """Say whether the payment came as far as the point."""
    if side == "both":
        return not town.knobs.crash
    if point == "before_ack":
        return b"01\x1c105" in town.cable.sent
    if point == "after_ack":
        return any(row.acked for row in town.rows())
    if point == "after_host":
        return bool(town.host.lines)
    return bool(town.terminal.book.entries)


@pytest.mark.parametrize("first", [0, 500])
def test_a_thousand_random_schedules_never_charge_twice(tmp_path, first):
    """Payments, voids, refunds, settlements with faults and deaths on both sides, by the dice.

    Two sites of 500: every death has all that is unknown so far inquired.
    """
    run = Schedules(tmp_path)
    run.play(range(first, first + 500))

    assert [] == run.wrong()
    assert run.known_share() > 0.8
    assert run.did.keys() >= {"again", "careless", "night", "cancel", "void", "refund", "settle",
                              "die", "both", "twice"}  # fmt: skip
    run.close()
