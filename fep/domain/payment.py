"""Payments at a terminal: what is asked, what the terminal says, what is known of the money.

A payment walks `PAYMENT_TABLE`. `SENT` is durable before the first byte leaves, so silence is
never mistaken for "nothing happened": what was sent is inquired, never sent again, and what
cannot be found out is `UNKNOWN` until the terminal, a settlement or two people say it. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

INQUIRE_EVERY_S = 5.0
INQUIRIES_MAX = 12
SERIAL_LENGTH = 20


class Op(StrEnum):
    """What the terminal is to do; `VOID` takes a payment of the open batch back."""

    PAY = "pay"
    VOID = "void"
    REFUND = "refund"


class Way(StrEnum):
    """How the payer pays: card, the cashier scans the payer's code, the payer scans ours."""

    CARD = "card"
    SCAN = "scan"
    SHOW = "show"


class PaymentState(StrEnum):
    """What is known of the money. `NOT_SENT` is proved: the terminal never took the command."""

    CREATED = "created"
    SENT = "sent"
    ACKED = "acked"
    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


PAYMENT_WORDS: Mapping[PaymentState, str] = MappingProxyType(
    {
        PaymentState.CREATED: "准备中", PaymentState.SENT: "已发出",
        PaymentState.ACKED: "终端已受理", PaymentState.APPROVED: "已扣款",
        PaymentState.DECLINED: "被拒绝", PaymentState.CANCELLED: "已取消",
        PaymentState.NOT_SENT: "未发出", PaymentState.UNKNOWN: "结果未知",
    }
)  # fmt: skip


class Verdict(StrEnum):
    """What one exchange with a terminal proves.

    `ABSENT`: an idle terminal has no record of our serial. `SILENT` proves nothing.
    `MISMATCH`: its record of our serial is not what we asked for.
    """

    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    NOT_SENT = "not_sent"
    ABSENT = "absent"
    SILENT = "silent"
    MISMATCH = "mismatch"


class Step(StrEnum):
    """What happens to a payment, and who says so."""

    # from the till
    SEND = "send"
    RESTART = "restart"
    # from the terminal: an acknowledgement, then the verdicts
    ACK = "ack"
    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    NOT_SENT = "not_sent"
    ABSENT = "absent"
    SILENT = "silent"
    MISMATCH = "mismatch"
    # from a settlement or two people
    SAY_CHARGED = "say_charged"
    SAY_NOT_CHARGED = "say_not_charged"


@dataclass(frozen=True, slots=True)
class Order:
    """One financial command. `serial` is ours and names it for ever; `original_*` name what a
    void or refund takes back; `code` is the payer's scanned code and is stored nowhere."""

    id: int
    op: Op
    way: Way
    serial: str
    amount_fen: int
    operator: str = ""
    code: str = ""
    original_trace: str = ""
    original_ref: str = ""
    original_day: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What the terminal has on record; `pan` is masked (6+4), `at` as it tells the time."""

    serial: str = ""
    amount_fen: int = 0
    pan: str = ""
    batch: str = ""
    trace: str = ""
    ref: str = ""
    auth: str = ""
    at: str = ""
    host_code: str = ""
    text: str = ""


NO_RECORD = Record()


@dataclass(frozen=True, slots=True)
class PayReply:
    """Verdict of one exchange; `fault` is a catalogue code or empty."""

    verdict: Verdict
    fault: str = ""
    record: Record = NO_RECORD


@dataclass(frozen=True, slots=True)
class Totals:
    """What a terminal's settlement says of its batch; refunds count apart."""

    batch: str
    count: int
    amount_fen: int
    refunds: int
    refunds_fen: int


@dataclass(frozen=True, slots=True)
class Inquire:
    """Ask the terminal for the record of our serial, before it takes anything new."""


@dataclass(frozen=True, slots=True)
class AskPeople:
    """List the payment until a settlement or two people say what became of it."""


