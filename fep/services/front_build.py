"""Builds the HTTP front and the doors behind it; where it is off, nothing of it is loaded.

Rules: all doors stand on the one HisContext, so that the same key through any door is the same
receipt. A new dialect is one line in `_routes`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fep.services.callers_limits import Nonces
from fep.services.his_context import HisContext
from fep.services.methods import Methods
from fep.services.people import People
from fep.services.rpc import Rpc
from fep.settings import Settings

if TYPE_CHECKING:
    from fep.services.front import Front, Route

REFERENCE_BYTES = 5


def make_front(
    reactor: Any, settings: Settings, his: HisContext, methods: Methods, people: People
) -> Front | None:
    """Return the HTTP front, None when it is off."""
    if not settings.http.listen:
        return None
    # twisted.web is only loaded where it is used.
    from fep.services.front import Front
    from fep.services.upstream import make_elsewhere

    his = replace(his, elsewhere=make_elsewhere(reactor, his, people.upstream_of))

    def reference() -> str:
        return his.entropy.token(REFERENCE_BYTES).hex()

    rpc = Rpc(his.callers, Nonces(his.clock), methods, his.log, reference)
    routes = _routes(his, rpc)
    return Front(reactor, settings.http, settings.tls, routes, his.log, reference)


def _routes(his: HisContext, rpc: Rpc) -> list[Route]:
    from fep.services.front import Route
    from fep.services.front_documents import Documents
    from fep.services.medical import PREFIX, Medical
    from fep.services.standard import PREFIX as STANDARD
    from fep.services.standard import Standard

    documents = Documents(rpc.table)
    return [
        Route(PREFIX, Medical(his).door, cors=True),
        Route(STANDARD, Standard(his).door, cors=True),
        Route("/rpc", rpc, ("POST",)),
        Route("/openapi.json", documents.openapi, ("GET", "HEAD")),
        Route("/openrpc.json", documents.openrpc, ("GET", "HEAD")),
    ]
