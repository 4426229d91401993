"""Cut-over: calls about receipts that are not ours go to the front-end that issued them.

Rules: only methods about one receipt go there, never one that issues; a call is made once,
within a bound of time, and never repeated; what it changes is journalled. No answer is not
the answer "no such receipt": a HIS would issue again. The answer goes back under our own
envelope, so that the caller needs to know nothing of it. With nobody to ask, receipts that
were imported answer for themselves (fep.services.imports).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.protocol import Protocol
from twisted.web.client import Agent, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from fep.domain.faults import Refused, refuse
from fep.ports import Clock, Entropy
from fep.services.callers import Caller
from fep.services.his_context import Answered, HisContext
from fep.services.imports import Imports
from fep.services.people import Upstream
from fep.store.tx import Tx
from fep.store.writer import Store
from fep.wire.dialects import medical_envelope as wire

ASKS = frozenset((
    "getEBillByBusNo", "getEBillStatesByBillInfo", "getEBillPicUrl", "getEBillNotifyPic",
    "getBillDetail", "getEBillAccountStatus", "getElectBilllListTotal", "getPaperBillNo",
))  # fmt: skip
CHANGES = frozenset((
    "writeOffEBill", "writeOffEBillToPaper", "turnPaper", "reTurnPaper", "invalidPaper",
    "sendBillNotice", "noticeEBill", "receiveArreasFeedBack",
))  # fmt: skip
UNDER_WAY_MAX = 32
BODY_BYTES_MAX = 8 << 20
CONNECT_SHARE = 0.6
_agent: Any = Agent  # Twisted leaves it untyped
VERSION = "1.0"
PATHS = {"medical": "/medical-web/api/medical/", "standard": "/standard-web/api/standard/"}

Imported = Callable[[Caller, str, Mapping[str, Any]], Awaitable[Answered | None]]
Post = Callable[[Upstream, str, bytes], Awaitable[bytes]]


class Unsent(Exception):
    """Nobody was reached: nothing has happened there."""


class Unanswered(Exception):
    """The call left, no answer came: nobody knows what has happened there."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Answers for receipts that are not ours; see fep.services.his_context.Elsewhere."""

    upstream_of: Callable[[str], Upstream | None]
    post: Post
    imported: Imported
    store: Store
    clock: Clock
    entropy: Entropy
    log: Any
    service: str = "medical"
    outer: tuple[tuple[str, str], ...] = ()

    def beside(self, service: str, outer: tuple[tuple[str, str], ...]) -> Elsewhere:
        """Return the same for another dialect, whose envelope has more members."""
        return Elsewhere(self.upstream_of, self.post, self.imported, self.store, self.clock,
                         self.entropy, self.log, service, outer)  # fmt: skip

    async def __call__(
        self, caller: Caller, method: str, params: Mapping[str, Any]
    ) -> Answered | None:
        """Return what is known of it elsewhere, None when nobody knows.

        Raises Refused UPSTREAM_AWAY, UPSTREAM_UNKNOWN, UPSTREAM_ANSWER, BUSY.
        """
        upstream = self.upstream_of(caller.appid)
        if upstream is None or method not in ASKS | CHANGES:
            return await self.imported(caller, method, params)
        try:
            answered = await self._asked(upstream, caller, method, params)
        except Refused:
            if method in CHANGES:
                raise
            found = await self.imported(caller, method, params)
            if found is None:
                raise
            return found
        if answered.result != wire.OK and method in ASKS:
            return await self.imported(caller, method, params) or answered
        return answered

    async def _asked(
        self, upstream: Upstream, caller: Caller, method: str, params: Mapping[str, Any]
    ) -> Answered:
        began, result = self.clock.mono(), ""
        if method in CHANGES:
            await self._journal("upstream.sent", caller, method, params, "")
        try:
            body = await self.post(upstream, PATHS[self.service] + method,
                                   self._envelope(upstream, params))  # fmt: skip
            try:
                answered = opened(body, upstream, self.outer)
            except Refused as refused:
                if method in CHANGES:  # it was heard there: it may have been done
                    raise Unanswered(refused.code) from refused
                raise
            result = answered.result
            return answered
        except Unsent as error:
            result = "AWAY"
            raise refuse("UPSTREAM_AWAY", why=str(error)[:80]) from error
        except Unanswered as error:
            result = "UNKNOWN"
            raise refuse("UPSTREAM_UNKNOWN" if method in CHANGES else "UPSTREAM_AWAY",
                         why=str(error)[:80]) from error  # fmt: skip
        finally:
            took_ms = round((self.clock.mono() - began) * 1000)
            self.log.info("upstream.call", caller=caller.appid, method=method,
                          result=result or "?", took_ms=took_ms)  # fmt: skip
            if method in CHANGES:
                await self._journal("upstream.answered", caller, method, params, result or "?")

    def _envelope(self, upstream: Upstream, params: Mapping[str, Any]) -> bytes:
        text = json.dumps(params, ensure_ascii=False, separators=(",", ":"))
        data = base64.b64encode(text.encode()).decode()
        noise = self.entropy.token(16).hex()
        sign = wire.signature(upstream.appid, data, noise, upstream.key, VERSION, head(self.outer))
        return json.dumps({**dict(self.outer), "appid": upstream.appid, "data": data,
                           "noise": noise, "version": VERSION, "sign": sign}).encode()  # fmt: skip

    async def _journal(self, op: str, caller: Caller, method: str, params: Mapping[str, Any],
                       result: str) -> None:  # fmt: skip
        ref = f"{params.get('billBatchCode', '')}-{params.get('billNo', '')}"[:80]
        body: dict[str, object] = {"caller": caller.appid, "method": method}
        if result:
            body["result"] = result[:20]
        await self.store.do("upstream", note_txn, op, ref, body)


