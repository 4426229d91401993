"""What a door for business systems needs of the node: plain values, built once by the front.

Rule: every door (medical-web, standard-web, rpc) issues through these same services, so that
the same key through any door is the same receipt. Nothing is opened or closed here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from fep.domain.kind import Kind, Province, Unit
from fep.ports import Clock, Entropy
from fep.services.callers import Caller, Callers
from fep.services.drafting import Draw
from fep.services.issue import Issue
from fep.services.paper import Paper
from fep.services.queue import Queue
from fep.services.reversal import Reversals
from fep.services.web_token import UrlOf
from fep.store.writer import Store


@dataclass(frozen=True, slots=True)
class Answered:
    """What somebody else said: a result code and the message, still to be signed by us."""

    result: str
    told: dict[str, Any] | str


class Elsewhere(Protocol):
    """Who knows of receipts that are not ours: the old front-end, what was imported."""

    async def __call__(
        self, caller: Caller, method: str, params: Mapping[str, Any]
    ) -> Answered | None:
        """Return what is said there of the decoded request, None when nobody knows of it."""

    def beside(self, service: str, outer: tuple[tuple[str, str], ...]) -> Elsewhere:
        """Return the same for another dialect, whose envelope has more members."""


@dataclass(frozen=True, slots=True)
class HisContext:
    """The services of one node, as its doors for business systems see them."""

    store: Store
    issue: Issue
    queue: Queue
    draw: Draw
    reversals: Reversals
    paper: Paper
    url_of: UrlOf
    callers: Callers
    clock: Clock
    entropy: Entropy
    units: Mapping[str, Unit]
    kinds: Mapping[str, Kind]
    provinces: Mapping[str, Province]
    log: Any
    elsewhere: Elsewhere | None = None
    aside: Callable[..., Awaitable[Any]] | None = None  # runs a long query off this thread

    async def long(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Return what a query says that may take longer than a few milliseconds."""
        return self.store.read(fn, *args) if self.aside is None else await self.aside(fn, *args)
