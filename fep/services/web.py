"""The web door: receipt pages under /r/, and /healthz for monitors and load balancers.

    GET /r/<token>            the page (H5), ?lang=en for English captions
    GET /r/<token>.pdf|.png   the receipt as a file, made in a child process
    GET /healthz              200 when receipts can be issued, else 503 with the reasons
    GET /robots.txt           nobody indexes receipts

Off by default. Rules: nothing is told about a token that fits no receipt, and who tries too
many of them is not answered; at most `max_renders` files are made at a time, WAITING_MAX wait.
Tokens, payers and addresses of readers never get into the log.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from fep.domain.faults import Refused, refuse
from fep.ports import Clock
from fep.render.h5 import notice
from fep.render.h5_style import STYLE
from fep.services.desk_context import DeskContext
from fep.services.web_page import Shop
from fep.services.web_site import BoundedSite
from fep.services.web_wrong import Wrong, source_of
from fep.settings_web import PAGE_PATH, WebSettings

WAITING_MAX = 16
_PAGE = re.compile(rf"{PAGE_PATH}([0-9A-Za-z]{{16}})(?:\.(pdf|png))?")
_TYPES = {"pdf": "application/pdf", "png": "image/png"}
_HTML = "text/html; charset=utf-8"
_METHODS = (b"GET", b"HEAD")
_HEADERS = (
    ("Server", "fep"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("X-Robots-Tag", "noindex, nofollow, noarchive"),
    ("Referrer-Policy", "no-referrer"),
)
# Endpoint strings come without types.
_endpoint: Callable[[Any, str], Any] = serverFromString


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request matters: `path` below the public address, who counts as its source."""

    path: str
    source: str
    language: str = "zh"
    method: bytes = b"GET"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Web:
    """Opens and closes the door; answers the requests."""

    def __init__(
        self,
        reactor: Any,
        clock: Clock,
        settings: WebSettings,
        desk: DeskContext,
        shop: Shop,
        unable: Callable[[], Sequence[str]],
        log: Any,
    ) -> None:
        self._reactor = reactor
        self._settings = settings
        self._desk = desk
        self._shop = shop
        self._unable = unable
        self._log = log
        self._wrong = Wrong(clock, settings.max_wrong_per_minute)
        self._proxies = frozenset(settings.proxies)
        self._renders = DeferredSemaphore(settings.max_renders)
        self._prefix = urlsplit(settings.base).path
        self._ports: list[Any] = []
        self.faults: list[Refused] = []  # why a place is not listened at
        root: Any = _Root(self)
        self.site = BoundedSite(
            reactor, root, connections_max=settings.max_connections,
            request_s=settings.request_s, proxies=self._proxies,
        )  # fmt: skip

    # from node
    async def open(self) -> None:
        """Listen; a place that is taken is logged: receipts are issued without pages, too."""
        for text in self._settings.listen:
            try:
                self._ports.append(await _endpoint(self._reactor, text).listen(self.site))
                self._log.info("web.open", door=text)
            except CannotListenError as error:
                fault = refuse("WEB_LISTEN", endpoint=text, why=str(error.socketError))
                self.faults.append(fault)
                self._log.error("web.not_open", fault=fault.code, why=fault.zh)

    async def close(self) -> None:
        """Close the door and what is still connected."""
        ports, self._ports = self._ports, []
        for port in ports:
            await port.stopListening()
        self.site.cut()

    # from requests
    def asked(self, request: Any) -> Asked:
        """Return what matters of a request."""
        path = request.path.decode("latin-1")
        if self._prefix and path.startswith(f"{self._prefix}/"):
            path = path[len(self._prefix) :]
        forwarded = request.requestHeaders.getRawHeaders("x-forwarded-for") or []
        peer = getattr(request.getClientAddress(), "host", "")
        return Asked(
            path, source_of(peer, ",".join(forwarded), self._proxies),
            "en" if request.args.get(b"lang") == [b"en"] else "zh", request.method,
        )  # fmt: skip

    async def reply(self, asked: Asked) -> Reply:
        """Return the answer to any request; nothing is raised."""
        try:
            return await self._reply(asked)
        except Refused as error:
            self._log.error("web.render", fault=error.code)
            return _notice(503, "broken", asked.language, ("Retry-After", "30"))
        except Exception as error:
            # The reader is told that it cannot be shown; a traceback could hold the receipt.
            self._log.error("web.failed", error=type(error).__name__, at=_place(error))
            return _notice(500, "broken", asked.language)

    async def _reply(self, asked: Asked) -> Reply:
        if asked.method not in _METHODS:
            return _notice(405, "method", asked.language, ("Allow", "GET, HEAD"))
        if asked.path == "/healthz":
            return self._health()
        if asked.path == "/robots.txt":
            return Reply(200, "text/plain", b"User-agent: *\nDisallow: /\n")
        if not asked.path.startswith(PAGE_PATH):
            return _notice(404, "none", asked.language)
        if self._wrong.over(asked.source):
            return _notice(429, "many", asked.language, ("Retry-After", "60"))
        found = await self._receipt(asked)
        return found if found is not None else self._nobodys(asked)

    def _health(self) -> Reply:
        reasons = list(self._unable())
        body = {"ok": not reasons, "version": self._desk.version, "reasons": reasons}
        text = json.dumps(body).encode() + b"\n"
        return Reply(503 if reasons else 200, "application/json", text)

    def _nobodys(self, asked: Asked) -> Reply:
        self._wrong.note(asked.source)
        if self._wrong.over(asked.source):
            self._log.warning("web.guessing")
        return _notice(404, "none", asked.language)

    async def _receipt(self, asked: Asked) -> Reply | None:
        """Return the page or file of a token, None when it is nobody's."""
        found = _PAGE.fullmatch(asked.path)
        if found is None:
            return None
        token, form = found.groups()
        if form is None:
            text = await self._desk.read(self._shop.html_q, token, asked.language)
            return _html(200, text) if text is not None else None
        if len(self._renders.waiting) >= WAITING_MAX:
            return _notice(503, "busy", asked.language, ("Retry-After", "5"))
        page = await self._desk.read(self._shop.view_q, token, form)
        if page is None:
            return None
        name, view = page
        work: Deferred[bytes] = self._renders.run(deferToThread, self._shop.render, view, form)
        shown = ("Content-Disposition", f'inline; filename="{name}.{form}"')
        return Reply(200, _TYPES[form], await work, (shown,))


