"""What passes between the HTTP front and the doors behind it: plain values, nothing of Twisted.

The front bounds and decodes; a door answers. Whatever a door may need of a request is here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec


class HttpRequest(msgspec.Struct, frozen=True):
    """One bounded request. `path` is without the query; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str  # address of the caller, behind trusted proxies the one they tell
    tls: bool = False


class HttpAnswer(msgspec.Struct, frozen=True):
    """What goes back. `headers` are added to those the front always sets."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


HttpDoor = Callable[[HttpRequest], Awaitable[HttpAnswer]]
"""Answers every request under its prefix; raises nothing that is the caller's doing."""
