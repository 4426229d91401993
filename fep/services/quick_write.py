"""An answer goes to the socket at once where nothing is waiting before it.

Twisted's `write` always asks the reactor for a turn: two changes of its poll set and a wake-up
for every answer, a tenth of the issuing path. A socket that does not take everything, TLS and
Unix sockets included, goes the usual way.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Server


def write_now(transport: Any, data: bytes) -> None:
    """Write `data` in order; what the socket does not take now is left to the reactor."""
    if (
        type(transport) is Server
        and transport.connected
        and not (transport.TLS or transport.dataBuffer or transport._tempDataBuffer)
    ):
        sent = transport.writeSomeData(data)
        if isinstance(sent, int):  # otherwise the connection is gone: the reactor will find out
            if sent == len(data):
                return
            data = data[sent:]
    transport.write(data)
