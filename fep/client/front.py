"""The typed calls of the front-end over one connection."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from fep.client.connection import Connection
from fep.client.values import Event, Issued

TIMEOUT_S = 10.0


class Client:
    """A connected front-end. Use it as a context manager; one thread at a time."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @classmethod
    def unix(cls, path: Path, *, timeout_s: float = TIMEOUT_S) -> Client:
        """Connect to the control socket. Raises Unreachable, PermissionError."""
        return cls(Connection.unix(path, timeout_s=timeout_s))

    @classmethod
    def tcp(
        cls,
        host: str,
        port: int,
        *,
        appid: str,
        key: bytes,
        alg: str = "hmac-sm3",
        encoding: str = "utf-8",
        timeout_s: float = TIMEOUT_S,
    ) -> Client:
        """Connect and authenticate. Raises Unreachable, RemoteFault AUTH_*."""
        connection = Connection.tcp(host, port, timeout_s=timeout_s, encoding=encoding)
        try:
            connection.authenticate(appid, key, alg)
        except BaseException:
            connection.close()
            raise
        return cls(connection)

    def call(self, method: str, **params: Any) -> Any:
        """Call any method. Raises RemoteFault, Unreachable."""
        return self.connection.call(method, **params)

    def ping(self) -> dict[str, Any]:
        """Ask whether the front-end lives."""
        return dict(self.call("system.ping"))

    def issue(self, event: Event) -> Issued:
        """Issue a receipt, or get the one this key already has. Raises Queued, RemoteFault."""
        return Issued.of(self.call("receipt.issue", **event.params()))

    def receipt(self, *, code: str, number: str) -> Issued:
        """Return a receipt by its number."""
        return Issued.of(self.call("receipt.get", code=code, number=number))

    def receipt_of(self, *, unit: str, key: str) -> Issued:
        """Return the receipt of an event key."""
        return Issued.of(self.call("receipt.get", unit=unit, key=key))

    def submit(self, event: Event) -> dict[str, Any]:
        """Leave an event to be issued by itself; returns its id and state."""
        return dict(self.call("event.submit", **event.params())["event"])

    def event(self, *, unit: str, key: str) -> dict[str, Any]:
        """Return what became of an event."""
        return dict(self.call("event.get", unit=unit, key=key)["event"])

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Client:
        """Return the client."""
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:  # fmt: skip
        """Close the connection."""
        self.close()
