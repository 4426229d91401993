"""Many receipts asked for one by one, for a node that compares its books with the platform's.

One question is one call of the courier; the receipts of it are asked for in turn, so that a
comparison takes no more of the platform than one receipt at a time a question.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from fep.domain.platform import Operation, Parcel, Reply, Verdict
from fep.domain.reconcile_check import findings, wanted_of


class Finder(Protocol):
    """Who can be asked by code and number."""

    def find(self, parcel: Parcel) -> Awaitable[Reply]:
        """Return DUP, CONFLICT, ABSENT, or why nobody knows."""


async def check(platform: Finder, question: Parcel) -> Reply:
    """Return OK with the receipts that are not as the question names them."""
    try:
        wanted = wanted_of(question.original)
    except ValueError as error:
        return Reply(Verdict.REJECT, "form", str(error))
    replies = []
    for one in wanted:
        replies.append(await platform.find(Parcel(
            Operation.ISSUE, question.key, question.unit, one.code, one.number,
            check_code=one.check_code, amount_fen=one.fen,
        )))  # fmt: skip
        if replies[-1].why in ("unreachable", "busy"):
            return Reply(Verdict.RETRY, replies[-1].why, replies[-1].detail)
    return Reply(Verdict.OK, "", findings(replies).text())
