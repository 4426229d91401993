"""The HTTP front: doors for business systems by path, everything that is no door refused.

Owns listening, routing by the longest prefix, CORS, and the answers that need no door. Rules:
a door sees only bounded, decoded, plain requests; what goes wrong inside is told by a
reference, never by a traceback; while the node stops nothing new is taken. The body of an
answer is the door's business, HTTP 200 on errors included.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater

from fep.domain.faults import Refused, refuse
from fep.services.front_read import (
    BadCoding,
    BadPath,
    TooBig,
    headers_of,
    is_tls,
    peer_of,
    target,
    unpacked,
)
from fep.services.front_site import FrontBounds, FrontRequest, FrontSite
from fep.services.front_tls import listening
from fep.services.http_values import HttpAnswer, HttpDoor, HttpRequest
from fep.settings_http import HttpSettings, TlsSettings

JSON = "application/json;charset=UTF-8"
FLUSH_S, POLL_S = 2.0, 0.02
_ALWAYS = (
    ("Server", "fep"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)
_CORS = (("Access-Control-Allow-Origin", "*"),)
_PREFLIGHT = (
    *_CORS,
    ("Access-Control-Allow-Methods", "POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Content-Encoding, X-Requested-With"),
    ("Access-Control-Max-Age", "86400"),
)


@dataclass(frozen=True, slots=True)
class Route:
    """One door. A prefix that ends in a slash takes what is below it, another one itself.

    `methods` empty: the door answers every HTTP method itself. `cors`: pages of other origins
    may call it, which asks for a signature of its own in each request.
    """

    prefix: str
    door: HttpDoor
    methods: tuple[str, ...] = ()
    cors: bool = False

    def takes(self, path: str) -> bool:
        """Say whether a path is this door's."""
        return path.startswith(self.prefix) if self.prefix[-1] == "/" else path == self.prefix


class Front:
    """Opens and closes the doors; brings requests to them."""

    def __init__(
        self,
        reactor: Any,
        settings: HttpSettings,
        tls: TlsSettings,
        routes: Sequence[Route],
        log: Any,
        reference: Callable[[], str],
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._tls = tls
        self._routes = sorted(routes, key=lambda route: len(route.prefix), reverse=True)
        self._log = log
        self._reference = reference
        self._proxies = frozenset(settings.proxies)
        self._ports: list[Any] = []
        self._calls = 0
        self._closing = False
        self.faults: list[Refused] = []
        bounds = FrontBounds(
            settings.max_connections, settings.max_body_bytes, settings.max_held_bytes,
            settings.request_s, settings.idle_s,
        )  # fmt: skip
        self.site = FrontSite(reactor, bounds, self._asked)

    # from node
    async def open(self) -> None:
        """Listen; a place that cannot be had is logged and told by the doctor."""
        for text in self._settings.listen:
            try:
                endpoint = listening(self._reactor, text, self._tls)
                self._ports.append(await endpoint.listen(self.site))
                self._log.info("http.open", door=text)
            except CannotListenError as error:
                self._not_open(refuse("HTTP_LISTEN", endpoint=text, why=str(error.socketError)))
            except Refused as error:
                self._not_open(error)

    async def close_doors(self) -> None:
        """Take no further connection and no further call; calls under way go on."""
        self._closing = True
        ports, self._ports = self._ports, []
        for port in ports:
            await port.stopListening()

    async def close(self) -> None:
        """Let answers under way leave, then close every connection; bounded by 2 * FLUSH_S."""
        await self._within(lambda: not self._calls)
        self.site.let_go()
        await self._within(lambda: not self.site.connections)
        self.site.cut()

    async def _within(self, done: Callable[[], bool]) -> None:
        for _ in range(int(FLUSH_S / POLL_S)):
            if done():
                return
            await deferLater(self._reactor, POLL_S)

    def _not_open(self, fault: Refused) -> None:
        self.faults.append(fault)
        self._log.error("http.not_open", fault=fault.code, why=fault.zh)

    # from the site
    def _asked(self, request: FrontRequest) -> None:
        Deferred.fromCoroutine(self._answer(request))

    async def _answer(self, request: FrontRequest) -> None:
        cors = False
        try:
            path, query = target(request.uri)
            route = next((one for one in self._routes if one.takes(path)), None)
            if route is None:
                raise refuse("HTTP_PATH", path=path[:80])
            cors = route.cors
            answer = await self._routed(route, path, query, request)
        except BadPath as error:
            answer = told(400, refuse("HTTP_BAD", why=str(error)))
        except TooBig:
            answer = told(413, refuse("REQ_TOO_BIG", limit=self._settings.max_body_bytes))
        except BadCoding as error:
            answer = told(400, refuse("HTTP_BAD", why=str(error)))
        except Refused as error:
            answer = told(_STATUS.get(error.code, 400), error)
        except Exception as error:
            # The caller is told a reference; a traceback could hold a payer's name.
            ref = self._reference()
            self._log.error("http.failed", ref=ref, error=type(error).__name__, at=_place(error))
            answer = told(500, refuse("INTERNAL", ref=ref))
        more = _CORS if cors else ()
        head = [*_ALWAYS, *more, *answer.headers]
        if answer.content_type:
            head.append(("Content-Type", answer.content_type))
        request.reply(answer.status, head, answer.body)

    async def _routed(
        self, route: Route, path: str, query: dict[str, str], request: FrontRequest
    ) -> HttpAnswer:
        method = request.method.decode("ascii", "replace")
        if method == "OPTIONS" and route.cors:
            return HttpAnswer(204, "", b"", _PREFLIGHT[1:])
        if route.methods and method not in route.methods:
            return told(405, refuse("HTTP_METHOD", method=method[:16]),
                        ("Allow", ", ".join(route.methods)))  # fmt: skip
        if self._closing:
            raise refuse("STOPPING")
        if self._calls >= self._settings.max_calls:
            raise refuse("BUSY")
        headers = headers_of(request.requestHeaders.getAllRawHeaders())
        coding = headers.get("content-encoding", "")
        body = unpacked(request.body, coding, self._settings.max_body_bytes)
        peer = request.peer
        asked = HttpRequest(
            method, path, query, headers, body, peer_of(peer, headers, self._proxies),
            is_tls(peer, request.secure, headers, self._proxies),
        )  # fmt: skip
        self._calls += 1
        try:
            return await route.door(asked)
        finally:
            self._calls -= 1


_STATUS = {"HTTP_PATH": 404, "BUSY": 503, "STOPPING": 503}


def told(status: int, refused: Refused, *headers: tuple[str, str]) -> HttpAnswer:
    """Return a refusal that no door made, as JSON."""
    body = msgspec.json.encode(
        {"fault": refused.code, "zh": refused.zh, "en": refused.en,
         "retryable": refused.fault.retryable}
    )  # fmt: skip
    retry = (("Retry-After", "2"),) if status == 503 else ()
    return HttpAnswer(status, JSON, body, (*headers, *retry))


def _place(error: BaseException) -> str:
    """Return file and line of an error of ours."""
    trace = traceback.extract_tb(error.__traceback__)
    return f"{Path(trace[-1].filename).name}:{trace[-1].lineno}" if trace else ""
