"""What a province's platform is asked, what it may answer, and the life of one call to it.

Rules: an answer that never came is a state of its own, left only by asking the platform by
key; a refusal has one of our words, the platform's own code stays in the detail; what a
dialect does not have is `UNSUPPORTED`, never a silent success. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Operation(StrEnum):
    """What a platform may be able to do. The first seven deliver a record of the link."""

    ISSUE = "ISSUE"
    RED = "RED"
    PAPER = "PAPER"
    VOID_PAPER = "VOID_PAPER"
    VOID_BLANK = "VOID_BLANK"
    REQUEST = "REQUEST"  # numbers are asked for
    RETURN = "RETURN"  # what is left of a block goes back
    FIND = "FIND"  # a receipt by code and number
    NUMBER = "NUMBER"  # the next number
    NOTICE = "NOTICE"  # 缴款通知
    NOTICE_VOID = "NOTICE_VOID"
    PAYMENT = "PAYMENT"  # what became of a pay code
    BY_PAY_CODE = "BY_PAY_CODE"  # the receipt of a pay code
    ITEMS = "ITEMS"  # the items a unit may charge
    FILE = "FILE"  # the receipt as a file
    CHECK = "CHECK"  # many receipts by code and number
    DAY_TOTALS = "DAY_TOTALS"
    TIME = "TIME"
    CAPABILITIES = "CAPABILITIES"  # what of all this it has; answered without a call


DELIVERIES = (
    Operation.ISSUE, Operation.RED, Operation.PAPER, Operation.VOID_PAPER, Operation.VOID_BLANK,
    Operation.REQUEST, Operation.RETURN,
)  # fmt: skip
QUESTIONS = (
    Operation.CAPABILITIES, Operation.NOTICE, Operation.NOTICE_VOID, Operation.PAYMENT,
    Operation.BY_PAY_CODE, Operation.ITEMS, Operation.FILE, Operation.TIME,
)  # fmt: skip
MONEY = (Operation.ISSUE, Operation.RED)


class Verdict(StrEnum):
    """What an answer means for what was asked."""

    OK = "OK"
    DUP = "DUP"  # it was there already, and it is the same
    REJECT = "REJECT"
    CONFLICT = "CONFLICT"  # another receipt stands under this number
    RETRY = "RETRY"  # nothing took effect, and it may come again
    DOUBT = "DOUBT"  # nobody knows whether it took effect
    ABSENT = "ABSENT"  # asked by key, the platform does not know it
    UNSUPPORTED = "UNSUPPORTED"  # the dialect does not have it


class Why(StrEnum):
    """The reasons of refusals, one word for all dialects."""

    STALE_DATE = "stale_date"
    NOT_YOURS = "not_yours"
    DUPLICATE = "duplicate"
    SIGNATURE = "signature"
    ITEM = "item"
    BLUE = "blue"
    FORM = "form"
    LOGIN = "login"
    ABSENT = "absent"
    BUSY = "busy"
    UNSUPPORTED = "unsupported"
    DIFFERS = "differs"
    OTHER = "refused"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One record on its way to a platform; times in ms, amounts in fen.

    `key` is the identity of its effect. For acts on paper `original` and the signature are
    empty and `sheet_*` are set. `count` and `node` (the front-end that asks, empty for
    ourselves) belong to numbers that are asked for or returned.
    """

    op: Operation
    key: str
    unit: str
    code: str
    number: str
    kind: str = ""
    event_key: str = ""
    check_code: str = ""
    amount_fen: int = 0
    issued_at: int = 0
    original: bytes = b""
    signature: bytes = b""
    cert_serial: str = ""
    signed_at: int = 0
    related_code: str = ""
    related_number: str = ""
    reason: str = ""
    sheet_code: str = ""
    sheet_number: str = ""
    last: str = ""
    count: int = 0
    node: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a platform answered. `facts` are what the operation asked for, as text."""

    verdict: Verdict
    why: str = ""
    detail: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class CallState(StrEnum):
    """Where the call for a record is."""

    DUE = "due"
    CALLING = "calling"  # it may have left us
    DOUBT = "doubt"  # it left us and no answer came
    DONE = "done"


class CallStep(StrEnum):
    """What happens to it."""

    # from the courier
    CALL = "call"
    ANSWERED = "answered"
    NOT_SENT = "not_sent"
    UNANSWERED = "unanswered"
    RESTARTED = "restarted"
    # from the question by key
    THERE = "there"
    ABSENT = "absent"
    DIFFERS = "differs"
    UNTOLD = "untold"
    # from a person
    SETTLED = "settled"


CALL_TABLE: Mapping[tuple[CallState, CallStep], CallState] = MappingProxyType(
    {
        (CallState.DUE, CallStep.CALL): CallState.CALLING,
        (CallState.CALLING, CallStep.ANSWERED): CallState.DONE,
        (CallState.CALLING, CallStep.NOT_SENT): CallState.DUE,
        (CallState.CALLING, CallStep.UNANSWERED): CallState.DOUBT,
        (CallState.CALLING, CallStep.RESTARTED): CallState.DOUBT,
        (CallState.DOUBT, CallStep.THERE): CallState.DONE,
        (CallState.DOUBT, CallStep.ABSENT): CallState.DUE,
        (CallState.DOUBT, CallStep.DIFFERS): CallState.DONE,
        (CallState.DOUBT, CallStep.UNTOLD): CallState.DOUBT,
        (CallState.DOUBT, CallStep.SETTLED): CallState.DONE,
    }
)
_STEPS: Mapping[tuple[bool, Verdict], CallStep] = MappingProxyType(
    {
        (False, Verdict.OK): CallStep.ANSWERED,
        (False, Verdict.DUP): CallStep.ANSWERED,
        (False, Verdict.REJECT): CallStep.ANSWERED,
        (False, Verdict.CONFLICT): CallStep.ANSWERED,
        (False, Verdict.UNSUPPORTED): CallStep.ANSWERED,
        (False, Verdict.RETRY): CallStep.NOT_SENT,
        (False, Verdict.ABSENT): CallStep.UNANSWERED,
        (False, Verdict.DOUBT): CallStep.UNANSWERED,
        (True, Verdict.DUP): CallStep.THERE,
        (True, Verdict.ABSENT): CallStep.ABSENT,
        (True, Verdict.CONFLICT): CallStep.DIFFERS,
    }
)


def decide(state: CallState, reply: Reply) -> CallState:
    """Return the state after an answer; in DOUBT it is the answer of the question by key.

    A refusal as a duplicate settles nothing: what stands there must be compared first.
    """
    doubted = state is CallState.DOUBT
    if not doubted and reply.verdict is Verdict.REJECT and reply.why == Why.DUPLICATE:
        return CALL_TABLE[state, CallStep.UNANSWERED]
    step = _STEPS.get((doubted, reply.verdict), CallStep.UNTOLD)
    return CALL_TABLE[state, step]


def compared(parcel: Parcel, reply: Reply) -> Reply:
    """Return what the answer to a question by key means for a parcel.

    DUP when the platform holds the same receipt, CONFLICT when it holds another one under
    that number, ABSENT when it has none; anything else leaves the doubt as it is.
    """
    if reply.verdict is Verdict.REJECT and reply.why == Why.ABSENT:
        return Reply(Verdict.ABSENT, Why.ABSENT, reply.detail)
    if reply.verdict is not Verdict.OK:
        return Reply(Verdict.DOUBT, reply.why, reply.detail)
    ours = {
        "code": parcel.code, "number": parcel.number, "check_code": parcel.check_code,
        "amount_fen": str(parcel.amount_fen),
    }  # fmt: skip
    for name, value in ours.items():
        told = reply.facts.get(name)
        if told is not None and told != value:
            return Reply(Verdict.CONFLICT, Why.DIFFERS, f"{name}: {told}, not {value}")
    return Reply(Verdict.DUP, "", reply.detail, reply.facts)


def unsupported(op: Operation, dialect: str) -> Reply:
    """Return the answer for what a dialect does not have.

    A receipt's effect is missing at the platform, so a person must decide; an act on paper or
    on numbers is kept local.
    """
    detail = f"{dialect} has no {op.value}"
    if op in MONEY:
        return Reply(Verdict.REJECT, Why.UNSUPPORTED, detail)
    return Reply(Verdict.UNSUPPORTED, Why.UNSUPPORTED, detail)