Effect = Inquire | AskPeople
_S, _T = PaymentState, Step

PAYMENT_TABLE: Mapping[tuple[PaymentState, Step], PaymentState] = MappingProxyType(
    {
        (_S.CREATED, _T.SEND): _S.SENT,
        (_S.CREATED, _T.NOT_SENT): _S.NOT_SENT,
        (_S.CREATED, _T.RESTART): _S.NOT_SENT,
        (_S.SENT, _T.ACK): _S.ACKED,
        (_S.SENT, _T.APPROVED): _S.APPROVED,
        (_S.SENT, _T.DECLINED): _S.DECLINED,
        (_S.SENT, _T.CANCELLED): _S.CANCELLED,
        (_S.SENT, _T.NOT_SENT): _S.NOT_SENT,
        (_S.SENT, _T.ABSENT): _S.NOT_SENT,
        (_S.SENT, _T.SILENT): _S.UNKNOWN,
        (_S.SENT, _T.MISMATCH): _S.UNKNOWN,
        (_S.SENT, _T.RESTART): _S.UNKNOWN,
        (_S.ACKED, _T.APPROVED): _S.APPROVED,
        (_S.ACKED, _T.DECLINED): _S.DECLINED,
        (_S.ACKED, _T.CANCELLED): _S.CANCELLED,
        (_S.ACKED, _T.ABSENT): _S.UNKNOWN,
        (_S.ACKED, _T.SILENT): _S.UNKNOWN,
        (_S.ACKED, _T.MISMATCH): _S.UNKNOWN,
        (_S.ACKED, _T.RESTART): _S.UNKNOWN,
        (_S.UNKNOWN, _T.APPROVED): _S.APPROVED,
        (_S.UNKNOWN, _T.DECLINED): _S.DECLINED,
        (_S.UNKNOWN, _T.CANCELLED): _S.CANCELLED,
        # Only one that was never acknowledged; `decide` keeps the others unknown.
        (_S.UNKNOWN, _T.ABSENT): _S.NOT_SENT,
        (_S.UNKNOWN, _T.SILENT): _S.UNKNOWN,
        (_S.UNKNOWN, _T.MISMATCH): _S.UNKNOWN,
        (_S.UNKNOWN, _T.SAY_CHARGED): _S.APPROVED,
        (_S.UNKNOWN, _T.SAY_NOT_CHARGED): _S.DECLINED,
    }
)
OPEN = frozenset({_S.CREATED, _S.SENT, _S.ACKED})


class IllegalStep(Exception):
    """The table has no row for this state and step."""

    def __init__(self, state: PaymentState, step: Step) -> None:
        super().__init__(f"{state} does not take {step}")
        self.state = state
        self.step = step


def decide(
    state: PaymentState, step: Step, *, acked: bool
) -> tuple[PaymentState, tuple[Effect, ...]]:
    """Return the next state and the effects to release after the commit.

    `acked`: the terminal acknowledged the command at some time. It took it then, so a missing
    record is a contradiction for people and proves nothing.

    Raises:
        IllegalStep: The table has no such row.
    """
    after = PAYMENT_TABLE.get((state, step))
    if after is None:
        raise IllegalStep(state, step)
    if step is Step.ABSENT and acked:
        after = PaymentState.UNKNOWN
    if after is not PaymentState.UNKNOWN:
        return after, ()
    if step is Step.RESTART:
        return after, (Inquire(),)
    return after, (AskPeople(),)


def step_of(verdict: Verdict) -> Step:
    """Return the step that a verdict is."""
    return Step(verdict.value)


def mask_pan(pan: str) -> str:
    """Return a card number with its first six and last four digits; short ones wholly hidden."""
    digits = "".join(char for char in pan if char.isdigit() or char == "*")
    if len(digits) < 13:
        return "*" * len(digits)
    return f"{digits[:6]}{'*' * (len(digits) - 10)}{digits[-4:]}"
