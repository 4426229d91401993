"""Questions of an operator to a platform: notices, payments, items, files, what it can do.

Rules: a question leaves once and is never repeated by itself, since a notice has an effect;
what was not answered is told as such. The answer is text that fits into an acknowledgement:
long members (files) are cut to their size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from fep.domain.platform import QUESTIONS, Operation, Parcel, Reply, Verdict, Why
from fep.ports import Platform

MEMBER_MAX: Final = 200
LIST_MAX: Final = 700
TEXT_MAX: Final = 900
EFFECTS: Final = (Operation.NOTICE, Operation.NOTICE_VOID)


async def asked(platform: Platform, question: Parcel) -> Reply:
    """Return the answer with its facts as JSON in `detail`."""
    try:
        fields = fields_of(question.original)
    except ValueError as error:
        return Reply(Verdict.REJECT, Why.FORM, str(error))
    reply = await platform.ask(question.op, {**fields, "unit": question.unit})
    if reply.verdict is Verdict.OK:
        return Reply(Verdict.OK, "", text_of(reply.facts))
    if reply.verdict is Verdict.DOUBT:
        # The person who asked decides whether to ask again: a notice may have been made.
        return Reply(Verdict.REJECT, Why.OTHER, f"no answer: {reply.detail}"[:500])
    return reply


def lost(question: Parcel) -> Reply:
    """Return what is said of a question that a crash cut off."""
    if question.op in EFFECTS:
        return Reply(Verdict.CONFLICT, Why.OTHER, "interrupted: ask for its payment")
    return Reply(Verdict.ABSENT, Why.ABSENT)


def fields_of(text: bytes) -> dict[str, str]:
    """Return the fields of a question. Raises ValueError."""
    told = json.loads(text or b"{}")
    if not isinstance(told, dict) or not all(isinstance(each, str) for each in told.values()):
        raise ValueError("fields")
    return told


def text_of(facts: Mapping[str, str]) -> str:
    """Return facts as JSON of at most TEXT_MAX characters; a long list begins, others are sized."""
    cut = {name: _short(text) for name, text in sorted(facts.items())}
    while len(json.dumps(cut, ensure_ascii=False)) > TEXT_MAX:
        cut.popitem()
    return json.dumps(cut, ensure_ascii=False)


def _short(text: str) -> str:
    if len(text) <= MEMBER_MAX:
        return text
    begun, comma, _ = text[:LIST_MAX].rpartition(",")
    return f"{begun}{comma}… {len(text)} characters"


def able(name: str, capabilities: frozenset[Operation]) -> Reply:
    """Return what a platform has and has not; requests are heard where it gives numbers."""
    if Operation.NUMBER in capabilities:
        capabilities |= {Operation.REQUEST}
    shown = [op for op in Operation if op not in (Operation.CHECK, Operation.CAPABILITIES)]
    return Reply(Verdict.OK, facts={
        "dialect": name,
        "has": " ".join(op.value for op in shown if op in capabilities),
        "unsupported": " ".join(op.value for op in shown if op not in capabilities),
    })  # fmt: skip


def is_question(value: Any) -> bool:
    """Say whether an operator may ask this."""
    return value in {op.value for op in QUESTIONS}
