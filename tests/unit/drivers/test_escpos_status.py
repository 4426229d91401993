"""The reply parser: one stream, any split, bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.escpos.status import (
    MAX_BLOCK,
    Asb,
    Block,
    Flow,
    Inband,
    Noise,
    Parser,
    Realtime,
    asb_faults,
    blocking,
    inband_paper_faults,
    realtime_faults,
)

HEALTHY_ASB = bytes.fromhex("14 00 00 0f")


def test_each_kind_of_reply_is_told_from_the_others():
    stream = b"\x12" + HEALTHY_ASB + b"\x11\x37\x22ab12\x00\x00\x13\x5fMODEL 1\x00\x0c\xff"

    assert [
        Realtime(0x12),
        Asb(HEALTHY_ASB),
        Flow(True),
        Block(b"\x37\x22ab12"),
        Inband(0x00),
        Flow(False),
        Block(b"\x5fMODEL 1"),
        Inband(0x0C),
        Noise(0xFF),
    ] == Parser().feed(stream)


def test_flow_control_inside_an_asb_and_a_block_belongs_to_neither():
    assert [Flow(False), Flow(True), Asb(HEALTHY_ASB)] == Parser().feed(
        HEALTHY_ASB[:1] + b"\x13" + HEALTHY_ASB[1:2] + b"\x11" + HEALTHY_ASB[2:]
    )
    assert [Flow(False), Block(b"\x37\x22abcd")] == Parser().feed(b"\x37\x22ab\x13cd\x00")


def test_broken_asb_is_noise_and_the_next_reply_is_read():
    assert [Noise(0x10), Noise(0x00), Realtime(0x12)] == Parser().feed(b"\x10\x00\x12")


def test_a_block_whose_end_was_lost_is_given_up_after_a_silence():
    parser = Parser()
    parser.feed(b"\x37\x25")

    assert [Noise(0x37), Noise(0x25)] == parser.give_up()
    assert [Realtime(0x12)] == parser.feed(b"\x12")


@given(st.binary(max_size=300), st.lists(st.integers(1, 7), max_size=60))
def test_any_split_of_the_stream_gives_the_same_events(data, sizes):
    whole = Parser().feed(data)
    parser, events, at = Parser(), [], 0

    for size in [*sizes, len(data)]:
        events += parser.feed(data[at : at + size])
        at += size
        if at >= len(data):
            break
    events += parser.feed(data[at:])

    assert whole == events


@given(st.binary(max_size=200))
def test_no_byte_is_lost_or_counted_twice(data):
    parser = Parser()
    sizes = {Asb: lambda e: 4, Block: lambda e: len(e.data) + 1}

    count = sum(sizes.get(type(event), lambda e: 1)(event) for event in parser.feed(data))

    assert len(data) == count + len(parser._open)


def test_a_megabyte_of_noise_keeps_memory_bounded():
    parser = Parser()

    for _ in range(256):
        parser.feed(b"\x37" + b"\x41" * 4095)

    assert len(parser._open) <= MAX_BLOCK


@pytest.mark.parametrize(
    ("n", "byte", "faults"),
    [
        (1, 0x12, ()),
        (1, 0x1A, ("PRN_OFFLINE",)),
        (2, 0x16, ("PRN_COVER_OPEN",)),
        (2, 0x32, ("PRN_PAPER_END",)),
        (3, 0x1A, ("PRN_CUTTER",)),
        (3, 0x32, ("PRN_FATAL",)),
        (3, 0x52, ("PRN_OVERHEAT",)),
        (4, 0x72, ("PRN_PAPER_END",)),
        (4, 0x1E, ("PRN_PAPER_NEAR_END",)),
        (4, 0x12, ()),
    ],
)
def test_realtime_bits(n, byte, faults):
    assert faults == realtime_faults(((n, byte),))


def test_offline_with_a_known_cause_names_the_cause_alone():
    assert ("PRN_COVER_OPEN",) == realtime_faults(((1, 0x1A), (2, 0x16), (4, 0x12)))


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        ("14 00 00 0f", ()),
        ("38 00 00 00", ("PRN_COVER_OPEN",)),
        ("18 08 00 00", ("PRN_CUTTER",)),
        ("18 20 00 00", ("PRN_FATAL",)),
        ("10 40 00 00", ("PRN_OVERHEAT",)),
        ("18 00 0c 00", ("PRN_PAPER_END",)),
        ("10 00 03 00", ("PRN_PAPER_NEAR_END",)),
        ("18 00 00 00", ("PRN_OFFLINE",)),
    ],
)
def test_asb_bits(data, faults):
    assert faults == asb_faults(Asb(bytes.fromhex(data)))


def test_near_end_warns_and_does_not_block():
    assert ("PRN_PAPER_END",) == blocking(("PRN_PAPER_NEAR_END", "PRN_PAPER_END"))
    assert ("PRN_PAPER_NEAR_END",) == inband_paper_faults(0x03)
    assert ("PRN_PAPER_END",) == inband_paper_faults(0x0F)
