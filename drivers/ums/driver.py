"""The recipe of UMS payments: what the library's answer and the bridge's journal prove.

Rules: a financial command is handed to the bridge once, under our serial, and only asked for
after that; an answer without our number, or of another amount, proves nothing; the library
cannot inquire, so what the journal does not know is compared with the newest slip, and stays
unknown where that does not speak of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from drivers.transports import Unreachable, bridge
from drivers.transports.bridge import Carried, Lender
from drivers.ums import codec
from drivers.ums.codec import BadRecord, Reply, Request
from drivers.ums.profile import Profile
from fep.domain.calendar import CST, to_ms
from fep.domain.payment import Op, Order, PayReply, Record, Totals, Verdict, Way

SIGN_IN_S, REPRINT_S, SETTLE_S, ASK_S = 90.0, 60.0, 300.0, 15.0


@dataclass(frozen=True, slots=True)
class Options:
    """Which port of which bridge, who we are to the terminal, how long to wait (seconds)."""

    transport: bridge.Options
    terminal: str = ""
    operator: str = "01"
    result_timeout_s: float = 180.0
    reprint_proves: bool = True
    codes: Mapping[str, str] = field(default_factory=dict)


class Ums:
    """One terminal."""

    can_inquire = True

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, clock: Any, options: Options, profile: Profile) -> None:
        self.batch = ""
        self.on_shown: Callable[[str], None] = lambda _text: None
        self._reactor = reactor
        self._clock = clock
        self._options = options
        self._profile = profile
        self._signed_on: date | None = None
        self._nonce = to_ms(clock.wall())

    # what the till asks
    async def prepare(self) -> str:
        """Look whether the bridge has the library, sign in once a day; a fault code or empty."""
        try:
            fault = self._lender().fault(self._options.transport.name)
        except Unreachable:
            return "DEV_CONFIG"
        if fault or self._signed_on == self._today():
            return fault
        return await self._sign_in()

    async def run(self, order: Order, on_ack: Callable[[], None]) -> PayReply:
        """Carry a financial command out; the terminal may take minutes."""
        acked: list[bool] = []

        def begun() -> None:
            acked.append(True)
            on_ack()

        try:
            asked = self._command(order)
            lender = self._lender()
        except (BadRecord, Unreachable):
            return PayReply(Verdict.NOT_SENT, "POS_PARAMETER")
        done = await lender.carry(
            "call", self._options.transport.name, order.serial, order.id, asked,
            within_s=self._options.result_timeout_s, on_begun=begun,
        )  # fmt: skip
        if done.state in ("failed", "busy", "absent") and not acked:
            fault = {"busy": "POS_BUSY", "failed": "DEV_UNREACHABLE"}.get(done.state, "DEV_LOST")
            return PayReply(Verdict.NOT_SENT, fault)
        return self._known(order, done)

    async def inquire(self, order: Order) -> PayReply:
        """Ask the bridge's journal, then the newest slip; never a financial command."""
        try:
            lender = self._lender()
        except Unreachable:
            return PayReply(Verdict.SILENT, "DEV_CONFIG")
        name = self._options.transport.name
        done = await lender.ask(name, order.serial, order.id, within_s=ASK_S)
        if done.state in ("absent", "failed"):
            return PayReply(Verdict.ABSENT, "POS_ABSENT")
        found = self._known(order, done)
        if done.state in ("done", "unsure") and found.fault in ("POS_UNSURE", "POS_UNKNOWN"):
            return await self._look_back(order, done)
        return found

    async def settle(self) -> Totals | str:
        """Close the batch and sign in again; returns its totals or a fault code."""
        told = await self._ask(self._profile.settle, SETTLE_S)
        if isinstance(told, str):
            return told
        self._signed_on = None
        found = codec.totals(told, self._profile.sales, self._profile.refunds)
        await self._sign_in()
        return found if found is not None else "DEV_PROTOCOL"

    async def last_settled(self) -> Totals | str:
        """Have the slip of the last settlement printed again; returns its totals."""
        told = await self._ask(self._profile.settled, REPRINT_S)
        if isinstance(told, str):
            return "POS_ABSENT" if told == "POS_DECLINED" else told
        found = codec.totals(told, self._profile.sales, self._profile.refunds)
        return found if found is not None else "POS_ABSENT"

    async def reprint(self, serial: str) -> str:
        """Have the terminal print its newest slip again, if it is that of `serial`."""
        told = await self._ask(self._profile.reprint, REPRINT_S)
        return told if isinstance(told, str) else ""

    def cancel(self) -> None:
        """The library takes no cancel: the payer presses it on the terminal."""

    def close(self) -> None:
        """Nothing is held; a call that goes on ends in the bridge's journal."""

    # exchanges
    def _lender(self) -> Lender:
        return bridge.lender_of(self._reactor, self._options.transport.bridge)

    def _today(self) -> date:
        today: date = self._clock.wall().astimezone(CST).date()
        return today

    async def _sign_in(self) -> str:
        today = self._today()
        told = await self._ask(self._profile.sign_in, SIGN_IN_S)
        if isinstance(told, str):
            return told
        self._signed_on = today
        self.batch = told.batch
        return ""

    async def _ask(self, type_: str, within_s: float) -> Reply | str:
        """Call for something that moves no money; returns the reply or a fault code."""
        self._nonce += 1
        try:
            lender = self._lender()
            asked = codec.request(
                Request(self._options.terminal, self._options.operator, type_, 0, self._nonce)
            )
        except (BadRecord, Unreachable):
            return "DEV_CONFIG"
        done = await lender.carry(
            "call", self._options.transport.name, lender.new_id(), 0, asked, within_s=within_s
        )
        if done.state != "done":
            return {"busy": "POS_BUSY", "failed": "DEV_UNREACHABLE"}.get(done.state, "DEV_TIMEOUT")
        told = _read(done)
        if told is None or told.nonce != f"{self._nonce % 1000:03d}":
            return "DEV_PROTOCOL"
        return self._hindrance(told.code) or told

    def _hindrance(self, code: str) -> str:
        profile = self._profile
        if code in profile.approved:
            return ""
        if code in profile.signed_out:
            self._signed_on = None
            return "POS_NOT_SIGNED_IN"
        return "POS_BATCH_FULL" if code in profile.batch_full else "POS_DECLINED"

    def _command(self, order: Order) -> bytes:
        """Return the record of an order. Raises BadRecord."""
        type_ = self._profile.types.get((order.op, order.way))
        if type_ is None:
            raise BadRecord(f"no type for {order.op} by {order.way}")
        void, refund = order.op is Op.VOID, order.op is Op.REFUND
        return codec.request(
            Request(
                self._options.terminal, self._options.operator, type_, order.amount_fen,
                _nonce_of(order), order.original_day if refund else "",
                order.original_ref if refund else "", order.original_trace if void else "",
                order.code if order.way is Way.SCAN else "",
            )
        )  # fmt: skip

    # what an answer proves
    def _known(self, order: Order, done: Carried) -> PayReply:
        if done.state == "unsure":
            return PayReply(Verdict.SILENT, "POS_UNSURE")
        if done.state != "done":
            return PayReply(Verdict.SILENT, "DEV_TIMEOUT")
        told, profile = _read(done), self._profile
        if told is None or told.nonce != f"{_nonce_of(order):03d}":
            return PayReply(Verdict.MISMATCH, "POS_MISMATCH")
        found = self._record(told, order)
        if told.code in profile.approved:
            if told.amount_fen != order.amount_fen:
                return PayReply(Verdict.MISMATCH, "POS_MISMATCH", found)
            return PayReply(Verdict.APPROVED, "", found)
        if told.code in profile.unsure:
            return PayReply(Verdict.SILENT, "POS_UNKNOWN", found)
        if told.code in profile.cancelled:
            return PayReply(Verdict.CANCELLED, "POS_CANCELLED", found)
        return PayReply(Verdict.DECLINED, self._hindrance(told.code), found)

    async def _look_back(self, order: Order, done: Carried) -> PayReply:
        """Compare with the newest slip: a new one of our amount can only be ours.

        `done.before` is the answer to the payment before it; where that one has no slip of its
        own, because it was declined or is unknown itself, or with a payment begun since, the
        newest slip may be any older one and proves nothing.
        """
        nothing = PayReply(Verdict.MISMATCH, "POS_UNSURE")
        before = _read(Carried("done", done.before))
        proves = self._profile.reprint_proves and self._options.reprint_proves
        if not proves or before is None or order.op is not Op.PAY:
            return nothing
        if before.code not in self._profile.approved or not before.trace:
            return nothing
        told = await self._ask(self._profile.reprint, REPRINT_S)
        if isinstance(told, str):
            return nothing if told == "POS_DECLINED" else PayReply(Verdict.SILENT, told)
        # A terminal may print an old slip with the number of the batch that is open now.
        newer = told.trace != before.trace and (told.ref != before.ref or not told.ref)
        if told.trace and newer and told.amount_fen == order.amount_fen:
            return PayReply(Verdict.APPROVED, "", self._record(told, order))
        return nothing

    def _record(self, told: Reply, order: Order) -> Record:
        return codec.record(told, order.serial, self._today())


def _nonce_of(order: Order) -> int:
    """Return a number that the reply to an earlier order can hardly bear."""
    return order.id % 1000


def _read(done: Carried) -> Reply | None:
    try:
        return codec.reply(done.answer)
    except BadRecord:
        return None
