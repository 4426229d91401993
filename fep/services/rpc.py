"""`POST /rpc`: the methods of the socket API, one call a request, proved by its headers.

    X-Fep-App    the caller's appid
    X-Fep-Time   Unix time in seconds, within 300 s of ours
    X-Fep-Nonce  8 to 64 characters, never used before with this time
    X-Fep-Mac    hex HMAC(key, METHOD|path|time|nonce|hex digest of the body), SM3 or SHA-256
or X-Fep-App and X-Fep-Token, from this machine, or over TLS from a listed address.

Rules: who proves nothing is told nothing of the body; a nonce counts once the mac is right.
An answered call is HTTP 200, its refusal too; other statuses say that no method was run.
"""

from __future__ import annotations

import hashlib
import hmac
import inspect
import re
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fep.crypto import sm3
from fep.domain.faults import Refused, refuse
from fep.services.callers import Caller, Callers
from fep.services.callers_limits import Nonces
from fep.services.http_values import HttpAnswer, HttpRequest
from fep.services.methods import Method, Methods
from fep.wire import jsonrpc

JSON = "application/json;charset=UTF-8"
_TIME = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[A-Za-z0-9_.~-]{8,64}")
_LOOPBACK = re.compile(r"127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|unix")
# Statuses of refusals before a method runs, and of those that ask to come again.
STATUS = {
    "AUTH_NEEDED": 401, "AUTH_WRONG": 401, "AUTH_TIME": 401, "AUTH_REPLAY": 401,
    "AUTH_ADDRESS": 403, "AUTH_LOCKED": 429, "CALLER_RATE": 429, "REQ_PARSE": 400,
    "REQ_SHAPE": 400, "REQ_BATCH": 400, "REQ_DUPLICATE_KEY": 400, "BUSY": 503, "STOPPING": 503,
    "INTERNAL": 500,
}  # fmt: skip


class Rpc:
    """The door behind /rpc."""

    def __init__(
        self, callers: Callers, nonces: Nonces, methods: Methods, log: Any,
        reference: Callable[[], str],
    ) -> None:  # fmt: skip
        self._callers = callers
        self._nonces = nonces
        self._methods = methods
        self._log = log
        self._reference = reference

    @property
    def table(self) -> Mapping[str, Method]:
        """Return the methods behind this door."""
        return self._methods.table()

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request; nothing is raised."""
        caller: Caller | None = None
        call: jsonrpc.Request | None = None
        ran = False
        try:
            caller = self._caller(request)
            call = _call(request.body, caller.encoding)
            result = self._run(caller, call)
            ran = True
            result = await result if inspect.isawaitable(result) else result
            status, line = 200, jsonrpc.answer(call.id, result)
        except Refused as refused:
            status, line = self._refused(refused, call)
        except Exception as error:
            # A traceback in an answer could hold a payer's name.
            ref = self._reference()
            self._log.error("call.failed", method=call.method if call else "", ref=ref,
                            ran=ran, error=type(error).__name__, at=_place(error))  # fmt: skip
            status, line = self._refused(refuse("INTERNAL", ref=ref), call, ref)
        if call is not None and call.id is None:
            return HttpAnswer(204, "", b"")
        plain = caller is not None and caller.encoding != "utf-8"
        return HttpAnswer(status, JSON, jsonrpc.plain(line) if plain else line)

    def _run(self, caller: Caller, call: jsonrpc.Request) -> Any:
        trace = self._callers.trace
        if not trace.watching:
            return self._methods.call(caller, call.method, call.params)
        return trace.through(
            caller.appid, "rpc", call.method, call.params,
            lambda: self._methods.call(caller, call.method, call.params),
        )  # fmt: skip

    def _refused(
        self, refused: Refused, call: jsonrpc.Request | None, ref: str = ""
    ) -> tuple[int, bytes]:
        line = jsonrpc.refusal(call.id if call else None, refused, ref or self._reference())
        return STATUS.get(refused.code, 200), line

    def _caller(self, request: HttpRequest) -> Caller:
        headers = request.headers
        appid = headers.get("x-fep-app", "")
        if not appid or len(appid) > 64:
            raise refuse("AUTH_NEEDED")
        token = headers.get("x-fep-token", "")
        if token:
            near = _LOOPBACK.fullmatch(request.peer) is not None
            return self._callers.check(
                appid, request.peer, lambda caller: _token(caller, token, near, request.tls)
            )
        at, nonce = headers.get("x-fep-time", ""), headers.get("x-fep-nonce", "")
        if not _TIME.fullmatch(at) or not _NONCE.fullmatch(nonce):
            raise refuse("AUTH_NEEDED")
        self._nonces.in_time(int(at))
        text = f"{request.method}|{request.path}|{at}|{nonce}|"
        given = headers.get("x-fep-mac", "")
        caller = self._callers.check(
            appid, request.peer, lambda one: _signed(one, text, request.body, given)
        )
        self._nonces.take(appid, int(at), nonce)
        return caller


def _token(caller: Caller, token: str, near: bool, tls: bool) -> bool:
    fits = hmac.compare_digest(caller.key, token.encode())
    return fits and caller.auth == "token" and caller.token_from(local=near, tls=tls)


def _signed(caller: Caller, text: str, body: bytes, given: str) -> bool:
    if caller.auth == "hmac-sm3":
        expected = sm3.hmac(caller.key, text.encode() + sm3.digest(body).hex().encode()).hex()
    elif caller.auth == "hmac-sha256":
        digest = hashlib.sha256(body).hexdigest()
        expected = hmac.digest(caller.key, f"{text}{digest}".encode(), "sha256").hex()
    else:
        return False
    return jsonrpc.same(expected, given)


def _call(body: bytes, encoding: str) -> jsonrpc.Request:
    if body.lstrip()[:1] == b"[":
        raise refuse("REQ_BATCH")
    return jsonrpc.parse(body, encoding)


def _place(error: BaseException) -> str:
    trace = traceback.extract_tb(error.__traceback__)
    return f"{Path(trace[-1].filename).name}:{trace[-1].lineno}" if trace else ""
