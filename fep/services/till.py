"""The till: payments at terminals, for business systems. One payment per key, for ever.

`payment.pay/void/refund` answer when the outcome is durable, and that may be `unknown`: then
nobody is charged again before it is known. A repeated call waits for the same payment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from fep.domain.faults import Refused, refuse
from fep.domain.money import format_fen
from fep.domain.payment import OPEN, Op, PaymentState, PayReply, Verdict, Way
from fep.plug import load_driver
from fep.ports import Clock, PaymentTerminal
from fep.services import schemas_payments as shapes
from fep.services.callers import Caller
from fep.services.methods import Method
from fep.services.till_drawer import Drawer, TerminalHealth
from fep.services.till_telling import told_of, told_of_settlement
from fep.settings_device import DeviceSettings
from fep.store import payments
from fep.store.payments import Payment, Settlement, Wish
from fep.store.writer import Store
from fep.wire.fields import Fields

MakeTerminal = Callable[[Any, Clock, DeviceSettings], PaymentTerminal]


class Absent:
    """Stands in for a terminal whose driver or settings do not work."""

    can_inquire = False

    def __init__(self, why: str) -> None:
        self.why = why

    async def prepare(self) -> str:
        """Say that the configuration is wrong."""
        return "DEV_CONFIG"

    async def settle(self) -> str:
        """Refuse."""
        return "DEV_CONFIG"

    async def reprint(self, _serial: str) -> str:
        """Refuse."""
        return "DEV_CONFIG"

    def close(self) -> None:
        """Nothing was ever opened."""


def make_terminal(reactor: Any, clock: Clock, settings: DeviceSettings) -> PaymentTerminal:
    """Return the driver named in the settings, or `Absent` saying why not."""
    try:
        driver: Any = load_driver(settings.driver)
        options = driver.parse_options(msgspec.to_builtins(settings))
        profile = driver.load(settings.profile)
        terminal: PaymentTerminal = driver.create(reactor, clock, options, None, profile)
    except Exception as error:
        # A plug-in may fail in any way; what it said is shown with the device.
        stands_in: Any = Absent(f"{type(error).__name__}: {error}")
        return stands_in  # type: ignore[no-any-return]  # it never gets as far as run()
    return terminal


class Till:
    """All terminals of this machine."""

    def __init__(self, reactor: Any, clock: Clock, store: Store,
                 terminals: tuple[DeviceSettings, ...], log: Any,
                 make: MakeTerminal = make_terminal) -> None:  # fmt: skip
        self._store = store
        self._log = log
        self._drawers = {
            settings.id: Drawer(reactor, store, settings, make(reactor, clock, settings), log)
            for settings in terminals
            if settings.enabled
        }
        self._waiters: dict[int, list[Deferred[Payment]]] = {}

    # from the node
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
                                      asked.KeyAsked, told),
            "payment.get": Method("query", self.get, "one payment and what is known of it",
                                  asked.KeyAsked, told),
            "payment.settle": Method("pay", self.settle, "close the batch of a terminal",
                                     asked.SettleAsked, asked.SettleAnswer),
        }  # fmt: skip

    def pay(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.pay`. Raises Refused REQ_*, AUTH_*, POS_TERMINAL, POS_KEY, POS_QUEUE."""
        fields = Fields(params)
        unit, key = fields.text("unit", 40, required=True), fields.text("key", 50, required=True)
        point, terminal = fields.text("point", 40), fields.text("terminal", 40, required=True)
        fen, way = fields.fen("amount"), Way(fields.choice("way", tuple(Way), "card"))
        code = fields.text("payer_code", 64, required=way is Way.SCAN)
        receipt, operator = fields.text("receipt_key", 50), fields.text("operator", 50)
        fields.done()
        caller.scope(unit, point, fen)
        if not 0 < fen < 10**12:
            raise refuse("REQ_FIELD_VALUE", field="amount", value=format_fen(fen), allowed="> 0")
        wish = Wish(unit, key, Op.PAY, way, terminal, fen, receipt, caller.appid, operator)
        return Deferred.fromCoroutine(self._asked(wish, code))

    def void(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.void`: the whole payment, in the open batch."""
        return self._back(caller, params, Op.VOID)

    def refund(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.refund`: a part or all, also after the settlement."""
        return self._back(caller, params, Op.REFUND)

    def inquire(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.inquire`."""
        return Deferred.fromCoroutine(self._inquired(self._of_key(caller, params)))

    def get(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`payment.get {unit, key}`."""
        return {"payment": told_of(self._of_key(caller, params)), "repeated": True}

    def settle(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`payment.settle {terminal}`; refused while a payment is under way."""
        fields = Fields(params)
        terminal = fields.text("terminal", 40, required=True)
        fields.done()
        if "*" not in caller.units:
            # A batch holds the money of every unit.
            raise refuse("AUTH_SCOPE", unit="*", point="*")
        return Deferred.fromCoroutine(self._settled(terminal))

    # from a person
    def terminals(self) -> list[TerminalHealth]:
        """Return how every terminal is, by id."""
        return [self._drawers[id_].health() for id_ in sorted(self._drawers)]

    async def settle_terminal(self, terminal: str) -> Settlement:
        """Close a batch. Raises Refused POS_TERMINAL, POS_BUSY, POS_RECOVERING, DEV_*."""
        return await self._drawer(terminal).settle()

    async def ask_again(self, id_: int) -> Payment:
        """Inquire an unknown payment now. Raises Refused POS_NONE, POS_TERMINAL."""
        row = self._store.read(payments.payment_q, id_)
        if row is None:
            raise refuse("POS_NONE")
        return await self._drawer(row.terminal).inquire(id_)

    # inside
    def _drawer(self, terminal: str) -> Drawer:
        if terminal not in self._drawers:
            raise refuse("POS_TERMINAL", terminal=terminal)
        return self._drawers[terminal]

    def _of_key(self, caller: Caller, params: Any) -> Payment:
        fields = Fields(params)
        unit, key = fields.text("unit", 40, required=True), fields.text("key", 50, required=True)
        fields.done()
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
        fields.done()
        caller.scope(unit, "", fen)
        first: Payment | None = self._store.read(payments.by_key_q, unit, of)
        if first is None:
            raise refuse("POS_NONE")
        if op is Op.REFUND and fen <= 0:
            raise refuse("REQ_FIELD_VALUE", field="amount", value=format_fen(fen), allowed="> 0")
        wish = Wish(unit, key, op, first.way, first.terminal, fen or first.amount_fen,
                    first.receipt_key, caller.appid, operator, of)  # fmt: skip
        return Deferred.fromCoroutine(self._asked(wish, ""))

    async def _asked(self, wish: Wish, code: str) -> dict[str, Any]:
        drawer = self._drawer(wish.terminal)
        if self._store.read(payments.by_key_q, wish.unit, wish.key) is None:
            drawer.room()
        row, new = await self._store.do("payment.create", payments.create_txn, wish)
        if not new:
            return {"payment": told_of(await self._joined(row)), "repeated": True}
        self._waiters[row.id] = []
        work = Deferred.fromCoroutine(self._carried(drawer, row.id, code))
        work.addBoth(self._tell, row.id)
        return {"payment": told_of(await work), "repeated": False}

    async def _carried(self, drawer: Drawer, id_: int, code: str) -> Payment:
        try:
            return await drawer.carry(id_, code)
        except Refused as refused:
            # What was not sent yet never will be; anything else stays as it is stored.
            return await self._store.do("payment.drop", _drop_txn, id_, refused.code)

    def _tell(self, outcome: Any, id_: int) -> Any:
        for waiter in self._waiters.pop(id_):
            waiter.callback(outcome)  # a failure fails them too
        return outcome

    async def _joined(self, row: Payment) -> Payment:
        if row.state not in OPEN or row.id not in self._waiters:
            return row
        waiter: Deferred[Payment] = Deferred()
        self._waiters[row.id].append(waiter)
        return await waiter

    async def _inquired(self, row: Payment) -> dict[str, Any]:
        if row.state in OPEN:
            row = await self._joined(row)
        if row.state is PaymentState.UNKNOWN:
            row = await self._drawer(row.terminal).inquire(row.id)
        return {"payment": told_of(row), "repeated": True}

    async def _settled(self, terminal: str) -> dict[str, Any]:
        return {"settlement": told_of_settlement(await self.settle_terminal(terminal))}


def _drop_txn(tx: Any, id_: int, fault_code: str) -> Payment:
    found = payments.payment_q(tx.conn, id_)
    assert found is not None
    if found.state is not PaymentState.CREATED:
        return found
    return payments.reply_txn(tx, id_, PayReply(Verdict.NOT_SENT, fault_code))
