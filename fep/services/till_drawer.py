"""One terminal at the till: one command at a time, and what is unknown is asked before it.

Rules: the intent is committed before the first byte; a financial command is sent once, then only
inquired (I11); while an unknown payment has not been inquired the terminal takes no new one;
a batch that the terminal closed without us is closed in our books before the next payment.
Every wait has a bound. What a stop interrupts stays in the store for the next start.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredLock, TimeoutError
from twisted.internet.task import deferLater

from fep.domain.faults import Refused, refuse
from fep.domain.payment import (
    INQUIRE_EVERY_S,
    INQUIRIES_MAX,
    OPEN,
    Order,
    PaymentState,
    PayReply,
    Totals,
    Verdict,
)
from fep.services.till_terminal import Guarded
from fep.settings_device import DeviceSettings
from fep.store import payments, queries_payments, settlements
from fep.store.payments import Payment
from fep.store.settlements import Settlement
from fep.store.writer import Store

P = ParamSpec("P")
T = TypeVar("T")
WAITING_MAX = 8
WAIT_S = 60.0  # a payment whose turn comes later would surprise the cashier
LATER_S = 60.0
UNKNOWN_MAX = 1000  # unknown payments of one terminal; beyond, nothing new is taken
SHOWN_MAX = 512


@dataclass(frozen=True, slots=True)
class TerminalHealth:
    """A terminal as people see it. `state`: ready, busy, recovering, fault or stopped."""

    id: str
    group: str
    driver: str
    address: str
    state: str
    fault: str
    waiting: int
    unknown: int


class Drawer:
    """Carries the payments of one terminal."""

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, store: Store, settings: DeviceSettings, terminal: Guarded,
                 log: Any) -> None:  # fmt: skip
        self.settings = settings
        self.on_shown: Callable[[Payment, str], None] = lambda _row, _text: None
        self.on_done: Callable[[Payment], None] = lambda _row: None
        self._reactor = reactor
        self._store = store
        self._terminal = terminal
        self._log = log
        self._lock = DeferredLock()
        self._waiting = 0
        self._fault = ""
        self._asked: set[int] = set()  # unknown payments that the terminal has answered for
        self._recovering = False
        self._stopped = True
        self._sleep: Any = None
        self._under_way = 0  # the payment the terminal is busy with, 0 for none
        self._shown = ""
        terminal.listen(self._show)

    # from the till
    def start(self) -> None:
        """Take work; what the last run left unknown is inquired first."""
        self._stopped = False
        self._look_later()

    def stop(self) -> None:
        """Give the terminal back; what is under way stays in the store."""
        self._stopped = True
        if self._sleep is not None:
            self._sleep.cancel()
        self._terminal.close()

    def health(self) -> TerminalHealth:
        """Return how it is."""
        unknown = len(self._unknown())
        state = "ready"
        if self._stopped:
            state = "stopped"
        elif self._lock.locked:
            state = "busy"
        elif self._unasked():
            state = "recovering"
        elif self._fault:
            state = "fault"
        return TerminalHealth(
            self.settings.id, self.settings.group, self.settings.driver,
            self.settings.transport.address, state, self._fault, self._waiting, unknown,
        )  # fmt: skip

    def room(self) -> None:
        """Raises Refused POS_RECOVERING, POS_QUEUE unless one more may wait."""
        if self._stopped:
            raise refuse("POS_RECOVERING", terminal=self.settings.id)
        if self._waiting >= WAITING_MAX:
            raise refuse("POS_QUEUE", terminal=self.settings.id)

    async def carry(self, id_: int, code: str) -> Payment:
        """Carry a created payment out; returns it ended, unknown, or open when we stop."""
        return await self._alone(self._carry, id_, code)

    async def drop(self, id_: int, fault: str) -> Payment:
        """Give up a payment that has not left; one that has stays as it is stored."""
        before = self._now(id_).state
        row = await self._store.do("payment.drop", payments.drop_txn, id_, fault)
        if row.state is not before:
            self.on_done(row)
        return row

    async def inquire(self, id_: int) -> Payment:
        """Ask for an unknown payment once more."""
        return await self._alone(self._inquire, id_)

    def cancel(self, id_: int) -> None:
        """Ask the terminal to let the payer of a payment go, if it is the one under way."""
        if self._under_way == id_:
            self._terminal.cancel()

    def shown(self, id_: int) -> str:
        """Return what the terminal last wanted shown to the payer of a payment under way."""
        return self._shown if self._under_way == id_ else ""

    async def make_ready(self) -> None:
        """Inquire what is unknown and sign in. Raises Refused with the fault that hinders."""
        fault = await self._alone(self._ready)
        self._fault = fault
        if fault:
            raise refuse(fault, terminal=self.settings.id)

    async def reprint(self, serial: str) -> None:
        """Have the terminal print its own slip again. Raises Refused with what hinders."""
        fault = await self._alone(self._terminal.reprint, serial)
        if fault:
            raise refuse(fault, terminal=self.settings.id, text="")

    async def settle(self) -> Settlement:
        """Close the batch. Raises Refused POS_BUSY while a payment is under way, and DEV_*."""
        if self._lock.locked or self._waiting:
            raise refuse("POS_BUSY", terminal=self.settings.id)
        return await self._alone(self._settle)

    # one at a time
    async def _alone(self, work: Callable[P, Awaitable[T]], *args: P.args, **more: P.kwargs) -> T:
        self.room()
        self._waiting += 1
        try:
            turn = self._lock.acquire()
            turn.addTimeout(WAIT_S, self._reactor)
            try:
                await turn
            except (TimeoutError, CancelledError) as error:
                raise refuse("POS_BUSY", terminal=self.settings.id) from error
            try:
                return await work(*args, **more)
            finally:
                self._lock.release()
        finally:
            self._waiting -= 1

    async def _carry(self, id_: int, code: str) -> Payment:
        found = self._now(id_)
        if found.state is not PaymentState.CREATED:
            return found  # cancelled while it waited
        fault = "POS_RECOVERING" if self._stopped else await self._ready()
        if fault:
            self._fault = fault
            return await self.drop(id_, fault)
        self._fault = ""
        order = self._store.read(payments.order_q, id_, code)
        try:
            await self._store.do("payment.send", payments.send_txn, id_, self._terminal.batch)
        except Refused as refused:
            return await self.drop(id_, refused.code)
        if self._ending():
            return self._now(id_)  # the next start inquires it and finds no record
        self._under_way = id_
        try:
            reply = await self._terminal.run(order, lambda: self._acked(id_))
        finally:
            self._under_way, self._shown = 0, ""
        if reply.verdict is Verdict.SILENT:
            reply = await self._find_out(order, reply)
        if self._ending() and reply.verdict is Verdict.SILENT:
            return self._now(id_)
        found = await self._stored(id_, reply)
        if found.state is PaymentState.UNKNOWN:
            self._log.warning("payment.unknown", payment=id_, terminal=self.settings.id,
                              fault=found.fault)  # fmt: skip
            if reply.verdict is not Verdict.SILENT:
                self._asked.add(id_)
            self._look_later()
        return found

    async def _ready(self) -> str:
        """Inquire what is unknown, sign in, settle a full batch; returns a fault or empty."""
        if not await self._look_back():
            return "POS_RECOVERING"
        fault = await self._terminal.prepare()
        if fault == "POS_BATCH_FULL":
            await self._settle()
            fault = await self._terminal.prepare()
        if not fault:
            await self._catch_up()
        return fault

    async def _catch_up(self) -> None:
        """Close the batches in our books that the terminal closed without us, at night by itself
        or while we were away; one that it cannot tell of just now waits."""
        batch = self._terminal.batch
        left = self._store.read(settlements.left_open_q, self.settings.id, batch) if batch else ()
        if not left:
            return
        totals = await self._terminal.last_settled()
        if isinstance(totals, str) and totals != "POS_ABSENT":
            return
        for one in left:
            if not isinstance(totals, str) and totals.batch == one:
                await self._close(totals)
            else:
                await self._store.do("payment.lose", settlements.lose_txn, self.settings.id, one)
            self._log.warning("payment.batch", terminal=self.settings.id, batch=one)

    async def _find_out(self, order: Order, said: PayReply) -> PayReply:
        """Ask for the record, a bounded number of times; the command itself never goes again."""
        if not self._terminal.can_inquire:
            return said
        for turn in range(INQUIRIES_MAX):
            if turn:
                await self._pause(INQUIRE_EVERY_S)
            if self._stopped:
                break
            reply = await self._terminal.inquire(order)
            if reply.verdict is not Verdict.SILENT:
                return reply
        return said

    async def _inquire(self, id_: int) -> Payment:
        found = self._now(id_)
        if found.state is not PaymentState.UNKNOWN or not self._terminal.can_inquire:
            return found
        return await self._ask_for(id_)

    async def _ask_for(self, id_: int) -> Payment:
        reply = await self._terminal.inquire(self._store.read(payments.order_q, id_))
        if reply.verdict is not Verdict.SILENT:
            self._asked.add(id_)
            self._fault = ""
        else:
            self._fault = reply.fault
        return await self._stored(id_, reply, inquired=True)

    async def _settle(self) -> Settlement:
        if not await self._look_back():
            raise refuse("POS_RECOVERING", terminal=self.settings.id)
        fault = await self._terminal.prepare()
        if fault and fault != "POS_BATCH_FULL":
            raise refuse(fault, terminal=self.settings.id)
        await self._catch_up()
        totals = await self._terminal.settle()
        if isinstance(totals, str):
            raise refuse(totals, terminal=self.settings.id)
        return await self._close(totals)

    async def _close(self, totals: Totals) -> Settlement:
        before = self._unknown()
        made = await self._store.do("payment.settle", settlements.settle_txn, self.settings.id,
                                    totals)  # fmt: skip
        for row in map(self._now, (row.id for row in before)):
            if row.state is not PaymentState.UNKNOWN:
                self.on_done(row)
        return made

    # what is unknown
    async def _look_back(self) -> bool:
        """Inquire every unknown payment not answered for yet; False when one stays silent."""
        unknown = self._unknown() if self._terminal.can_inquire else ()
        self._asked.intersection_update(row.id for row in unknown)
        if len(unknown) >= UNKNOWN_MAX:
            return False
        for row in unknown:
            if row.id in self._asked:
                continue
            if self._stopped:
                return False
            await self._ask_for(row.id)
            if row.id not in self._asked:
                return False
        return True

    def _unknown(self) -> tuple[Payment, ...]:
        return self._store.read(queries_payments.unknown_q, self.settings.id, UNKNOWN_MAX)

    def _unasked(self) -> list[Payment]:
        if not self._terminal.can_inquire:
            return []
        return [row for row in self._unknown() if row.id not in self._asked]

    def _look_later(self) -> None:
        if self._recovering or self._stopped or not self._unasked():
            return
        self._recovering = True
        done = Deferred.fromCoroutine(self._recover())
        done.addErrback(lambda failure: self._log.error("payment.recover", why=str(failure.value)))

    async def _recover(self) -> None:
        try:
            turn = 0
            while not self._stopped and self._unasked():
                if turn:
                    await self._pause(INQUIRE_EVERY_S if turn < INQUIRIES_MAX else LATER_S)
                turn += 1
                await self._lock.acquire()
                try:
                    if not self._stopped:
                        await self._look_back()
                finally:
                    self._lock.release()
        finally:
            self._recovering = False

    # small steps
    def _ending(self) -> bool:
        """Say whether a stop came while something else was waited for."""
        return self._stopped

    async def _pause(self, seconds: float) -> None:
        self._sleep = deferLater(self._reactor, seconds)
        try:
            await self._sleep
        except CancelledError:
            self._log.info("payment.stopped", terminal=self.settings.id)
        finally:
            self._sleep = None

    def _show(self, text: str) -> None:
        if self._under_way:
            self._shown = text[:SHOWN_MAX]
            self.on_shown(self._now(self._under_way), self._shown)

    def _acked(self, id_: int) -> None:
        done = self._store.do("payment.ack", payments.ack_txn, id_)
        done.addErrback(lambda failure: self._log.error("payment.ack", why=str(failure.value)))

    async def _stored(self, id_: int, reply: PayReply, *, inquired: bool = False) -> Payment:
        before = self._now(id_).state
        row = await self._store.do("payment.reply", _reply_txn, id_, reply, inquired)
        if row.state is not before and row.state not in OPEN:
            self.on_done(row)
        return row

    def _now(self, id_: int) -> Payment:
        found = self._store.read(payments.payment_q, id_)
        assert found is not None, id_
        return found


def _reply_txn(tx: Any, id_: int, reply: PayReply, inquired: bool) -> Payment:
    return payments.reply_txn(tx, id_, reply, inquired=inquired)
