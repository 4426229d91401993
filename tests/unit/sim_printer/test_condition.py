"""Status bytes, bit for bit as in the ESC/POS tables."""

from __future__ import annotations

import pytest

from fep.sim.printer.condition import Condition, automatic, drawer, paper, real_time

READY = {1: 0x12, 2: 0x12, 3: 0x12, 4: 0x12}


def state(**changes: bool) -> Condition:
    made = Condition(rows_left=10_000, near_end_rows=1_000)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("changes", "differing", "asb"),
    [
        ({}, {}, "1000000f"),
        ({"cover_open": True}, {1: 0x1A, 2: 0x16}, "3800000f"),
        ({"paper_out": True}, {1: 0x1A, 2: 0x32, 4: 0x7E}, "18000f0f"),
        ({"rows_left": 900}, {4: 0x1E}, "1000030f"),
        ({"cutter_error": True}, {1: 0x3A, 2: 0x52, 3: 0x1A}, "1809000f"),
        ({"fatal": True}, {1: 0x1A, 2: 0x52, 3: 0x32}, "1820000f"),
        ({"head_hot": True}, {1: 0x1A, 2: 0x52, 3: 0x52}, "1840000f"),
        ({"drawer_open": True}, {1: 0x16}, "1400000f"),
        ({"feed_pressed": True}, {1: 0x5A, 2: 0x1A}, "5800000f"),
    ],
    ids=str,
)
def test_every_fault_has_its_bits(changes, differing, asb):
    made = state(**changes)

    assert READY | differing == {n: real_time(made, n) for n in (1, 2, 3, 4)}
    assert asb == automatic(made).hex()


def test_fixed_bits_let_a_host_tell_the_replies_apart():
    worst = state(
        cover_open=True, paper_out=True, cutter_error=True, fatal=True, head_hot=True,
        drawer_open=True, feed_pressed=True,
    )  # fmt: skip

    assert [0x12] * 4 == [real_time(worst, n) & 0x93 for n in (1, 2, 3, 4)]
    assert [0x10, 0, 0, 0] == [
        byte & mask for byte, mask in zip(automatic(worst), (0x93, 0x90, 0x90, 0x90), strict=True)
    ]


def test_paper_and_drawer_answers():
    assert (0x00, 0x03, 0x0F) == (
        paper(state()),
        paper(state(rows_left=1)),
        paper(state(paper_out=True)),
    )
    assert (0, 1) == (drawer(state()), drawer(state(drawer_open=True)))


def test_without_the_sensor_the_near_end_is_never_told():
    made = Condition(rows_left=1, near_end_rows=1_000, near_end_sensor=False)

    assert (0x12, 0x00) == (real_time(made, 4), paper(made))


def test_a_blocked_blade_does_not_recover():
    made = state(cutter_blocked=True, cutter_error=True)

    assert [False, True] == [made.recover(), made.cutter_error]
    made.cutter_blocked = False
    assert [True, False] == [made.recover(), made.cutter_error]
