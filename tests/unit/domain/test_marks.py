"""What messages say of a receipt: told once is told."""

from __future__ import annotations

import pytest

from fep.domain.life_marks import Mark, Message, message_after


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ([], Message.UNKNOWN),
        ([Mark.UNTOLD], Message.FAILED),
        ([Mark.UNTOLD, Mark.TOLD, Mark.UNTOLD], Message.DELIVERED),
        ([Mark.BOOKED, Mark.WRITTEN_OFF], Message.UNKNOWN),
    ],
)
def test_a_payer_told_once_is_told(marks: list[Mark], expected: Message):
    state = Message.UNKNOWN
    for mark in marks:
        state = message_after(state, mark)

    assert expected is state
