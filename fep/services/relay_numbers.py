"""Numbers fetched ahead: one call a number, until the reserve of a code is full.

A question that was not answered may have used a number up at the platform: that is
journalled and never guessed at. The platform giving a number twice ends the fetching of
this round: such a platform does not let numbers be fetched ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

from fep.domain.numbers import parse_number
from fep.domain.platform import Operation, Parcel, Verdict
from fep.ports import Platform
from fep.services.number_fetch import Shelf, evidence_of
from fep.services.relay_ends import RelayEnds
from fep.services.rounds import Rounds
from fep.settings_relay import ReservePart
from fep.store.relay_out import in_hand_q, number_doubt_txn, number_txn, requested_q
from fep.store.writer import Store

EVIDENCE: Final = "fetched ahead"
REQUEST_MAX: Final = 1000  # a request; the channel is not answered past it till it is done


def relay_shelf(store: Store) -> Shelf:
    """Return the shelf of the relay: what is kept there is granted to the node that asked."""

    def have(request: Parcel) -> int:
        return store.read(requested_q, request.node, request.code, evidence_of(request))

    def keep(request: Parcel, number: str) -> Deferred[bool]:
        return store.do("relay.number", number_txn, request.node, request.unit, request.code,
                        number, evidence_of(request))  # fmt: skip

    def doubted(request: Parcel, why: str) -> Deferred[None]:
        return store.do("relay.number_doubt", number_doubt_txn, request.unit, request.code, why)

    return Shelf(have, keep, doubted, REQUEST_MAX)


class Reserve:
    """Keeps one code's reserve full."""

    def __init__(self, us: RelayEnds, part: ReservePart, platform: Platform,
                 on_block: Callable[[], None]) -> None:  # fmt: skip
        self._us = us
        self._part = part
        self._platform = platform
        self._on_block = on_block
        self._rounds = Rounds(us.reactor, self._turn)
        self.fault = ""

    def start(self) -> None:
        """Begin."""
        self._rounds.start()

    async def stop(self) -> None:
        """End after the call under way."""
        await self._rounds.stop()

    async def _turn(self) -> float:
        """Fetch a block; answers at once where more is missing and nothing is wrong."""
        part = self._part
        missing = part.target - self._us.store.read(in_hand_q, part.unit, part.code)
        if missing > 0:
            fetched, most = 0, min(missing, part.block)
            while self._rounds.running and fetched < most and await self._fetch():
                fetched += 1
            if fetched:
                self._on_block()
        return part.every_s if missing <= 0 or self.fault else 0.0

    async def _fetch(self) -> bool:
        """Ask for one number; False when the round is over."""
        part = self._part
        fields = {"unit": part.unit, "bill_batch_code": part.code}
        reply = await self._platform.ask(Operation.NUMBER, fields)
        self.fault = ""
        if reply.verdict is Verdict.DOUBT:
            await self._us.store.do(
                "relay.number_doubt", number_doubt_txn, part.unit, part.code, reply.detail
            )
        if reply.verdict is not Verdict.OK:
            self.fault = f"{reply.why} {reply.detail}".strip()
            self._us.log.warning("relay.no_number", code=part.code, why=self.fault)
            return False
        code, number = reply.facts.get("code", part.code), reply.facts.get("number", "")
        if code != part.code or parse_number(number) is None:
            self.fault = f"not a number of {part.code}: {code} {number}"[:200]
            return False
        new = await self._us.store.do(
            "relay.number", number_txn, part.node, part.unit, code, number, EVIDENCE
        )
        if not new:
            self.fault = f"{number} was given before"
        return new
