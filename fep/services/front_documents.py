"""`GET /openapi.json` and `/openrpc.json`: the contract, made once when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fep.services.http_values import HttpAnswer, HttpRequest
from fep.services.methods import Method
from fep.services.openrpc import openapi, openrpc

JSON = "application/json;charset=UTF-8"


class Documents:
    """Answers with the documents of one method table."""

    def __init__(self, table: Mapping[str, Method]) -> None:
        self._table = table
        self._made: dict[str, bytes] = {}

    async def openapi(self, _request: HttpRequest) -> HttpAnswer:
        """Return the OpenAPI document."""
        return self._told("openapi", openapi)

    async def openrpc(self, _request: HttpRequest) -> HttpAnswer:
        """Return the OpenRPC document."""
        return self._told("openrpc", openrpc)

    def _told(self, name: str, make: Callable[[Mapping[str, Method]], Any]) -> HttpAnswer:
        if name not in self._made:
            self._made[name] = msgspec.json.encode(make(self._table))
        return HttpAnswer(200, JSON, self._made[name])
