"""Every state an operator can be shown has a Chinese word, and answers read as sentences."""

from __future__ import annotations

import pytest

from fep.cli.ctl_link_batches import _STATES
from fep.cli.ctl_platform import _members, _value
from fep.cli.ctl_receipts_life import _MARKS
from fep.cli.ctl_reconcile import GAPS, REPAIRS
from fep.domain.faults_desk import LINK_WORDS
from fep.domain.life_delivery import Delivery
from fep.domain.life_marks import Booking, Message, WriteOff
from fep.domain.link import LinkFacts, LinkState, Standing, standing
from fep.domain.reconcile import Gap, Repair
from fep.services.uplink_out import REFUSALS


def test_states_of_deliveries_marks_and_differences_have_words():
    assert {state.value for state in Delivery} <= _STATES.keys()
    assert {word.value for kind in (Booking, Message, WriteOff) for word in kind} <= _MARKS.keys()
    assert {"booking", "message", "write_off"} <= _MARKS.keys()
    assert {gap.value for gap in Gap} == GAPS.keys()
    assert {repair.value for repair in Repair} == REPAIRS.keys()


@pytest.mark.parametrize("refused", REFUSALS)
def test_a_platform_that_refuses_our_files_is_told_in_words(refused: str):
    before = Standing(LinkState.ONLINE, "", 0)

    after = standing(LinkFacts(refused=refused, silent_s=0.0), before, 1,
                     silent_after_s=60, late_after_s=60)  # fmt: skip

    assert (LinkState.DEGRADED, True) == (after.state, after.reason in LINK_WORDS)


def test_an_answer_of_the_platform_is_told_member_by_member():
    assert {"has": "ISSUE RED"} == _members('{"has": "ISSUE RED"}')
    assert [None, None] == [_members("absent 1004 no such code"), _members("[]")]
    assert "2026-11-22 04:00:00" == _value("at_ms", "1795291200000")
    assert ["诊察费", '["诊察费"]'] == [_value("name", "诊察费"), _value("items", ["诊察费"])]
