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
from fep.domain.platform import Operation, Verdict
from fep.ports import Platform
from fep.services.relay_ends import RelayEnds
from fep.services.uplink_ends import Bell
from fep.settings_relay import ReservePart
from fep.store.relay_out import in_hand_q, number_doubt_txn, number_txn

EVIDENCE: Final = "fetched ahead"


class Reserve:
    """Keeps one code's reserve full."""

    def __init__(self, us: RelayEnds, part: ReservePart, platform: Platform,
                 on_block: Callable[[], None]) -> None:  # fmt: skip
        self._us = us
        self._part = part
        self._platform = platform
        self._on_block = on_block
        self._bell = Bell(us.reactor)
        self._running = False
        self._loop: Deferred[None] | None = None
        self.fault = ""

    def start(self) -> None:
        """Begin."""
        self._running = True
        self._loop = Deferred.fromCoroutine(self._run())

    async def stop(self) -> None:
        """End after the call under way."""
        self._running = False
        self._bell.ring()
        if self._loop is not None:
            await self._loop

    async def _run(self) -> None:
        while self._running:
            part = self._part
            missing = part.target - self._us.store.read(in_hand_q, part.unit, part.code)
            if missing > 0:
                fetched = 0
                while self._running and fetched < min(missing, part.block) and await self._fetch():
                    fetched += 1
                if fetched:
                    self._on_block()
            if self._running and (missing <= 0 or self.fault):
                await self._bell.wait(part.every_s)

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
