"""Receipts asked for one by one: what the question and its short answer mean."""

from __future__ import annotations

import json

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

    assert Findings(frozenset({1}), {3: -7, 4: 0}, frozenset({2})) == told == again
    held = there(lines, again)
    assert [101, 103, -7, 0] == [line.fen for line in held]


def test_the_longest_answer_fits_into_an_acknowledgement():
    reply = Reply(Verdict.CONFLICT, "differs", "amount_fen: -99999999999, not 1")

    assert len(findings([reply] * CHUNK).text()) < 1000


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"a":1,"d":[],"x":[]}', '{"a":[],"d":[1],"x":[]}']
)
def test_an_answer_of_another_shape_is_told(text: str):
    with pytest.raises(ValueError, match=r"."):
        findings_of(text)
