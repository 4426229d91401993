"""The cable does what its knobs say, and the same again with the same seed."""

from __future__ import annotations

import pytest

from fep.sim.dice import Dice
from fep.sim.printer.cable import Cable
from fep.sim.printer.knobs import ByteFault, Knobs


def cable(seed: int = 1, **knobs: object) -> Cable:
    return Cable(Knobs(**knobs), Dice(seed))  # type: ignore[arg-type]  # names of knobs


def test_without_knobs_bytes_pass_untouched():
    assert [(0.0, b"abc")] == cable().sent(b"abc")
    assert b"abc" == cable().received(b"abc")


@pytest.mark.parametrize(("kind", "arrived"), [("drop", b"abd"), ("duplicate", b"abccd")])
def test_the_nth_byte_is_struck_over_chunks_and_once(kind, arrived):
    c = cable(faults=[ByteFault("rx", kind, 3)])

    assert arrived == c.received(b"ab") + c.received(b"cd")
    assert b"abcd" == c.received(b"abcd")


def test_a_corrupt_byte_differs_in_one_bit():
    arrived = cable(faults=[ByteFault("tx", "corrupt", 2)]).sent(b"abc")[0][1]

    assert (b"a", b"c") == (arrived[:1], arrived[2:])
    assert 1 == (arrived[1] ^ b"b"[0]).bit_count()


def test_a_fault_counts_from_when_it_is_set():
    knobs = Knobs()
    c = Cable(knobs, Dice(1))
    c.received(b"xyz")

    knobs.faults.append(ByteFault("rx", "drop", 1))

    assert b"bc" == c.received(b"abc")


def test_directions_do_not_mix():
    c = cable(faults=[ByteFault("rx", "drop", 1)])

    assert [(0.0, b"abc")] == c.sent(b"abc")


def test_split_replies_join_up_again_and_never_overtake():
    chunks = cable(split_bytes=3, latency_s=0.5).sent(bytes(range(50)))

    assert bytes(range(50)) == b"".join(chunk for _delay, chunk in chunks)
    assert len(chunks) > 16
    assert sorted(chunks) == chunks


def test_one_seed_gives_one_noise():
    data = bytes(1000)
    runs = [cable(seed, noise=0.05).sent(data) for seed in (7, 7, 8)]

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_connection_breaks_after_the_nth_byte_and_once():
    c = cable(hang_up_at=4)

    assert [(b"abc", False), (b"d", True), (b"efgh", False)] == [
        c.until_hang_up(data) for data in (b"abc", b"de", b"efgh")
    ]
