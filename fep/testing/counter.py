"""A terminal's driver at the kit's cable, its simulator behind it, and the judge of the money.

The rule: `approved` is one debit in the host's own books, `declined`, `cancelled`, `not_sent`
and `absent` are none, what stays unknown is at most one; nothing is ever paid twice here.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.internet.task import deferLater

from fep.domain.faults import fault
from fep.domain.payment import Op, Order, PayReply, Verdict, Way
from fep.ports import PaymentTerminal
from fep.testing.cable import Cable
from fep.testing.cable import Way as Reached

LOOK_S = 0.01
OPEN = (Verdict.SILENT, Verdict.MISMATCH)
CODE = "134567890123456789"


class Terminal(Protocol):
    """The device, played by the author of the driver. It listens on TCP at `port`."""

    port: int

    def debits(self, serial: str) -> int:
        """Return how often a serial was charged and not taken back, by the host's own books."""

    def stop(self) -> Awaitable[None]:
        """End; every socket and timer is gone then."""


@dataclass
class Counter:
    """A terminal, a cable, a driver, and every payment that was tried."""

    reactor: Any
    way: Reached
    cable: Cable
    device: Terminal
    driver: PaymentTerminal
    payer_shows: bool
    patience_s: float
    paid: dict[str, PayReply] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    async def ready(self) -> str:
        """Prepare until it is fit, bounded; returns the fault that stays, or empty."""
        end = self.reactor.seconds() + self.patience_s
        while (told := await self.driver.prepare()) and self.reactor.seconds() < end:
            self.judge_words(told)
            await deferLater(self.reactor, LOOK_S)
        return told

    def order(self) -> Order:
        """Return the next order; its serial is used once."""
        number = len(self.paid) + 1
        serial = f"2611211200{number:010d}"
        self.paid[serial] = PayReply(Verdict.SILENT)
        scan = self.payer_shows
        way, code = (Way.SCAN, CODE) if scan else (Way.CARD, "")
        return Order(number, Op.PAY, way, serial, 1000 + number, "李收费", code)

    async def pay(self) -> tuple[Order, PayReply]:
        """Carry one payment out and judge what is said; nothing is asked again."""
        order = self.order()
        reply = await self.driver.run(order, lambda: None)
        self._note(order, reply)
        return order, reply

    async def clear_up(self, order: Order) -> PayReply:
        """Inquire until it is known; note one that stays open though it can be asked."""
        end = self.reactor.seconds() + self.patience_s
        while (reply := self.paid[order.serial]).verdict in OPEN and self.driver.can_inquire:
            if self.reactor.seconds() > end:
                self.wrong.append(f"{order.serial}: still {reply} though nothing is wrong")
                break
            self._note(order, await self.driver.inquire(order))
            await deferLater(self.reactor, LOOK_S)
        return reply

    async def good(self) -> None:
        """Pay when nothing is wrong: it must be approved."""
        told = await self.ready()
        order, _ = await self.pay()
        reply = await self.clear_up(order)
        if told or reply.verdict is not Verdict.APPROVED:
            self.wrong.append(f"{order.serial}: {told} {reply} although nothing is wrong")

    def _note(self, order: Order, reply: PayReply) -> None:
        self.paid[order.serial] = reply
        self.judge_words(reply.fault)

    def judge_words(self, code: str) -> None:
        """Note a fault that is not in the catalogue."""
        if not code:
            return
        try:
            fault(code)
        except KeyError:
            self.wrong.append(f"fault {code!r} is not in the catalogue")

    def audit(self) -> list[str]:
        """Return everything that breaks the rule, over all payments so far."""
        wrong = list(self.wrong)
        for serial, reply in self.paid.items():
            debits = self.device.debits(serial)
            if reply.verdict is Verdict.APPROVED:
                fits = debits == 1
            else:
                fits = debits <= (reply.verdict in OPEN)
            if not fits:
                wrong.append(f"{serial}: {reply.verdict} {reply.fault}, but {debits} debits")
        return wrong
