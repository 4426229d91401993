"""Receipts asked for one by one: what the question and its short answer mean."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fep.domain.platform import Reply, Verdict
from fep.domain.reconcile import Line
from fep.domain.reconcile_check import (
    CHUNK,
    Findings,
    findings,
    findings_of,
    rows_of,
    there,
    wanted_of,
)

CODE = "42060126"


def _lines(count: int) -> list[Line]:
    return [Line(CODE, f"{n:010d}", "k", 100 + n, check_code="abc") for n in range(1, count + 1)]


def test_what_is_asked_is_read_back_as_it_was():
    lines = _lines(2)

    wanted = wanted_of(json.dumps(rows_of(lines)).encode())

    assert [(line.code, line.number, "abc", line.fen) for line in lines] == [
        (one.code, one.number, one.check_code, one.fen) for one in wanted
    ]


@pytest.mark.parametrize(
    "text", ["5", "[]", "[5]", '[["a","b","c","1"]]', '[["a","b","c"]]', json.dumps([[1]] * 99)]
)
def test_anything_else_is_no_question(text: str):
    with pytest.raises(ValueError, match=r"."):
        wanted_of(text.encode())


def test_an_answer_names_only_what_is_not_as_asked():
    lines = _lines(5)
    told = findings([
        Reply(Verdict.DUP), Reply(Verdict.ABSENT), Reply(Verdict.DOUBT),
        Reply(Verdict.CONFLICT, "differs", "amount_fen: -7, not 104"),
        Reply(Verdict.CONFLICT, "differs", "code: x, not y"),
    ])  # fmt: skip

    again = findings_of(told.text())

    assert Findings(frozenset({1}), {3: -7, 4: 0}, frozenset({2}), "-----") == told == again
    held = there(lines, again)
    assert [101, 103, -7, 0] == [line.fen for line in held]


@pytest.mark.parametrize("reversed_", ["0", "1", ""])
@pytest.mark.parametrize("off", ["0", "1", ""])
@pytest.mark.parametrize("booked", ["0", "1", "yes"])
def test_each_flag_of_a_state_is_taken_over_when_it_is_told_and_only_then(
    reversed_: str, off: str, booked: str
):
    facts = {"reversed": reversed_, "written_off": off, "booked": booked}
    ours = replace(_lines(1)[0], reversed=True, written_off=True)

    told = findings_of(findings([Reply(Verdict.DUP, facts=facts)]).text())
    (held,) = there([ours], told)

    assert (reversed_ != "0", off != "0", booked == "1") == (
        held.reversed, held.written_off, held.booked)  # fmt: skip


@pytest.mark.parametrize("text", ['{"a":[],"d":[],"x":[]}', '{"a":[],"d":[],"s":"~","x":[]}'])
def test_an_answer_without_readable_states_leaves_them_as_ours(text: str):
    (ours,) = _lines(1)

    assert [ours] == there([ours], findings_of(text))


def test_the_longest_answer_fits_into_an_acknowledgement():
    reply = Reply(Verdict.CONFLICT, "differs", "amount_fen: -999999999999999, not 1")

    assert len(findings([reply] * CHUNK).text()) < 1000


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"a":1,"d":[],"x":[]}', '{"a":[],"d":[1],"x":[]}']
)
def test_an_answer_of_another_shape_is_told(text: str):
    with pytest.raises(ValueError, match=r"."):
        findings_of(text)
