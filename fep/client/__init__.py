"""The small synchronous client of the front-end: no Twisted, no dependency but Python.

`Client.unix(path)` speaks to the control socket, `Client.tcp(host, port, ...)` to a caller's
port, with TLS where a context is given. One thread owns a client.
"""

from __future__ import annotations

from fep.client.connection import Connection, RemoteFault, Unreachable
from fep.client.front import Client
from fep.client.listening import Subscription, Unsubscribed
from fep.client.paying import Payment, Till
from fep.client.values import (
    Batch,
    BatchResult,
    Event,
    Exported,
    Happening,
    Item,
    Notification,
    Payer,
    Queued,
    Receipt,
    Totals,
)

__all__ = [
    "Batch",
    "BatchResult",
    "Client",
    "Connection",
    "Event",
    "Exported",
    "Happening",
    "Item",
    "Notification",
    "Payer",
    "Payment",
    "Queued",
    "Receipt",
    "RemoteFault",
    "Subscription",
    "Till",
    "Totals",
    "Unreachable",
    "Unsubscribed",
]
