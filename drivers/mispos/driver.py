"""The recipe of MISPOS payments: what each answer proves (facts/devices 3.6).

Rules: a financial command leaves once, but for a frame that was not understood; only a refusal
of a known meaning before any acknowledgement, or an idle terminal without a record, says that it
was not taken; after an acknowledgement only a record with our serial and amount, a host's code
or the payer's cancel ends it; all else is silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from drivers.mispos import codec
from drivers.mispos.codec import Data, Frame, Merchant, Status
from drivers.mispos.profile import Profile
from drivers.mispos.relay import Relay
from drivers.mispos.talk import Ask, Refusal, Said, Silence, Talk, Untouched
from drivers.transports.line import Reached
from fep.domain.calendar import to_ms
from fep.domain.payment import NO_RECORD, Op, Order, PayReply, Totals, Verdict, Way

SIGN_IN_S = 60.0
SETTLE_S = 300.0


@dataclass(frozen=True, slots=True)
class Options:
    """Where the terminal is, who the merchant is, how long to wait (seconds)."""

    transport: Reached
    merchant: str = ""
    terminal: str = ""
    name: str = ""
    name_en: str = ""
    type: int = 1
    ack_timeout_s: float = 3.0
    result_timeout_s: float = 180.0
    relay_host: str = ""
    relay_port: int = 0
    # False: the numbers it gives its batches cannot be compared with each other.
    batches: bool = True
    codes: Mapping[str, str] = field(default_factory=dict)


class Mispos:
    """One terminal."""

    can_inquire = True

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, clock: Any, options: Options, profile: Profile) -> None:
        self._options = options
        self._profile = profile
        self._merchant = Merchant(
            options.merchant, options.terminal, options.name, options.name_en
        )  # fmt: skip
        self.batch = ""
        self.on_shown: Callable[[str], None] = lambda _text: None
        self._talk = Talk(reactor, options.transport.line(reactor), options.type)
        if options.relay_host:
            relay = Relay(reactor, options.relay_host, options.relay_port, self._talk.send)
            self._talk.on_relay = relay.carry
        self._talk.on_notice = self._noticed
        # A number that a reply of an earlier run can hardly bear.
        self._id = to_ms(clock.wall()) // 1000 % codec.ID_MAX

    # what the till asks
    async def prepare(self) -> str:
        """Reach the terminal and sign in if need be; returns a fault code or empty."""
        seen = await self._status()
        if isinstance(seen, str):
            return seen
        if seen.busy:
            return "POS_BUSY"
        if seen.full:
            return "POS_BATCH_FULL"
        return "" if seen.signed_in else await self._sign_in()

    async def run(self, order: Order, on_ack: Callable[[], None]) -> PayReply:
        """Carry a financial command out; the terminal may take minutes."""
        code, fields = self._command(order)

        def fits(data: Data) -> bool:
            record = codec.record(data)
            return (
                data.code == code
                and record is not None
                and (record.serial, record.amount_fen) == (order.serial, order.amount_fen)
            )

        said = await self._ask(
            code, *fields, result_s=self._options.result_timeout_s, fits=fits, on_ack=on_ack
        )
        if isinstance(said, Data):
            return self._recorded(order, said)
        if isinstance(said, Untouched):
            return PayReply(Verdict.NOT_SENT, said.fault)
        if isinstance(said, Refusal):
            return self._refused(said)
        lost = isinstance(said, Silence) and said.lost
        return PayReply(Verdict.SILENT, "DEV_LOST" if lost else "DEV_TIMEOUT")

    async def inquire(self, order: Order) -> PayReply:
        """Ask an idle terminal for the record of our serial."""
        seen = await self._status()
        if isinstance(seen, str):
            return PayReply(Verdict.SILENT, seen)
        if seen.busy:
            return PayReply(Verdict.SILENT, "POS_BUSY")
        if not seen.signed_in:
            # At sign-in it takes back by itself what the host never confirmed to it.
            fault = await self._sign_in()
            if fault:
                return PayReply(Verdict.SILENT, fault)
        code = "11" if order.op is Op.PAY and order.way is Way.SHOW else "69"

        def fits(data: Data) -> bool:
            record = codec.record(data)
            return data.code == code and record is not None and record.serial == order.serial

        said = await self._ask(code, order.serial, fits=fits)
        if isinstance(said, Data):
            return self._recorded(order, said)
        if isinstance(said, Refusal) and said.code in self._profile.absent:
            return PayReply(Verdict.ABSENT, "POS_ABSENT")
        return PayReply(Verdict.SILENT, "DEV_TIMEOUT")

    async def last_settled(self) -> Totals | str:
        """Return the totals of the batch it closed last, or a fault code."""

        def closed(data: Data) -> bool:
            return data.code == "62" and codec.totals(data) is not None

        said = await self._ask("62", fits=closed)
        if isinstance(said, Refusal) and said.code in self._profile.absent:
            return "POS_ABSENT"
        found = codec.totals(said) if isinstance(said, Data) else None
        return self._fault(said) if found is None else found

    async def settle(self) -> Totals | str:
        """Close the batch and sign in again; returns its totals or a fault code."""
        seen = await self._status()
        if isinstance(seen, str):
            return seen
        if seen.busy:
            return "POS_BUSY"

        by_number = self._options.batches

        def of_batch(data: Data) -> bool:
            told = codec.totals(data)
            same = told is not None and (not by_number or told.batch == seen.batch)
            return data.code in ("52", "62") and same

        said = await self._ask("52", result_s=SETTLE_S, fits=of_batch)
        if isinstance(said, Silence) and by_number:
            # It may have settled: the totals of its last settlement say so.
            said = await self._ask("62", fits=of_batch)
        found = codec.totals(said) if isinstance(said, Data) else None
        if found is None:
            return self._fault(said)
        await self._sign_in()
        return found if by_number else replace(found, batch="")

    async def reprint(self, serial: str) -> str:
        """Have the terminal print its own slip again; returns a fault code or empty."""
        said = await self._ask("61", serial, fits=lambda data: data.code == "61")
        return "" if isinstance(said, Data) else self._fault(said)

    async def ping(self) -> str:
        """Ask whether it is there; returns a fault code or empty."""
        said = await self._ask("PI", fits=None)
        return self._fault(said) if isinstance(said, Untouched | Silence | Refusal) else ""

    def cancel(self) -> None:
        """Ask it to let the payer go; the payment under way hears what came of it."""
        self._id = self._id % codec.ID_MAX + 1
        content = codec.request("07", self._merchant)
        self._talk.send(Frame(codec.ASK, self._id, content, self._options.type))

    def close(self) -> None:
        """Give the line back; what is under way stays unknown."""
        self._talk.close()

    # exchanges
    async def _ask(
        self, code: str, *fields: str, fits: Callable[[Data], bool] | None,
        result_s: float = SIGN_IN_S, on_ack: Callable[[], None] = lambda: None,
    ) -> Said:  # fmt: skip
        self._id = self._id % codec.ID_MAX + 1
        return await self._talk.exchange(
            Ask(
                self._id, codec.request(code, self._merchant, *fields),
                self._options.ack_timeout_s, result_s, fits, on_ack, self._resend,
            )
        )  # fmt: skip

    async def _status(self) -> Status | str:
        said = await self._ask("SQ", fits=lambda data: data.code == "SQ", result_s=10.0)
        if not isinstance(said, Data):
            return self._fault(said)
        seen = codec.status(said)
        if self._options.terminal and seen.terminal != self._options.terminal:
            return "DEV_IDENTITY"
        self.batch = seen.batch if self._options.batches else ""
        return seen

    async def _sign_in(self) -> str:
        said = await self._ask("51", fits=lambda data: data.code == "51")
        return "" if isinstance(said, Data) else self._fault(said)

    def _command(self, order: Order) -> tuple[str, tuple[str, ...]]:
        code = self._profile.commands[order.op, order.way]
        if order.op is not Op.PAY:
            return code, codec.back_fields(order)
        card = order.way is Way.CARD
        return code, codec.card_fields(order) if card else codec.code_fields(order)

    def _noticed(self, frame: Frame) -> None:
        text = codec.notice(frame.content)
        if text:
            self.on_shown(text)

    # what an answer proves
    def _resend(self, code: str) -> bool:
        """Say whether a refusal is of the frame, not of the command."""
        return code in self._profile.damaged

    def _known(self, code: str) -> str:
        profile = self._profile
        for codes, fault in (
            (profile.busy, "POS_BUSY"),
            (profile.signed_out, "POS_NOT_SIGNED_IN"),
            (profile.batch_full, "POS_BATCH_FULL"),
            (profile.parameter, "POS_PARAMETER"),
            (profile.cancelled, "POS_CANCELLED"),
        ):
            if code in codes:
                return fault
        return ""

    def _refused(self, said: Refusal) -> PayReply:
        record = replace(NO_RECORD, host_code=said.code, text=said.text)
        if said.code in self._profile.cancelled:
            return PayReply(Verdict.CANCELLED, "POS_CANCELLED", record)
        if _host(said.code) and said.code not in self._profile.unsure:
            return PayReply(Verdict.DECLINED, "POS_DECLINED", record)
        if not said.acked and said.code in self._profile.damaged:
            return PayReply(Verdict.NOT_SENT, "POS_NOT_SENT", record)
        known = self._known(said.code)
        if known and not said.acked and said.sent == 1:
            return PayReply(Verdict.NOT_SENT, known, record)
        # The acknowledgement may be what was lost: its record says what became of it.
        return PayReply(Verdict.SILENT, "POS_UNKNOWN", record)

    def _recorded(self, order: Order, data: Data) -> PayReply:
        record = codec.record(data)
        assert record is not None
        state, profile = codec.record_state(data), self._profile
        if record.amount_fen != order.amount_fen:
            return PayReply(Verdict.MISMATCH, "POS_MISMATCH", record)
        if state in profile.approved:
            return PayReply(Verdict.APPROVED, "", record)
        if state in profile.declined:
            return PayReply(Verdict.DECLINED, "POS_DECLINED", record)
        if state in profile.dropped:
            return PayReply(Verdict.CANCELLED, "POS_CANCELLED", record)
        return PayReply(Verdict.SILENT, "POS_UNKNOWN", record)

    def _fault(self, said: Said) -> str:
        if isinstance(said, Untouched):
            return said.fault
        if isinstance(said, Refusal):
            return self._known(said.code) or "DEV_PROTOCOL"
        if isinstance(said, Silence):
            return "DEV_LOST" if said.lost else "DEV_TIMEOUT"
        return "DEV_PROTOCOL"


def _host(code: str) -> bool:
    """Say whether a code is one of the acquirer's: two digits."""
    return len(code) == 2 and code.isascii() and code.isdigit()
