"""Every byte of a payment, both ways, cut, bent, lost or doubled: never two debits, never a lie."""

from __future__ import annotations

import pytest

from fep.domain.payment import PayReply, Verdict
from tests.device.pos_rig import Counter, Harm, order

ENDED = (Verdict.APPROVED, Verdict.DECLINED, Verdict.NOT_SENT, Verdict.ABSENT)
MOST = 400  # bytes of one direction; a payment has fewer


def outcome(counter: Counter) -> PayReply:
    """Pay, and inquire as the till does until the terminal has spoken."""
    reply: PayReply = counter.done(counter.driver.run(order(), lambda: counter.acks.append("x")))
    for _ in range(12):
        if reply.verdict is not Verdict.SILENT:
            break
        counter.clock.advance(5.0)
        reply = counter.done(counter.driver.inquire(order()))
    return reply


@pytest.mark.parametrize("way", ["out", "back"])
@pytest.mark.parametrize("what", ["cut", "bent", "lost", "twice"])
def test_one_harmed_byte_never_charges_twice_and_never_lies(what: str, way: str):
    seen = set()
    for at in range(MOST):
        counter = Counter(card_s=1.0)
        assert counter.done(counter.driver.prepare()) == ""
        counter.cable.harm = harm = Harm(what, way, at)

        reply = outcome(counter)

        debits = counter.host.debits(order().serial)
        assert reply.verdict in ENDED, (what, way, at, reply)
        assert debits == (reply.verdict is Verdict.APPROVED), (what, way, at, reply)
        if reply.verdict is Verdict.APPROVED:
            kept, told = counter.terminal.book.entries[-1], reply.record
            assert (kept.ref, kept.trace, kept.at) == (told.ref, told.trace, told.at)
        if not harm.struck:
            break
        seen.add(reply.verdict)

    assert 100 < at < MOST, "the payment's bytes were all harmed in turn"
    assert Verdict.APPROVED in seen
