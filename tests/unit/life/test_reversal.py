"""Reversal in the store: once per receipt, whole, and undone when its red one was never signed."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

from fep.domain.faults import Refused
from fep.domain.life import Life, Policy, Verdict
from fep.domain.life_marks import Mark
from fep.store import life
from tests.unit.life.ward import Ward, code_of

NEVER = Policy(Verdict.REFUSED, Verdict.REFUSED)


def _ops(ward: Ward, prefix: str) -> list[str]:
    lines = [json.loads(bytes(row.line)) for row in ward.rows("journal")]
    return [line["op"] for line in lines if line["op"].startswith(prefix)]


def test_a_reversed_receipt_says_so_and_names_its_red_one(ward: Ward):
    blue = ward.issue(1234)

    red = ward.reverse(blue)

    assert -1234 == red.amount_fen
    standing = ward.standing(blue)
    assert (Life.REVERSED, red.ref) == (standing.life, standing.red.ref if standing.red else "")
    assert blue.ref == (ward.standing(red).blue or red).ref
    assert ["ISSUE", "RED"] == [row.op for row in ward.rows("upload")]


def test_a_list_tells_the_same_life_as_the_receipt_itself(ward: Ward):
    reversed_, reversing, alone, burned, paper = (ward.issue() for _ in range(5))
    ward.exchange(paper)
    reds = [ward.reverse(reversed_, "R1"), ward.freeze_red(reversing, "R2")]
    given_up = ward.freeze_red(burned, "R3")
    ward.burn(given_up)
    found = [ward.found(row.number) for row in ward.rows("receipt")]

    lives = ward.room.store.read(life.lives_q, found)

    standings = {receipt.id: ward.standing(receipt) for receipt in found}
    assert {key: (one.life, one.sheet) for key, one in standings.items()} == {
        key: (one.life, one.sheet) for key, one in lives.items()
    }
    assert [Life.REVERSED, Life.REVERSING, Life.SEALED, Life.SEALED, Life.SEALED, Life.SEALED,
            Life.FROZEN, Life.BURNED] == [lives[row.id].life for row in found]  # fmt: skip
    assert (Life.SEALED, Life.FROZEN) == tuple(lives[red.id].life for red in reds)
    assert [alone.id] == [row.id for row in found[2:3]]
    ward.room.seal(reds[1])


def test_a_second_reversal_is_refused_and_takes_no_number(ward: Ward):
    blue = ward.issue()
    red = ward.reverse(blue, "R1")

    with pytest.raises(Refused) as refused:
        ward.reverse(blue, "R2")

    assert "LIFE_REVERSED" == refused.value.code
    assert red.ref == refused.value.details["red"]
    assert 2 == len(ward.rows("receipt"))
    assert ["receipt.reverse_refused"] == _ops(ward, "receipt.reverse_")


def test_the_same_key_again_is_answered_with_the_same_red_receipt(ward: Ward):
    blue = ward.issue()

    assert ward.reverse(blue, "R1") == ward.reverse(blue, "R1")
    assert 2 == len(ward.rows("receipt"))


def test_a_key_that_was_used_for_something_else_is_a_conflict(ward: Ward):
    first, second = ward.issue(), ward.issue()
    ward.reverse(first, "R1")

    assert "EVT_CONFLICT" == code_of(ward.reverse, second, "R1")
    assert "EVT_CONFLICT" == code_of(ward.reverse, second, "K1")


def test_two_reversals_in_one_group_leave_one(ward: Ward):
    blue = ward.issue()

    answers = ward.room.freeze(ward.red_draft(blue, "R1"), ward.red_draft(blue, "R2"))

    assert "LIFE_REVERSING" == answers[1].code
    assert 1 == len([row for row in ward.rows("reversal") if row.state == "live"])
    ward.room.seal(answers[0].receipt)


def test_a_red_receipt_that_was_never_signed_gives_its_blue_one_back(ward: Ward):
    blue = ward.issue()
    red = ward.freeze_red(blue, "R1")
    assert Life.REVERSING is ward.standing(blue).life
    ward.burn(red)

    assert Life.SEALED is ward.standing(blue).life
    again = ward.reverse(blue, "R1")
    assert red.number < again.number
    assert Life.REVERSED is ward.standing(blue).life


def test_a_red_receipt_is_not_reversed(ward: Ward):
    red = ward.reverse(ward.issue())

    assert "LIFE_RED" == code_of(ward.reverse, red, "R2")


def test_what_is_not_signed_yet_is_not_reversed(ward: Ward):
    (frozen,) = ward.room.freeze(ward.room.draft("F1"))

    assert "LIFE_UNSIGNED" == code_of(ward.reverse, frozen.receipt)
    ward.room.seal(frozen.receipt)


def test_paper_in_the_payers_hands_comes_back_first(ward: Ward):
    blue = ward.issue()
    name = ward.exchange(blue).sheet

    assert "LIFE_PAPER" == code_of(ward.reverse, blue, "R1")
    ward.void(int(name[-8:]))
    assert ward.reverse(blue, "R1").amount_fen < 0
    ops = [row.op for row in ward.rows("upload")]
    assert ["ISSUE", "PAPER", "VOID_PAPER", "RED"] == ops


@pytest.mark.parametrize("said", [Mark.BOOKED, None])
def test_the_site_may_refuse_booked_and_unknown_bookings(ward: Ward, said: Mark | None):
    blue = ward.issue()
    if said is not None:
        assert ward.do("mark", life.mark_txn, blue.code, blue.number, said, 1, "回执 1")

    refused = code_of(ward.reverse, blue, "R1", policy=NEVER)

    assert ("LIFE_BOOKED" if said else "LIFE_BOOKING") == refused


def test_insisting_is_journalled(ward: Ward):
    blue = ward.issue()
    ward.do("mark", life.mark_txn, blue.code, blue.number, Mark.BOOKED, 1, "回执 1")

    assert "LIFE_BOOKED" == code_of(ward.reverse, blue, "R1")
    ward.reverse(blue, "R1", force=True)

    (row,) = ward.rows("reversal")
    assert ("yes", 1) == (row.booking, row.forced)


def test_a_payer_who_cancelled_the_booking_needs_no_asking(ward: Ward):
    blue = ward.issue()
    for said in (Mark.BOOKED, Mark.UNBOOKED):
        ward.do("mark", life.mark_txn, blue.code, blue.number, said, 1, "回执")

    assert ward.reverse(blue, "R1", policy=NEVER).amount_fen < 0


def test_a_december_receipt_is_reversed_in_january_under_the_new_code(ward: Ward):
    blue = ward.issue()
    ward.room.grant(1, 5, "42060127")
    ward.room.wall_ms += 60 * 86_400_000
    draft = ward.red_draft(blue, "R1")

    (frozen,) = ward.room.freeze(structs.replace(draft, code_at=lambda _ms: "42060127"))
    ward.room.seal(frozen.receipt)

    assert ("42060127", "0000000001") == (frozen.receipt.code, frozen.receipt.number)
    assert "2027-01-20" == frozen.receipt.issued_on
    assert Life.REVERSED is ward.standing(blue).life
