"""The small synchronous client of the front-end: no Twisted, no dependency but Python.

`Client.unix(path)` speaks to the control socket, `Client.tcp(host, port, ...)` to a caller's
port. One thread owns a client.
"""

from __future__ import annotations

from fep.client.connection import Connection, RemoteFault, Unreachable
from fep.client.front import Client
from fep.client.values import Event, Issued, Item, Payer, Queued

__all__ = [
    "Client",
    "Connection",
    "Event",
    "Issued",
    "Item",
    "Payer",
    "Queued",
    "RemoteFault",
    "Unreachable",
]