def make_elsewhere(
    reactor: Any, his: HisContext, upstream_of: Callable[[str], Upstream | None]
) -> Elsewhere:
    """Return who is asked about receipts that are not ours."""
    imported = Imports(his.store, his)
    return Elsewhere(upstream_of, Posting(reactor), imported, his.store, his.clock, his.entropy,
                     his.log)  # fmt: skip


def note_txn(tx: Tx, op: str, ref: str, body: dict[str, object]) -> int:
    """Journal what was asked of the old front-end."""
    return tx.journal(op, ref, body)


def head(outer: tuple[tuple[str, str], ...]) -> str:
    """Return what goes before the appid in what is signed."""
    return "".join(f"{name}={value}&" for name, value in outer)


def opened(body: bytes, upstream: Upstream, outer: tuple[tuple[str, str], ...]) -> Answered:
    """Return what an answer says. Raises Refused UPSTREAM_ANSWER."""
    try:
        told = json.loads(body)
        data, noise, sign = (str(told[name]) for name in ("data", "noise", "sign"))
        good = wire.signature(upstream.appid, data, noise, upstream.key, VERSION, head(outer))
        if sign.upper() != good:
            raise refuse("UPSTREAM_ANSWER", why="sign")
        inner = json.loads(base64.b64decode(data))
        result, text = str(inner["result"]), base64.b64decode(inner["message"]).decode()
        if result != wire.OK or text[:1] != "{":
            return Answered(result[:10], text)
        message = json.loads(text, parse_float=str)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise refuse("UPSTREAM_ANSWER", why=type(error).__name__) from error
    return Answered(result, dict(message))


class Posting:
    """POSTs to old front-ends: once, bounded in time, in number and in size."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._under_way = 0

    async def __call__(self, upstream: Upstream, path: str, body: bytes) -> bytes:
        """Return the body of the answer. Raises Unsent, Unanswered, Refused BUSY."""
        if self._under_way >= UNDER_WAY_MAX:
            raise refuse("BUSY")
        self._under_way += 1
        try:
            done: Deferred[bytes] = Deferred.fromCoroutine(self._post(upstream, path, body))
            return await done.addTimeout(upstream.timeout_s, self._reactor)
        except (ConnectError, DNSLookupError) as error:
            raise Unsent(type(error).__name__) from error
        except (Unsent, Unanswered):
            raise
        except Exception as error:  # whatever broke, it broke after the call left
            raise Unanswered(type(error).__name__) from error
        finally:
            self._under_way -= 1

    async def _post(self, upstream: Upstream, path: str, body: bytes) -> bytes:
        headers = Headers({"Content-Type": ["application/json;charset=UTF-8"],
                           "User-Agent": ["fep"]})  # fmt: skip
        url = (upstream.base + path).encode("ascii")
        # No kept connections: one that died meanwhile would leave the outcome unknown.
        agent = _agent(self._reactor, connectTimeout=upstream.timeout_s * CONNECT_SHARE)
        answer = await agent.request(b"POST", url, headers, _Body(body))
        if answer.code != 200:
            raise Unanswered(f"HTTP {answer.code}")
        read = _Reading()
        answer.deliverBody(read)
        return await read.done


@implementer(IBodyProducer)
class _Body:
    """A request body that is whole already."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._body)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def pauseProducing(self) -> None:
        """Everything has been written."""

    def resumeProducing(self) -> None:
        """Everything has been written."""

    def stopProducing(self) -> None:
        """Everything has been written."""


class _Reading(Protocol):
    """Collects the body of an answer up to a bound."""

    transport: Any

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred()
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > BODY_BYTES_MAX:
            self.transport.loseConnection()
        else:
            self._parts.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        whole = isinstance(getattr(reason, "value", None), ResponseDone)
        if whole and self._size <= BODY_BYTES_MAX:
            self.done.callback(b"".join(self._parts))
        else:
            self.done.errback(Unanswered("cut"))
