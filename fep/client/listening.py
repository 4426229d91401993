"""A subscription: a connection of its own on which the front-end speaks by itself.

Rules: what was missed is not lost: `Client.happenings(since=cursor)` tells receipts again from
the last cursor on. A reader that is too slow is unsubscribed and told so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

from fep.client.connection import Connection
from fep.client.values import Notification

UNSUBSCRIBED = "system.unsubscribed"
PING_EVERY_S = 20.0


class Unsubscribed(Exception):
    """The front-end ended the subscription; go on from `cursor` with `happenings`."""

    def __init__(self, why: str, cursor: int) -> None:
        super().__init__(f"unsubscribed: {why}; read on from {cursor}")
        self.why, self.cursor = why, cursor


class Subscription:
    """Yields notifications. Use it as a context manager; one thread at a time."""

    def __init__(self, connection: Connection, topics: Sequence[str]) -> None:
        """Subscribe. Raises RemoteFault, Unreachable."""
        self._connection = connection
        try:
            told = connection.call("system.subscribe", topics=list(topics))
        except BaseException:
            connection.close()
            raise
        self.cursor = int(told["cursor"])
        self.topics = tuple(told["topics"])

    def next(self, timeout_s: float) -> Notification | None:
        """Return the next notification, None when there was none in time.

        Raises Unsubscribed, Unreachable.
        """
        told = self._connection.heard(timeout_s)
        if told is None or "method" not in told:
            return None
        found = Notification(str(told["method"]), told.get("params") or {})
        self.cursor = max(self.cursor, found.cursor)
        if found.topic == UNSUBSCRIBED:
            self.close()
            raise Unsubscribed(str(found.params.get("reason", "")), self.cursor)
        return found

    def __iter__(self) -> Iterator[Notification]:
        """Yield notifications for ever; the line is kept alive while nothing happens."""
        while True:
            found = self.next(PING_EVERY_S)
            if found is not None:
                yield found
            else:
                self._connection.say("system.ping")

    def close(self) -> None:
        """End the subscription."""
        self._connection.close()

    def __enter__(self) -> Subscription:
        """Return the subscription."""
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:  # fmt: skip
        """End the subscription."""
        self.close()
