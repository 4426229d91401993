"""The stream is cut into the same commands however it arrives."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.sim.printer.commands import Command, Cutter
from fep.sim.printer.realtime import Ask, Order, Watch
from tests.unit.sim_printer.bench import fence, qr, raster

SAMPLES = [
    b"A", b"\n", b"\x00", b"\x1b@", b"\x1bE\x01", b"\x1bp\x002\x32", b"\x1b$\x10\x00",
    b"\x1bD\x08\x10\x00", b"\x1b*\x21\x02\x00abcdef", b"\x1c&", b"\x1c!\x0c", b"\x1dV\x00",
    b"\x1dVB\x10", b"\x1dk\x02123456789012\x00", b"\x1dk\x49\x03abc", b"\x1d*\x01\x0112345678",
    b"\x1d8L\x05\x00\x00\x00abcde", b"\x10\x04\x01", b"\x10\x05\x02", b"\x10\x14\x01\x00\x01",
    b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", fence(b"AB12"), raster(3, 2),
]  # fmt: skip


def cut(chunks: list[bytes]) -> list[Command]:
    cutter, buffer, found = Cutter(), bytearray(), []
    for chunk in chunks:
        buffer += chunk
        while (command := cutter.next(buffer)) is not None:
            found.append(command)
    return found


def split_at(data: bytes, points: list[int]) -> list[bytes]:
    edges = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample[:4].hex())
def test_a_command_ends_where_the_next_one_begins(sample):
    assert [sample, b"\x1b@", b"x"] == [c.raw for c in cut([sample + b"\x1b@x"])]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_any_splitting_of_any_bytes_gives_the_same_commands(data, points):
    assert cut([data]) == cut(split_at(data, points))


@given(
    st.lists(st.sampled_from(SAMPLES), max_size=20).map(b"".join),
    st.lists(st.integers(0, 1000), max_size=12),
)
def test_any_splitting_of_real_commands_gives_the_same_commands(data, points):
    whole = cut([data])

    assert whole == cut(split_at(data, points))
    assert data == b"".join(command.raw for command in whole)
    assert [] == [command for command in whole if not command.known]


def test_an_unknown_command_is_two_bytes_and_said_to_be_unknown():
    assert [Command(b"\x1bZ", known=False), Command(b"A")] == cut([b"\x1bZA"])


def test_a_picture_larger_than_the_buffer_leaves_the_buffer_as_it_comes():
    cutter, buffer = Cutter(), bytearray()
    picture = raster(72, 400)

    for start in range(0, len(picture) - 4096, 4096):
        buffer += picture[start : start + 4096]
        assert cutter.next(buffer) is None
        assert bytearray() == buffer


def test_a_length_beyond_any_paper_is_taken_for_noise():
    claim = b"\x1dv0\x00\xff\xff\xff\xff"

    assert Command(b"\x1dv", b"0\x00\xff\xff\xff\xff", known=True) == cut([claim])[0]


def watched(chunks: list[bytes]) -> list[Order]:
    watch = Watch()
    orders = [watch.see(byte) for chunk in chunks for byte in chunk]
    return [order for order in orders if order is not None]


@pytest.mark.parametrize(
    ("data", "orders"),
    [
        (b"\x10\x04\x01", [Order(Ask.STATUS, 1)]),
        (b"\x10\x04\x05", []),
        (b"\x10\x05\x01\x10\x05\x02", [Order(Ask.RECOVER), Order(Ask.RECOVER_CLEARED)]),
        (b"\x10\x14\x01\x00\x01", [Order(Ask.PULSE)]),
        (b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", [Order(Ask.CLEAR)]),
        (b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x09", []),
        (b"\x10\x10\x04\x02", [Order(Ask.STATUS, 2)]),
        (raster(1, 1) + b"ab\x10\x04\x04cd", [Order(Ask.STATUS, 4)]),
        (qr(b"\x10\x04\x03"), [Order(Ask.STATUS, 3)]),
    ],
)
def test_real_time_commands_are_seen_anywhere_in_the_stream(data, orders):
    assert orders == watched([data])
