"""Everything a business system may call over the socket and /rpc, built once for the node.

Joins the tables of the windows; each window stands in its own module.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from fep.ports import Clock
from fep.services.batches import Batches
from fep.services.desk_context import DeskContext
from fep.services.desk_fence import forecasts_q
from fep.services.drafting import Draw
from fep.services.export import Exports
from fep.services.issue import Issue
from fep.services.methods import Method
from fep.services.notify import Notices
from fep.services.queue import Queue
from fep.services.spool import Spool
from fep.services.till import Till
from fep.services.web_token import UrlOf
from fep.services.window import Window
from fep.services.window_find import Finding
from fep.store.queries_stock import stock_q
from fep.store.writer import Store


class Windows:
    """The windows of business systems."""

    def __init__(self, reactor: Any, store: Store, issue: Issue, queue: Queue, draw: Draw,
                 clock: Clock, version: str, url_of: UrlOf, desk: DeskContext, spool: Spool,
                 log: Any) -> None:  # fmt: skip
        self.window = Window(store, issue, queue, draw, clock, version, url_of)
        self.finding = Finding(store, url_of, desk.read)
        self.batches = Batches(reactor, store, issue, queue, draw, url_of)
        self.exports = Exports(store, desk.read)
        self.notices = Notices(reactor, store, self.finding, partial(_forecasts, desk), log)
        spool.listen(self.notices.ended)
        self.till = Till(reactor, clock, store, desk.settings.terminals, log)
        self.till.listen(self.notices.of_till)
        self.desk = replace(desk, till=self.till)

    def methods(self) -> dict[str, Method]:
        """Return the joined table."""
        return {
            **self.window.methods(),
            **self.finding.methods(),
            **self.batches.methods(),
            **self.exports.methods(),
            **self.notices.methods(),
            **self.till.methods(),
        }

    async def start(self) -> None:
        """Let the terminals work; what the last run left open is inquired first."""
        await self.till.start()

    def stop(self) -> None:
        """Say nothing more to those who listen, and give the terminals back."""
        self.notices.stop()
        self.till.stop()


async def _forecasts(desk: DeskContext) -> list[dict[str, Any]]:
    stocks = await desk.read(stock_q, desk.now_ms())
    found: list[dict[str, Any]] = await desk.read(forecasts_q, stocks, desk.now_ms())
    return found
