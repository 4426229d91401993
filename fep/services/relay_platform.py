"""The platform port over a dialect and its connections: one call, one typed reply.

Rules: nothing is repeated here; what was never sent is RETRY, what was sent and not answered
DOUBT; what the dialect has not is answered without a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from fep.domain.calendar import to_ms
from fep.domain.platform import (
    QUESTIONS,
    Operation,
    Parcel,
    Reply,
    Verdict,
    Why,
    compared,
    unsupported,
)
from fep.ports import Clock, Entropy
from fep.services.relay_ask import able, asked, lost
from fep.services.relay_check import check
from fep.services.relay_lines import Heard, NotSent, Unanswered
from fep.wire.dialects.cnnontax import CnNonTax
from fep.wire.dialects.finance_rest import FinanceRest
from fep.wire.dialects.province import Dialect, Stamp, Terms, Unspoken

DIALECTS: Final[Mapping[str, Callable[[Terms], Dialect]]] = {
    "finance_rest": FinanceRest,
    "cnnontax": CnNonTax,
}


class Exchange(Protocol):
    """Carries one request and its answer."""

    async def exchange(self, content: bytes) -> Heard:
        """Make one call. Raises NotSent, Unanswered."""

    def close(self) -> None:
        """End every connection."""


class DialectPlatform:
    """A platform that speaks a dialect."""

    def __init__(self, dialect: Dialect, lines: Exchange, clock: Clock, entropy: Entropy) -> None:
        self.name = dialect.name
        self.capabilities = dialect.capabilities | {Operation.TIME, Operation.CAPABILITIES}
        self._dialect = dialect
        self._lines = lines
        self._clock = clock
        self._entropy = entropy
        self.offset_ms: int | None = None
        self.answers = 0

    async def deliver(self, parcel: Parcel) -> Reply:
        """Tell the platform of a record, or ask for the receipts of a comparison."""
        if parcel.op is Operation.CHECK:
            return await check(self, parcel)
        if parcel.op in QUESTIONS:
            return await asked(self, parcel)
        if parcel.op not in self.capabilities:
            return unsupported(parcel.op, self.name)
        return await self._call(parcel.op, self._dialect.deliver(parcel, self._stamp()))

    async def find(self, parcel: Parcel) -> Reply:
        """Ask by code and number; returns DUP, CONFLICT, ABSENT or DOUBT."""
        if parcel.op is Operation.CHECK:
            return Reply(Verdict.ABSENT)  # a question has no effect: it is asked again
        if parcel.op in QUESTIONS:
            return lost(parcel)
        if parcel.op not in self.capabilities:
            return Reply(Verdict.ABSENT, Why.UNSUPPORTED)  # no call was ever made for it
        if Operation.FIND not in self.capabilities:
            return Reply(Verdict.DOUBT, "unsupported", f"{self.name} cannot be asked by key")
        content = self._dialect.find(parcel, self._stamp())
        return compared(parcel, await self._call(Operation.FIND, content))

    async def ask(self, op: Operation, fields: Mapping[str, str]) -> Reply:
        """Ask anything else."""
        if op is Operation.CAPABILITIES:
            return able(self.name, self.capabilities)
        if op not in self.capabilities:
            return unsupported(op, self.name)
        if op is Operation.TIME and Operation.TIME not in self._dialect.capabilities:
            return await self._time(fields)
        try:
            content = self._dialect.ask(op, fields, self._stamp())
        except Unspoken as error:
            return Reply(Verdict.REJECT, "form", str(error))
        return await self._call(op, content)

    def close(self) -> None:
        """End the connections."""
        self._lines.close()

    async def _time(self, fields: Mapping[str, str]) -> Reply:
        """Return the time of the line's last answer; asks the cheapest question for it."""
        self.offset_ms = None
        content = self._dialect.ask(Operation.ITEMS, fields, self._stamp())
        reply = await self._call(Operation.ITEMS, content)
        told = self._told_ms()
        if told is None:
            return Reply(Verdict.DOUBT, "", reply.detail or "the answer has no time")
        return Reply(Verdict.OK, facts={"at_ms": str(told)})

    def _told_ms(self) -> int | None:
        """Return the platform's time now, None when no answer told it."""
        offset = self.offset_ms
        return None if offset is None else to_ms(self._clock.wall()) + offset

    async def _call(self, op: Operation, content: bytes) -> Reply:
        try:
            heard = await self._lines.exchange(content)
        except NotSent as error:
            return Reply(Verdict.RETRY, "unreachable", str(error))
        except Unanswered as error:
            return Reply(Verdict.DOUBT, "unanswered", str(error))
        self.answers += 1
        if heard.at_ms:
            self.offset_ms = heard.at_ms - to_ms(self._clock.wall())
        return self._dialect.read(op, heard.body)

    def _stamp(self) -> Stamp:
        return Stamp(to_ms(self._clock.wall()), self._entropy.token(16).hex())


class Nobody:
    """The platform of a unit that relay.toml does not know: refuses everything, loudly."""

    name = "nobody"
    capabilities: frozenset[Operation] = frozenset()

    async def deliver(self, parcel: Parcel) -> Reply:
        """Refuse."""
        return Reply(Verdict.REJECT, "not_yours", f"relay.toml has no unit {parcel.unit}"[:200])

    async def find(self, parcel: Parcel) -> Reply:
        """Nobody knows of it, and nobody ever did."""
        return Reply(Verdict.ABSENT, "absent")

    async def ask(self, op: Operation, _fields: Mapping[str, str]) -> Reply:
        """Have nothing."""
        return unsupported(op, self.name)