class _Root(Resource):
    """Every path of the site."""

    isLeaf = True

    def __init__(self, web: Web) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # twisted.web has no types here
        self._web = web

    def render(self, request: Any) -> Any:
        Deferred.fromCoroutine(self._answer(request))
        return NOT_DONE_YET

    async def _answer(self, request: Any) -> None:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        reply = await self._web.reply(self._web.asked(request))
        if gone:
            return
        request.setResponseCode(reply.status)
        for name, value in (*_HEADERS, *reply.headers):
            request.setHeader(name, value)
        request.setHeader("Content-Type", reply.content_type)
        request.setHeader("Content-Length", str(len(reply.body)))
        request.write(b"" if request.method == b"HEAD" else reply.body)
        request.finish()


def _notice(status: int, name: str, language: str, *headers: tuple[str, str]) -> Reply:
    return _html(status, notice(name, language), *headers)


def _html(status: int, text: str, *headers: tuple[str, str]) -> Reply:
    policy = ("Content-Security-Policy", _policy())
    return Reply(status, _HTML, text.encode(), (policy, *headers))


def _place(error: BaseException) -> str:
    """Return file and line of an error of ours."""
    trace = traceback.extract_tb(error.__traceback__)
    return f"{Path(trace[-1].filename).name}:{trace[-1].lineno}" if trace else ""


@functools.cache
def _policy() -> str:
    """Return the policy: our own style sheet, and nothing else from anywhere."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    )
