"""systemd's side of the daemon: ready, stopping, status line, watchdog.

The protocol is one datagram (sd_notify(3)). A ping goes out only while the reactor turns and
the store lives, so a hung daemon is restarted and one with a broken disk is seen.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any


class Watch:
    """Tells systemd; silent when nobody listens."""

    def __init__(self, reactor: Any, environment: Mapping[str, str],
                 alive: Callable[[], bool]) -> None:  # fmt: skip
        self._reactor = reactor
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._period_s = int(environment.get("WATCHDOG_USEC", "0")) / 2_000_000
        self._alive = alive
        self._timer: Any = None

    def ready(self, status: str) -> None:
        """The daemon answers; start pinging."""
        self._send(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")
        if self._period_s:
            self._timer = self._reactor.callLater(self._period_s, self._ping)

    def status(self, text: str) -> None:
        """Show a line in `systemctl status`."""
        self._send(f"STATUS={text}")

    def stopping(self) -> None:
        """The daemon drains; no more pings are due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._send("STOPPING=1")

    def _ping(self) -> None:
        self._timer = self._reactor.callLater(self._period_s, self._ping)
        if self._alive():
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        name = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            try:
                out.connect(name)
                out.send(text.encode())
            except OSError:
                return  # systemd has gone away; there is nobody to tell
