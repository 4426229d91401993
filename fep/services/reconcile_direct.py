"""The platform's book where the daemon calls the platform itself: receipts asked for in turn.

The dialects have no totals of a day. A bounded number of questions is under way at once,
beside the deliveries, so that a comparison never crowds them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from twisted.internet.defer import Deferred, gatherResults

from fep.domain.faults import refuse
from fep.domain.platform import Operation, Parcel, Reply, Verdict
from fep.domain.reconcile import Line, Total
from fep.domain.reconcile_check import findings, there
from fep.services.relay_check import Finder

AT_ONCE: Final = 8


class DirectBook:
    """A platform behind a mapped port."""

    def __init__(self, platform: Finder) -> None:
        self._platform = platform
        self._stopped = False

    async def totals(self, day: str) -> Sequence[Total]:
        """Refuse: no dialect tells them. Raises Refused REC_UNABLE."""
        raise refuse("REC_UNABLE", why=f"{day}: the dialect has no totals")

    async def lines(self, day: str, code: str, kind: str) -> Sequence[Line]:
        """Refuse: no dialect tells them. Raises Refused REC_UNABLE."""
        raise refuse("REC_UNABLE", why=f"{day} {code} {kind}: the dialect has no lists")

    async def check(self, lines: Sequence[Line]) -> Sequence[Line]:
        """Return those of some receipts that the platform holds. Raises Refused REC_*."""
        found: list[Line] = []
        for start in range(0, len(lines), AT_ONCE):
            if self._stopped:
                raise refuse("REC_SILENT", minutes=0)
            chunk = lines[start : start + AT_ONCE]
            asked = [Deferred.fromCoroutine(self._find(line)) for line in chunk]
            replies = await gatherResults(asked, consumeErrors=True)
            told = findings(replies)
            if told.doubt:
                why = next(reply.detail for reply in replies if reply.verdict is Verdict.DOUBT)
                raise refuse("REC_UNABLE", why=why[:200])
            found += there(chunk, told)
        return found

    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True

    async def _find(self, line: Line) -> Reply:
        reply = await self._platform.find(Parcel(
            Operation.ISSUE, "", line.unit, line.code, line.number,
            check_code=line.check_code, amount_fen=line.fen,
        ))  # fmt: skip
        known = (Verdict.DUP, Verdict.CONFLICT, Verdict.ABSENT)
        return reply if reply.verdict in known else Reply(Verdict.DOUBT, reply.why, reply.detail)
