"""Requests for numbers, answered by a platform that gives one number a call.

Stands between a courier and its platform and passes everything else on. Rules: each number is
kept durably before the next is asked for; what a request has got already counts, so that it
may be taken up again after a crash; a call that was not answered may have used a number up,
which is noted and never guessed at. A platform without single numbers has no REQUEST.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fep.domain.numbers import parse_number
from fep.domain.platform import Operation, Parcel, Reply, Verdict, Why
from fep.ports import Platform

EVIDENCE_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where fetched numbers go; `most` is how many one request may fetch."""

    have: Callable[[Parcel], int]  # what this request has got so far
    keep: Callable[[Parcel, str], Awaitable[bool]]  # False: the number was given before
    doubted: Callable[[Parcel, str], Awaitable[None]]  # a call without an answer
    most: int


def evidence_of(request: Parcel) -> str:
    """Return what is written beside each number of a request."""
    return f"request {request.key}"[:EVIDENCE_MAX]


class NumberFetch:
    """A platform that hears REQUEST, too: `NumberFetch(platform, shelf)`."""

    def __init__(self, platform: Platform, shelf: Shelf) -> None:
        single = {Operation.REQUEST} if Operation.NUMBER in platform.capabilities else set()
        self.name = platform.name
        self.capabilities = platform.capabilities | single
        self._platform = platform
        self._shelf = shelf
        self._ended = False
        self._busy: Counter[str] = Counter()

    def busy(self, node: str) -> bool:
        """Say whether numbers are being fetched for a node now: they go to it as one block."""
        return self._busy[node] > 0

    def end(self) -> None:
        """Fetch no more; a request under way comes again after a start."""
        self._ended = True

    async def deliver(self, parcel: Parcel) -> Reply:
        """Pass it on; a request is answered when its numbers are here."""
        if parcel.op is not Operation.REQUEST or parcel.op not in self.capabilities:
            return await self._platform.deliver(parcel)
        if parcel.count < 1:
            return Reply(Verdict.REJECT, Why.FORM, "count")
        self._busy[parcel.node] += 1
        try:
            return await self._fetched(parcel)
        finally:
            self._busy[parcel.node] -= 1

    async def find(self, parcel: Parcel) -> Reply:
        """Pass it on; a request is simply taken up again."""
        if parcel.op is Operation.REQUEST:
            return Reply(Verdict.ABSENT, Why.ABSENT)
        return await self._platform.find(parcel)

    async def ask(self, op: Operation, fields: Mapping[str, str]) -> Reply:
        """Pass it on."""
        return await self._platform.ask(op, fields)

    async def _fetched(self, request: Parcel) -> Reply:
        wanted = min(request.count, self._shelf.most)
        fields = {"unit": request.unit, "bill_batch_code": request.code}
        have = self._shelf.have(request)
        while have < wanted:
            if self._ended:
                return Reply(Verdict.RETRY, "ended", f"{have} of {wanted}")
            reply = await self._platform.ask(Operation.NUMBER, fields)
            if reply.verdict is Verdict.DOUBT:
                await self._shelf.doubted(request, reply.detail)
            if reply.verdict in (Verdict.DOUBT, Verdict.RETRY):
                return reply
            why = await self._kept(request, reply)
            if why is not None:
                return _ended_early(have, request.count, why)
            have += 1
        return Reply(Verdict.OK, "", f"{have} of {request.count} numbers")

    async def _kept(self, request: Parcel, reply: Reply) -> Reply | None:
        """Keep the number of an answer; returns the refusal when there is none to keep."""
        if reply.verdict is not Verdict.OK:
            return Reply(Verdict.REJECT, reply.why or Why.OTHER, reply.detail)
        code, number = reply.facts.get("code", request.code), reply.facts.get("number", "")
        if code != request.code or parse_number(number) is None:
            said = f"not a number of {request.code}: {code} {number}"[:200]
            return Reply(Verdict.REJECT, Why.FORM, said)
        if not await self._shelf.keep(request, number):
            return Reply(Verdict.REJECT, Why.DUPLICATE, f"{number} was given before")
        return None


def _ended_early(have: int, count: int, why: Reply) -> Reply:
    """Return the answer of a request that the platform cut short."""
    if not have:
        # A duplicate number is no receipt that is there already: nothing is to be compared.
        word = Why.OTHER if why.why == Why.DUPLICATE else why.why
        return Reply(Verdict.REJECT, word, why.detail)
    return Reply(Verdict.OK, "", f"{have} of {count} numbers: {why.detail}"[:500])
