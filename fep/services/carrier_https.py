"""The carrier over HTTPS with certificates on both sides (fpb1.md, 6.2).

One side connects: it posts what leaves and asks for what waits. The other serves both.
Rules: neither talks to a side that does not prove itself with the configured certificate;
204 is said only for what is held durably; a file that was fetched is dropped only when the
caller says that it holds it. TLS is loaded only where it is spoken.
"""

# mypy: disable-error-code="no-untyped-call"
# (twisted.web and twisted.internet.ssl are largely untyped)

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from fep.domain.link_pace import Limits
from fep.services.carrier_belt import FAULT_MOST_S, Belt, NotNow, Tools
from fep.services.ferry import Ferry, Full
from fep.settings_link import CarrierSettings
from fep.wire.fpb import FILE_MAX_BYTES, Reason, Unreadable
from fep.wire.fpb_name import parse_name

BATCHES: Final = "/fpb/v1/batches"
OUTBOX: Final = "/fpb/v1/outbox"
NAME_HEADER: Final = "Fpb-Name"
FETCHED_A_LOOK: Final = 64


class HttpsCarrier(Ferry):
    """Moves the ferry's files over HTTPS: `connect` is a base URL, `listen` a host:port."""

    def __init__(self, root: Path, tools: Tools, settings: CarrierSettings, limits: Limits,
                 site: Path) -> None:  # fmt: skip
        super().__init__(root)
        self._tools, self._settings, self._site = tools, settings, site
        self._belt = Belt(
            tools, self, limits, self._deliver, poll_s=settings.poll_s, retry_s=settings.retry_s
        )
        self._base = settings.connect.rstrip("/")
        self._agent: Any = None  # twisted.web.client.Agent
        self._pool: Any = None
        self._port: Any = None
        self._taken = ""  # what was fetched and stored, to be told with the next question
        self._asking: Deferred[None] | None = None
        self._watch: Any = None
        self._fault_s = 0.0  # the wait after the latest fault
        self._running = False

    # from Uplink or relay
    def open(self) -> None:
        """Serve or connect as configured."""
        self._running = True
        try:
            if self._settings.listen:
                self._serve()
            if self._base:
                self._agent, self._pool = _agent(self._tools.reactor, self._tls())
                self._belt.open()
                self._ask_soon(0.0)
        except (OSError, ValueError) as error:
            self.fault = f"cannot begin: {error}"[:200]
            self._tools.log.error("carrier.deaf", why=self.fault)

    async def close(self) -> None:
        """End; what waits stays on disk."""
        self._running = False
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        if self._agent is not None:
            await self._belt.close()
        if self._asking is not None:
            await self._asking
        if self._pool is not None:
            await self._pool.closeCachedConnections()
        if self._port is not None:
            await self._port.stopListening()

    def address(self) -> Any:
        """Return the address the listener got, None without one."""
        return None if self._port is None else self._port.getHost()

    def _tls(self) -> _Tls:
        """Return our certificate, key, and the certificate of the other side."""
        s, site = self._settings, self._site
        names = (s.tls_cert, s.tls_key, s.tls_peer)
        if not all(names):
            raise ValueError("tls_cert, tls_key and tls_peer are needed")
        return _Tls(*((site / name).read_bytes() for name in names))

    # the side that connects
    async def _deliver(self, name: str, content: bytes) -> bool:
        status, _, _ = await self._call("POST", BATCHES, content)
        if status not in (204, 400, 413, 503):
            raise NotNow(f"the other side answers {status}")
        return bool(status == 204)

    def _ask_soon(self, seconds: float) -> None:
        if self._running:
            self._watch = self._tools.reactor.callLater(seconds, self._ask)

    def _ask(self) -> None:
        self._asking = Deferred.fromCoroutine(self._fetch())

    async def _fetch(self) -> None:
        """Fetch what waits on the other side, one file a question."""
        wait = self._settings.poll_s
        try:
            if not self._belt.closed():
                for _ in range(FETCHED_A_LOOK):
                    if not self._running or not await self._fetch_one():
                        break
        except (OSError, NotNow, Full, Unreadable) as error:
            self.fault = str(error)[:200]
            self._fault_s = min(FAULT_MOST_S, max(wait, self._fault_s * 2))
            wait = self._fault_s
        except Exception as error:  # the way must not end with one strange answer
            self._tools.log.error("carrier.fetch", why=repr(error))
            wait = max(wait, self._settings.retry_s)
        self._asking = None
        self._ask_soon(wait)

    async def _fetch_one(self) -> bool:
        status, name, content = await self._call("GET", f"{OUTBOX}?taken={quote(self._taken)}", b"")
        self.fault, self._fault_s, self._taken = "", 0.0, ""
        if status == 204:
            return False
        if status != 200 or parse_name(name) is None:
            raise NotNow(f"the other side answers {status}")
        await self._tools.work(self.accept, content)
        self._taken = name
        return True

    async def _call(self, method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Return (status, name, content). Raises NotNow."""
        asked = _request(self._agent, method, self._base + path, body)
        asked.addTimeout(self._settings.answer_s, self._tools.reactor)
        try:
            answered: tuple[int, str, bytes] = await asked
            return answered
        except _failed() as error:
            raise NotNow(f"no answer from the other side: {type(error).__name__}") from error

    # the side that is called
    def _serve(self) -> None:
        host, _, port = self._settings.listen.rpartition(":")
        site = _site(self)
        context = _server_options(self._tls())
        self._port = self._tools.reactor.listenSSL(
            int(port), site, context, interface=host or "0.0.0.0"
        )

    def posted(self, content: bytes, answer: Callable[[int], None]) -> None:
        """Store what was posted, then answer with a status."""

        def failed(failure: Failure) -> None:
            why = failure.value
            self._tools.log.warning("carrier.not_taken", why=str(why)[:200])
            if isinstance(why, Unreadable):
                answer(413 if why.reason is Reason.TOO_BIG else 400)
            else:
                answer(503)

        if len(content) > FILE_MAX_BYTES:
            answer(413)
            return
        stored = self._tools.work(self.accept, content)
        stored.addCallbacks(lambda _name: answer(204), failed)

    def asked(self, taken: str, answer: Callable[[str, bytes], None]) -> None:
        """Drop what the caller holds, then answer with the next file, if any may pass."""

        async def next_file() -> None:
            if taken and parse_name(taken) is not None:
                await self._tools.work(self.departed, taken)
            name, content = None, None
            if not self._belt.wait_s():
                name, content = await self._belt.next_waiting()
            if name is not None and content is not None:
                self._belt.passed(len(content))
            answer(name or "", content or b"")

        def failed(failure: Failure) -> None:
            self._tools.log.warning("carrier.outbox", why=str(failure.value)[:200])
            answer("", b"")

        Deferred.fromCoroutine(next_file()).addErrback(failed)

    def allowed(self, host: str) -> bool:
        """Say whether an address may call."""
        return not self._settings.peers or host in self._settings.peers


class _Tls:
    """PEM of our certificate and key, and of the only one we talk to."""

    def __init__(self, cert: bytes, key: bytes, peer: bytes) -> None:
        self.cert, self.key, self.peer = cert, key, peer


def _own(tls: _Tls) -> tuple[Any, Any]:
    from OpenSSL import crypto

    return (
        crypto.load_privatekey(crypto.FILETYPE_PEM, tls.key),
        crypto.load_certificate(crypto.FILETYPE_PEM, tls.cert),
    )


def _trust(tls: _Tls) -> Any:
    from twisted.internet.ssl import Certificate, trustRootFromCertificates

    return trustRootFromCertificates([Certificate.loadPEM(tls.peer)])


def _server_options(tls: _Tls) -> Any:
    from twisted.internet.ssl import CertificateOptions

    key, cert = _own(tls)
    return CertificateOptions(privateKey=key, certificate=cert, trustRoot=_trust(tls))


def _agent(reactor: Any, tls: _Tls) -> tuple[Any, Any]:
    from twisted.internet.ssl import PrivateCertificate, optionsForClientTLS
    from twisted.web.client import Agent, HTTPConnectionPool
    from twisted.web.iweb import IPolicyForHTTPS
    from zope.interface import implementer

    own = PrivateCertificate.loadPEM(tls.key + b"\n" + tls.cert)
    trust = _trust(tls)

    @implementer(IPolicyForHTTPS)
    class Both:
        """Our certificate for them, theirs and nobody else's for us."""

        def creatorForNetloc(self, hostname: bytes, _port: int) -> Any:
            """Return the TLS options for a host."""
            return optionsForClientTLS(
                hostname.decode("ascii"), trustRoot=trust, clientCertificate=own
            )

    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = 1
    pool.cachedConnectionTimeout = 40
    return Agent(reactor, Both(), connectTimeout=30, pool=pool), pool


def _request(agent: Any, method: str, url: str, body: bytes) -> Any:
    from twisted.web.client import FileBodyProducer, readBody
    from twisted.web.http_headers import Headers

    headers = Headers({b"content-type": [b"application/octet-stream"]})
    producer = FileBodyProducer(BytesIO(body)) if method == "POST" else None
    asked = agent.request(method.encode(), url.encode(), headers, producer)

    def answered(response: Any) -> Any:
        names = response.headers.getRawHeaders(NAME_HEADER, [""])
        if isinstance(response.length, int) and response.length > FILE_MAX_BYTES:
            raise NotNow("an answer larger than any batch")
        read = readBody(response)
        read.addCallback(lambda content: (response.code, str(names[0]), bytes(content)))
        return read

    return asked.addCallback(answered)


def _failed() -> tuple[type[BaseException], ...]:
    from OpenSSL.SSL import Error
    from twisted.web._newclient import RequestTransmissionFailed
    from twisted.web.client import ResponseFailed

    return (TimeoutError, CancelledError, ConnectError, ConnectionDone, ConnectionLost,
            ResponseFailed, RequestTransmissionFailed, Error)  # fmt: skip


def _site(carrier: HttpsCarrier) -> Any:
    from twisted.web.resource import Resource
    from twisted.web.server import NOT_DONE_YET, Site

    class Door(Resource):
        """The two paths of the protocol; everything else is 404."""

        isLeaf = True

        def render(self, request: Any) -> Any:
            """Answer one request."""
            path = request.path.decode("ascii", "replace")
            route = (request.method, path)
            if not carrier.allowed(request.getClientAddress().host):
                request.setResponseCode(403)
                return b""
            if route == (b"POST", BATCHES):
                carrier.posted(request.content.read(FILE_MAX_BYTES + 1), _finish(request))
            elif route == (b"GET", OUTBOX):
                taken = request.args.get(b"taken", [b""])[0].decode("ascii", "replace")
                carrier.asked(taken, _give(request))
            else:
                request.setResponseCode(404)
                return b""
            return NOT_DONE_YET

    site = Site(Door())
    site.noisy = False
    site.displayTracebacks = False
    return site


def _finish(request: Any) -> Callable[[int], None]:
    gone: list[object] = []
    request.notifyFinish().addErrback(gone.append)

    def finish(status: int) -> None:
        if not gone:
            request.setResponseCode(status)
            request.finish()

    return finish


def _give(request: Any) -> Callable[[str, bytes], None]:
    finish = _finish(request)

    def give(name: str, content: bytes) -> None:
        if name and not request._disconnected:
            request.setHeader(NAME_HEADER, name)
            request.setHeader("content-type", "application/octet-stream")
            request.setHeader("content-length", str(len(content)))
            request.write(content)
        finish(200 if name else 204)

    return give
