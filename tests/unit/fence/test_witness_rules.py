"""The witness as pure rules: lines, torn lines, what a store is told at its start."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.domain import witness
from fep.domain.witness import (
    OPEN,
    Finding,
    Line,
    Span,
    StoreSide,
    compare,
    decode,
    encode,
    merged,
    unknown,
)

HASH = bytes(range(32))
SPAN = Span("H001", "42060126", 1, 500, 21, 3)
LINE = Line("ab12", 1, 50, HASH, 1_795_219_200_000, (SPAN,), full=True)
STORE = StoreSide("ab12", 1, 50, HASH)

spans = st.builds(
    Span, st.sampled_from(["H001", "U-2"]), st.sampled_from(["42060126", "42060226"]),
    st.integers(1, 10**10), st.integers(1, 10**10), st.integers(1, 10**10), st.integers(1, 10**6),
)  # fmt: skip
lines = st.builds(
    Line, st.text("0123456789abcdef", min_size=1, max_size=16), st.integers(0, 10**4),
    st.integers(0, 10**9), st.binary(min_size=32, max_size=32), st.integers(0, 2**43),
    st.lists(spans, max_size=4).map(tuple), st.booleans(),
)  # fmt: skip


@given(lines)
def test_a_line_reads_back_as_it_was_written(line: Line):
    assert line == decode(encode(line))


@given(lines, st.data())
def test_a_torn_or_changed_line_is_no_line(line: Line, data: st.DataObject):
    raw = encode(line).rstrip(b"\n")
    cut = data.draw(st.integers(0, len(raw) - 1))
    place = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]

    assert decode(raw[:cut]) is None
    assert decode(changed) is None


def test_a_line_of_somebody_else_is_no_line():
    import zlib

    for text in (b"hello", b"other ab12 1 2 " + b"0" * 64 + b" 3 F"):
        assert decode(b"%s %08x" % (text, zlib.crc32(text))) is None


def test_the_last_good_line_holds_and_torn_ones_are_counted():
    later = replace(LINE, seq=51, full=False, spans=(replace(SPAN, next=22),))

    told = witness.testimony([encode(LINE), encode(later), b"fepw1 torn"])

    assert told is not None
    assert (51, 22, 1) == (told.line.seq, told.spans[SPAN.key].next, told.torn)
    assert witness.testimony([b"torn", b""]) is None


def test_a_full_line_forgets_what_was_told_before_it():
    other = replace(SPAN, first=600, last=700, next=600)

    told = witness.testimony([encode(LINE), encode(replace(LINE, spans=(other,)))])

    assert told is not None
    assert [other] == list(told.spans.values())


def test_used_up_neighbours_are_told_as_one():
    parts = [
        Span("H001", "A", 1, 10, 11, 1), Span("H001", "A", 11, 20, 21, 2),
        Span("H001", "A", 21, 30, 25, 3), Span("H001", "A", 31, 40, 41, 4),
        Span("H001", "B", 41, 50, 51, 5), Span("U", "B", 51, 60, 61, 6),
    ]  # fmt: skip

    told = merged(reversed(parts))

    assert (Span("H001", "A", 1, 20, 21, 2), *parts[2:]) == told


@pytest.mark.parametrize(
    ("ranges", "left"),
    [
        ([], [(10, 20)]),
        ([(1, 30)], []),
        ([(1, 9), (21, 30)], [(10, 20)]),
        ([(1, 12)], [(13, 20)]),
        ([(15, 16)], [(10, 14), (17, 20)]),
        ([(18, 25), (10, 11)], [(12, 17)]),
        ([(10, 12), (13, 20)], []),
    ],
)
def test_what_the_store_does_not_know_is_left(
    ranges: list[tuple[int, int]], left: list[tuple[int, int]]
):
    assert left == unknown(Span("H001", "A", 10, 20, 20, 1), ranges)


@pytest.mark.parametrize(
    ("store", "line", "finding"),
    [
        (STORE, LINE, Finding.SOUND),
        (replace(STORE, seq=60), LINE, Finding.SOUND),
        (replace(STORE, epoch=2), LINE, Finding.SOUND),
        (replace(STORE, seq=49, hash_there=None), LINE, Finding.OLDER),
        (STORE, replace(LINE, epoch=2), Finding.OLDER),
        (replace(STORE, hash_there=bytes(32)), LINE, Finding.DIVERGED),
        (replace(STORE, instance="cd34"), LINE, Finding.OTHER),
        (replace(STORE, instance=""), LINE, Finding.OTHER),
        (STORE, None, Finding.MISSING),
        (replace(STORE, instance=""), None, Finding.NEW),
    ],
)
def test_a_start_compares_store_and_witness(store: StoreSide, line: Line | None, finding: Finding):
    told = None if line is None else witness.testimony([encode(line)])

    assert finding == compare(store, told)
    assert (finding in OPEN) == (finding in (Finding.SOUND, Finding.NEW))
