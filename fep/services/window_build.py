"""Everything a business system may call over the socket and /rpc, built once for the node.

Joins the tables of the windows; each window stands in its own module.
"""

from __future__ import annotations

from typing import Any

from fep.ports import Clock
from fep.services.batches import Batches
from fep.services.drafting import Draw
from fep.services.issue import Issue
from fep.services.methods import Method
from fep.services.queue import Queue
from fep.services.web_token import UrlOf
from fep.services.window import Window
from fep.services.window_find import Finding
from fep.store.writer import Store


class Windows:
    """The windows of business systems."""

    def __init__(self, reactor: Any, store: Store, issue: Issue, queue: Queue, draw: Draw,
                 clock: Clock, version: str, url_of: UrlOf) -> None:  # fmt: skip
        self.window = Window(store, issue, queue, draw, clock, version, url_of)
        self.finding = Finding(store, url_of)
        self.batches = Batches(reactor, store, issue, queue, draw, url_of)

    def methods(self) -> dict[str, Method]:
        """Return the joined table."""
        return {
            **self.window.methods(),
            **self.finding.methods(),
            **self.batches.methods(),
        }
