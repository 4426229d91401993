"""Bugs in the till and its driver that random schedules must find without knowing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from drivers.mispos.driver import Mispos
from fep.domain.payment import PaymentState, Step, Verdict
from fep.store import payments, settlements

Soil = Callable[[Any, str, Any], None]
PAY_BUGS: dict[str, Callable[[Soil], None]] = {}


def bug(plant: Callable[[Soil], None]) -> Callable[[Soil], None]:
    """Enter a planted bug."""
    PAY_BUGS[plant.__name__] = plant
    return plant


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have a bug in for a while."""
    undo: list[tuple[Any, str, Any]] = []

    def soil(owner: Any, attribute: str, value: Any) -> None:
        undo.append((owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, value)

    PAY_BUGS[name](soil)
    try:
        yield
    finally:
        for owner, attribute, value in reversed(undo):
            setattr(owner, attribute, value)


@bug
def sent_again_on_silence(soil: Soil) -> None:
    """The driver sends a payment again when it hears nothing."""
    run = Mispos.run

    async def again(self: Any, order: Any, on_ack: Any) -> Any:
        reply = await run(self, order, on_ack)
        return await run(self, order, on_ack) if reply.verdict is Verdict.SILENT else reply

    soil(Mispos, "run", again)


@bug
def any_refusal_is_sent_again(soil: Soil) -> None:
    """Every refusal without an acknowledgement is taken for a damaged frame."""
    soil(Mispos, "_resend", lambda _self, _code: True)


@bug
def silence_is_no(soil: Soil) -> None:
    """What nobody knows is booked as not charged."""
    step_of = payments.step_of

    def sure(verdict: Verdict) -> Step:
        return Step.DECLINED if verdict is Verdict.SILENT else step_of(verdict)

    soil(payments, "step_of", sure)


@bug
def a_start_forgets_what_had_left(soil: Soil) -> None:
    """After a crash everything that was sent counts as not sent."""
    decide = payments.decide

    def forgetful(state: PaymentState, step: Step, *, acked: bool) -> Any:
        if step is Step.RESTART:
            return PaymentState.NOT_SENT, ()
        return decide(state, step, acked=acked)

    soil(payments, "decide", forgetful)


@bug
def a_start_recovers_nothing(soil: Soil) -> None:
    """What was under way when the daemon ended is left as it is."""
    soil(payments, "recover_txn", lambda _tx: ())


@bug
def a_second_press_is_a_second_payment(soil: Soil) -> None:
    """Nobody looks whether the event was paid already."""
    soil(payments, "_unpaid", lambda _conn, _wish: None)


@bug
def a_settlement_proves_too_much(soil: Soil) -> None:
    """Whatever the totals say, the unknown ones count as charged."""
    soil(settlements, "settled", lambda _t, _a, unknown: (Step.SAY_CHARGED,) * len(unknown))
