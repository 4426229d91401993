"""Whoever dies, whenever, at a UMS terminal: money and books agree, or the payment is listed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from fep.domain.faults import Refused
from fep.store.queries_payments import unknown_q
from tests.device.ums_schedules import UmsSchedules, ram
from tests.device.ums_town import UmsTown

POINTS = ("before_send", "before_ack", "after_ack", "after_host", "after_approval", "mid_reply")
SITES = 20  # a site that forgets nothing asks for ever more
SIDES = ("driver", "bridge", "terminal", "both")


@pytest.fixture
def town(tmp_path):
    town = UmsTown(tmp_path)
    town.start()
    town.settle_down(5.0)
    yield town
    town.store.close()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("point", POINTS)
def test_whoever_dies_wherever_the_books_agree_or_the_payment_is_listed(town, point, side):
    assert "approved" == town.sold("k0")["state"]
    die_at_point(town, point, side)
    town.settle_down(900)

    (row,) = town.rows()[1:]
    assert [] == town.differences()
    assert row.state.value in ("approved", "not_sent", "unknown"), row
    if row.state.value == "unknown":
        # Only where the library itself died before the host did its part can nobody know.
        assert side in ("terminal", "both")
        assert "after_ack" == point
        assert (row,) == town.store.read(unknown_q)
    elif point in ("after_host", "after_approval", "mid_reply"):
        assert "approved" == row.state.value
    assert "approved" == town.sold("next")["state"]
    assert [] == town.differences()


@pytest.mark.parametrize("point", ["before_ack", "after_host"])
def test_of_the_first_payment_ever_a_power_cut_leaves_what_nobody_can_know_listed(town, point):
    die_at_point(town, point, "both")
    town.settle_down(900)

    (row,) = town.rows()
    assert ("unknown", (row,)) == (row.state.value, town.store.read(unknown_q))
    assert "approved" == town.sold("next")["state"]
    assert [] == town.differences()


def test_a_slip_older_than_a_payment_that_was_cancelled_proves_no_later_one(town):
    assert "approved" == town.sold("k0")["state"]
    town.knobs.answer = "cancel"
    assert "cancelled" == town.sold("none")["state"]
    town.knobs.answer = "approve"
    die_at_point(town, "after_ack", "terminal")
    town.settle_down(900)

    assert "unknown" == town.newest().state.value
    assert [] == town.differences()


def test_who_hears_that_a_call_is_over_finds_the_terminal_free(town):
    pc, told = town.pc, []
    lent, tell = pc._settings.ports["pos"], pc.tell

    def telling(head, body=b""):
        if head["op"] == "answer":
            told.append((head["state"], lent.user.locked(), bool(pc._running)))
        return tell(head, body)

    pc.tell = telling
    town.sold("k0")

    assert [("done", False, False)] * 2 == told  # the sign-in, the payment


def test_an_old_slip_with_the_number_of_the_open_batch_proves_no_later_payment(town):
    assert "approved" == town.sold("k0")["state"]
    town.ask("payment.settle", terminal="pos-1")
    newest = town.host._newest
    town.host._newest = lambda asked: replace(newest(asked), batch=f"{town.host.batch:06d}")
    die_at_point(town, "after_ack", "terminal")
    town.settle_down(900)

    assert "unknown" == town.newest().state.value
    assert [] == town.differences()


def die_at_point(town, point, side):
    """Begin a payment and let daemon, bridge, PC or daemon and PC die at a point."""
    town.knobs.card_s = town.host_s = 1.0
    if point == "before_send":
        town.driver._signed_on = None
    town.sale("k1").addErrback(lambda failure: failure.trap(Refused))
    for _ in range(2000):
        if reached(town, point):
            break
        town.clock.advance(0.005)
    assert reached(town, point)
    if side == "bridge":
        town.bridge_dies()
    if side in ("terminal", "both"):
        town.power_fails()
    if side in ("driver", "both"):
        town.crash()


def reached(town, point):
    """Say whether the payment came as far as the point and no farther."""
    row = town.newest() if town.rows() else None
    ours = {row.serial} if row is not None and row.key == "k1" else set()
    booked = [line for line in town.host.lines if line["serial"] in ours]
    begun = [head for head in town.heard if head["op"] == "begun" and head["id"] in ours]
    if point == "before_send":
        # The terminal is being signed in; the intent is stored.
        return bool(ours and town.children) and row.state.value == "created"
    if point == "before_ack":
        return bool([h for h in town.asked if h["id"] in ours]) and not begun
    if point == "after_ack":
        return bool(ours) and row.acked and not booked
    if point == "after_host":
        return bool(booked and town.children)
    answers = [head for head in town.said if head["op"] == "answer" and head["id"] in ours]
    if point == "after_approval":
        return bool(booked) and not town.children and not answers
    return bool(answers)


def test_a_thousand_random_schedules_never_charge_twice():
    """Payments, voids, refunds, settlements, with deaths of every part, by the dice."""
    did: Counter[str] = Counter()
    shares = []
    for site in range(SITES):
        with ram() as place:
            run = UmsSchedules(place)
            run.play(range(site * 1000 // SITES, (site + 1) * 1000 // SITES))
            assert [] == run.wrong(), site
            did += run.did
            shares.append(run.known_share())
            run.close()

    assert 1000 == did["sale"]
    assert sum(shares) / SITES > 0.75
    assert did.keys() >= {"again", "careless", "cancel", "void", "refund", "settle", "die", "both",
                          "twice", "cut", "deaf", "bridge", "power"}  # fmt: skip
