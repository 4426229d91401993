"""The till: payments at terminals, for business systems. One payment per key, for ever.

`payment.pay/void/refund` answer when the outcome is durable, and that may be `unknown`: then
nobody is charged again before it is known. A repeated call waits for the same payment; a wait
that runs out answers what is known so far, and the payment goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.python.failure import Failure

from fep.domain.faults import Refused, refuse
from fep.domain.money import format_fen
from fep.domain.payment import OPEN, Op, PaymentState, Way
from fep.ports import Clock
from fep.services import schemas_payments as shapes
from fep.services.callers import Caller
from fep.services.methods import Method
from fep.services.till_drawer import Drawer, TerminalHealth
from fep.services.till_telling import told_of, told_of_settlement
from fep.services.till_terminal import Guarded, MakeTerminal, make_terminal
from fep.settings_device import DeviceSettings
from fep.store import payments, queries_payments
from fep.store.payments import Payment, Wish
from fep.store.settlements import Settlement
from fep.store.writer import Store
from fep.wire.fields import Fields

T = TypeVar("T")
WAIT_S, WAIT_HTTP_S = 300, 50
"""How long a call waits for the outcome unless it says so; an HTTP request lives one minute."""
DONE, SHOWN = "payment.done", "payment.shown"

Listener = Callable[[str, str, dict[str, Any]], None]
"""Told the topic, the unit and the members of a notification."""


class Till:
    """All terminals of this machine."""

    def __init__(self, reactor: Any, clock: Clock, store: Store,
                 terminals: tuple[DeviceSettings, ...], log: Any,
                 make: MakeTerminal = make_terminal) -> None:  # fmt: skip
        self._reactor = reactor
        self._store = store
        self._log = log
        self._listener: Listener = lambda _topic, _unit, _members: None
        self._drawers = {}
        for settings in terminals:
            if settings.enabled:
                fenced = Guarded(reactor, clock, settings, make, log)
                drawer = Drawer(reactor, store, settings, fenced, log)
                drawer.on_done, drawer.on_shown = self.told, self._shown
                self._drawers[settings.id] = drawer
        self._waiters: dict[int, list[Deferred[Any]]] = {}

    # from the node
    def listen(self, listener: Listener) -> None:
        """Have a listener told of every payment that ends, or of which nobody knows."""
        self._listener = listener

    async def start(self) -> None:
        """Take back what was open when the daemon ended, then let the terminals work."""
        for row in await self._store.do("payment.recover", payments.recover_txn):
            self._log.warning("payment.recovered", payment=row.id, state=row.state.value)
        for drawer in self._drawers.values():
            drawer.start()

    def stop(self) -> None:
        """Give the terminals back."""
        for drawer in self._drawers.values():
            drawer.stop()

    # from a business system
    def methods(self) -> dict[str, Method]:
        """Return the table of these methods."""
        asked, told = shapes, shapes.PaymentAnswer
        return {
            "payment.pay": Method("pay", self.pay, "take money at a terminal", asked.PayAsked,
                                  told),
            "payment.void": Method("pay", self.void, "take a payment of the open batch back",
                                   asked.VoidAsked, told),
            "payment.refund": Method("pay", self.refund, "give money of a payment back",
                                     asked.RefundAsked, told),
            "payment.inquire": Method("pay", self.inquire, "ask the terminal for an unknown one",
                                      asked.InquireAsked, told),
            "payment.cancel": Method("pay", self.cancel, "let the payer of a payment go",
                                     asked.KeyAsked, told),
            "payment.tie": Method("pay", self.tie, "say for which event the money of one is",
                                  asked.TieAsked, told),
            "payment.reprint": Method("pay", self.reprint, "print the terminal's slip again",
                                      asked.KeyAsked, told),
            "payment.get": Method("query", self.get, "one payment and what is known of it",
                                  asked.KeyAsked, told),
            "payment.list": Method("query", self.of_event,
                                   "what was paid and given back for an event",
                                   asked.EventAsked, asked.PaymentsAnswer),
            "payment.settle": Method("pay", self.settle, "close the batch of a terminal",
                                     asked.SettleAsked, asked.SettleAnswer),
        }  # fmt: skip

    def pay(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.pay`. Raises Refused REQ_*, AUTH_*, POS_TERMINAL, POS_KEY, POS_QUEUE, and
        POS_FIRST or POS_PAID where the payer may have been charged for that event already."""
        fields = Fields(params)
        unit, key = fields.text("unit", 40, required=True), fields.text("key", 50, required=True)
        point, terminal = fields.text("point", 40), fields.text("terminal", 40, required=True)
        fen, way = fields.fen("amount"), Way(fields.choice("way", tuple(Way), "card"))
        code = fields.text("payer_code", 64, required=way is Way.SCAN)
        receipt, operator = fields.text("receipt_key", 50), fields.text("operator", 50)
        another, wait_s = fields.take("another", bool, False), _wait(caller, fields)
        fields.done()
        caller.scope(unit, point, fen)
        if not 0 < fen < 10**12:
            raise refuse("REQ_FIELD_VALUE", field="amount", value=format_fen(fen), allowed="> 0")
        wish = Wish(unit, key, Op.PAY, way, terminal, fen, receipt, caller.appid, operator,
                    another=another)  # fmt: skip
        return Deferred.fromCoroutine(self._asked(wish, code, wait_s))

    def void(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.void`: the whole payment, in the open batch."""
        return self._back(caller, params, Op.VOID)

    def refund(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.refund`: a part or all, also after the settlement."""
        return self._back(caller, params, Op.REFUND)

    def inquire(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.inquire`."""
        fields = Fields(params)
        row, wait_s = self._of_key(caller, fields), _wait(caller, fields)
        fields.done()
        return Deferred.fromCoroutine(self._inquired(row, wait_s))

    def cancel(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.cancel`: what became of the payment is still the terminal's to say."""
        return Deferred.fromCoroutine(self._cancelled(self._one(caller, params), _wait(caller)))

    def tie(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.tie {unit, key, receipt_key}`."""
        fields = Fields(params)
        receipt = fields.text("receipt_key", 50, required=True)
        row = self._of_key(caller, fields)
        fields.done()
        return Deferred.fromCoroutine(self._tied(row, receipt, caller))

    def reprint(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.reprint {unit, key}`."""
        row = self._one(caller, params)
        return Deferred.fromCoroutine(self._reprinted(row, _wait(caller)))

    def get(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`payment.get {unit, key}`."""
        return self._answer(self._one(caller, params), repeated=True)

    def of_event(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`payment.list {unit, receipt_key}`."""
        fields = Fields(params)
        unit = fields.text("unit", 40, required=True)
        receipt = fields.text("receipt_key", 50, required=True)
        fields.done()
        rows: tuple[Payment, ...] = ()
        if caller.sees(unit):
            rows = self._store.read(queries_payments.of_event_q, unit, receipt)
        return {"payments": [told_of(row) for row in rows]}

    def settle(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.settle {terminal}`; refused while a payment is under way."""
        fields = Fields(params)
        terminal = fields.text("terminal", 40, required=True)
        fields.done()
        if "*" not in caller.units:
            # A batch holds the money of every unit.
            raise refuse("AUTH_SCOPE", unit="*", point="*")
        return Deferred.fromCoroutine(self._settled(terminal, _wait(caller)))

    # from a person
    def terminals(self) -> list[TerminalHealth]:
        """Return how every terminal is, by id."""
        return [self._drawers[id_].health() for id_ in sorted(self._drawers)]

    async def sign_in(self, terminal: str, wait_s: int = WAIT_HTTP_S) -> TerminalHealth:
        """Make a terminal ready. Raises Refused POS_*; POS_WORKING when the wait is over."""
        drawer = self._drawer(terminal)
        await self._within(terminal, wait_s, drawer.make_ready())
        return drawer.health()

    async def settle_terminal(self, terminal: str, wait_s: int = WAIT_HTTP_S) -> Settlement:
        """Close a batch. Raises Refused POS_*; POS_WORKING when the wait is over."""
        return await self._within(terminal, wait_s, self._drawer(terminal).settle())

    async def ask_again(self, id_: int, wait_s: int = WAIT_HTTP_S) -> Payment:
        """Inquire an unknown payment now. Raises Refused POS_*."""
        terminal = self._now(id_).terminal
        return await self._within(terminal, wait_s, self._drawer(terminal).inquire(id_))

    async def print_again(self, id_: int, wait_s: int = WAIT_HTTP_S) -> Payment:
        """Have the terminal print a payment's slip again. Raises Refused POS_*."""
        row = self._now(id_)
        drawer = self._drawer(row.terminal)
        await self._within(row.terminal, wait_s, drawer.reprint(row.serial))
        return row

    async def give_back(self, id_: int, fen: int, who: str, wait_s: int = WAIT_HTTP_S) -> Payment:
        """Give a payment back on a person's word: void it, or refund `fen` of it.

        `fen` 0: what is left; all of it by a void while its batch is open. Raises Refused POS_*.
        """
        first = self._now(id_)
        left: int = self._store.read(payments.left_q, first)
        if 0 < left < first.amount_fen:
            fen = fen or left
        op = Op.REFUND if fen or first.settled_id else Op.VOID
        given: int = self._store.read(payments.back_count_q, id_)
        key, amount = f"back-{id_}-{given + 1}", fen or first.amount_fen
        wish = Wish(first.unit, key, op, first.way, first.terminal, amount, first.receipt_key, "",
                    who[:50], first.key)  # fmt: skip
        told = await self._asked(wish, "", wait_s)
        return self._now(told["payment"]["id"])

    def told(self, row: Payment) -> None:
        """Tell the listener what became of a payment."""
        self._say(DONE, row.unit, told_of(row))

    # inside
    async def _within(self, terminal: str, wait_s: int, work: Coroutine[Any, Any, T]) -> T:
        """Return what a work comes to; it goes on when nobody waits for it any more."""
        outcome: Deferred[T] = Deferred()
        waiting = True

        def ended(found: Any) -> None:
            if waiting:
                outcome.callback(found)
            elif isinstance(found, Failure):
                self._log.warning("terminal.late", terminal=terminal,
                                  why=type(found.value).__name__)  # fmt: skip

        Deferred.fromCoroutine(work).addBoth(ended)
        outcome.addTimeout(wait_s, self._reactor)
        try:
            return await outcome
        except (TimeoutError, CancelledError) as error:
            waiting = False
            raise refuse("POS_WORKING", terminal=terminal) from error

    def _shown(self, row: Payment, text: str) -> None:
        told = {"unit": row.unit, "key": row.key, "terminal": row.terminal, "text": text}
        self._say(SHOWN, row.unit, told)

    def _say(self, topic: str, unit: str, members: dict[str, Any]) -> None:
        try:
            self._listener(topic, unit, members)
        except Exception as error:
            # Whoever listens must not come between the terminal and what is stored of it.
            self._log.error("payment.told", topic=topic, why=type(error).__name__)

    def _drawer(self, terminal: str) -> Drawer:
        if terminal not in self._drawers:
            raise refuse("POS_TERMINAL", terminal=terminal)
        return self._drawers[terminal]

    def _now(self, id_: int) -> Payment:
        row: Payment | None = self._store.read(payments.payment_q, id_)
        if row is None:
            raise refuse("POS_NONE")
        return row

    def _one(self, caller: Caller, params: Any) -> Payment:
        fields = Fields(params)
        row = self._of_key(caller, fields)
        fields.done()
        return row

    def _of_key(self, caller: Caller, fields: Fields) -> Payment:
        unit, key = fields.text("unit", 40, required=True), fields.text("key", 50, required=True)
        row: Payment | None = self._store.read(payments.by_key_q, unit, key)
        if row is None or not caller.sees(unit):
            raise refuse("POS_NONE")
        return row

    def _back(self, caller: Caller, params: Any, op: Op) -> Deferred[dict[str, Any]]:
        fields = Fields(params)
        unit, key = fields.text("unit", 40, required=True), fields.text("key", 50, required=True)
        of = fields.text("of", 50, required=True)
        operator = fields.text("operator", 50)
        fen = fields.fen("amount") if op is Op.REFUND else 0
        wait_s = _wait(caller, fields)
        fields.done()
        caller.scope(unit, "", fen)
        first: Payment | None = self._store.read(payments.by_key_q, unit, of)
        if first is None:
            raise refuse("POS_NONE")
        if op is Op.REFUND and fen <= 0:
            raise refuse("REQ_FIELD_VALUE", field="amount", value=format_fen(fen), allowed="> 0")
        wish = Wish(unit, key, op, first.way, first.terminal, fen or first.amount_fen,
                    first.receipt_key, caller.appid, operator, of)  # fmt: skip
        return Deferred.fromCoroutine(self._asked(wish, "", wait_s))

    async def _asked(self, wish: Wish, code: str, wait_s: int) -> dict[str, Any]:
        drawer = self._drawer(wish.terminal)
        if self._store.read(payments.by_key_q, wish.unit, wish.key) is None:
            drawer.room()
        row, new = await self._store.do("payment.create", payments.create_txn, wish)
        if new:
            self._waiters[row.id] = []
            work = Deferred.fromCoroutine(self._carried(drawer, row.id, code))
            work.addBoth(self._over, row.id)
        return self._answer(await self._joined(row.id, wait_s), repeated=not new)

    async def _carried(self, drawer: Drawer, id_: int, code: str) -> None:
        try:
            await drawer.carry(id_, code)
        except Refused as refused:
            # What was not sent yet never will be; anything else stays as it is stored.
            await drawer.drop(id_, refused.code)

    def _over(self, outcome: Any, id_: int) -> None:
        failed = isinstance(outcome, Failure)
        if failed:
            # Only the store can fail here; its own watch decides what that means for the node.
            self._log.error("payment.carry", payment=id_, why=type(outcome.value).__name__)
        for waiter in self._waiters.pop(id_):
            waiter.callback(outcome if failed else None)

    async def _joined(self, id_: int, wait_s: int) -> Payment:
        """Return a payment when nothing is under way with it any more, or the wait is over."""
        waiters = self._waiters.get(id_)
        if waiters is not None:
            waiter: Deferred[Any] = Deferred()
            waiters.append(waiter)
            waiter.addTimeout(wait_s, self._reactor)
            try:
                await waiter
            except (TimeoutError, CancelledError):
                waiters.remove(waiter)
        return self._now(id_)

    async def _inquired(self, row: Payment, wait_s: int) -> dict[str, Any]:
        row = await self._joined(row.id, wait_s)
        if row.state is PaymentState.UNKNOWN:
            row = await self.ask_again(row.id, wait_s)
        return self._answer(row, repeated=True)

    async def _cancelled(self, row: Payment, wait_s: int) -> dict[str, Any]:
        drawer = self._drawer(row.terminal)
        if row.state is PaymentState.CREATED:
            row = await drawer.drop(row.id, "POS_CANCELLED")
        if row.state in OPEN:
            drawer.cancel(row.id)
        return self._answer(await self._joined(row.id, wait_s), repeated=True)

    async def _tied(self, row: Payment, receipt: str, caller: Caller) -> dict[str, Any]:
        tied = await self._store.do("payment.tie", payments.tie_txn, row.id, receipt, "",
                                    caller.appid)  # fmt: skip
        return self._answer(tied, repeated=True)

    async def _reprinted(self, row: Payment, wait_s: int) -> dict[str, Any]:
        return self._answer(await self.print_again(row.id, wait_s), repeated=True)

    def _answer(self, row: Payment, *, repeated: bool) -> dict[str, Any]:
        drawer = self._drawers.get(row.terminal)
        shown = drawer.shown(row.id) if drawer is not None else ""
        return {"payment": told_of(row, shown), "repeated": repeated}

    async def _settled(self, terminal: str, wait_s: int) -> dict[str, Any]:
        return {"settlement": told_of_settlement(await self.settle_terminal(terminal, wait_s))}


def _wait(caller: Caller, fields: Fields | None = None) -> int:
    """Return how many seconds a call waits for the outcome. Raises Refused REQ_FIELD_*."""
    default = WAIT_S if caller.line is not None else WAIT_HTTP_S
    wait: int = default if fields is None else fields.take("wait_s", int, default)
    if not 0 <= wait <= WAIT_S:
        raise refuse("REQ_FIELD_VALUE", field="wait_s", value=str(wait), allowed=f"0 - {WAIT_S}")
    return min(wait, default)
