"""A door of the medical family: envelope, caller, table, call, signed answer.

Rules: every answer is HTTP 200 with a signed envelope, refusals too; who does not prove to
hold the key is answered under an empty one, the same whether he is known or not; nothing of
a patient is logged. Never: a queue behind the caller's back, a wait for the province.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from fep.domain.faults import Refused, refuse
from fep.services.callers import Caller
from fep.services.his_context import Answered, HisContext
from fep.services.http_values import HttpAnswer, HttpRequest
from fep.wire.dialects import medical_envelope as wire
from fep.wire.dialects.medical_codes import result_of, text_of
from fep.wire.dialects.medical_issue import renamed
from fep.wire.dialects.medical_quick import quick
from fep.wire.dialects.medical_table import Field, read

JSON = "application/json;charset=UTF-8"
NOISE_BYTES, REFERENCE_BYTES = 16, 5
NAME_MAX = 60
# What another front-end may know when we do not.
UNKNOWN = ("RCP_UNKNOWN", "EVT_UNKNOWN", "PAPER_UNKNOWN", "HIS_SHEETS")

Told = dict[str, Any] | str
"""The message of an answer; a text is an acknowledgement."""
Call = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DoorMethod:
    """One method: the right it needs, its fields, and what it does."""

    right: str
    table: tuple[Field, ...]
    run: Callable[[Caller, Call], Awaitable[Told]]


class _Reply(msgspec.Struct, frozen=True):
    """How a request is answered: under which key and in which coding."""

    envelope: wire.Envelope
    key: bytes = b""
    coding: str = "utf-8"


_NOBODY = _Reply(wire.Envelope("", "", "", "1.0", ""))


class Door:
    """Answers `<prefix><method>`; `head` gives what goes before the appid in what is signed."""

    def __init__(
        self,
        ctx: HisContext,
        methods: Mapping[str, DoorMethod],
        opened: Callable[[bytes], wire.Envelope] = wire.opened,
        admitted: Callable[[Caller, wire.Envelope], None] = lambda caller, envelope: None,
    ) -> None:
        self._ctx = ctx
        self._methods = methods
        self._opened = opened
        self._admitted = admitted

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request; nothing is raised."""
        name = unquote(request.path).rstrip().rpartition("/")[2].strip()[:NAME_MAX]
        began, reply, caller = self._ctx.clock.mono(), _NOBODY, None
        try:
            envelope = self._opened(request.body)
            reply = _Reply(envelope)
            caller = self._ctx.callers.check(
                envelope.appid, request.peer, lambda one: wire.fits(envelope, one.key)
            )
            reply = _Reply(envelope, caller.key, caller.encoding)
            self._admitted(caller, envelope)
            if caller.pace is not None:
                caller.pace.take()
            asked = wire.unpacked(envelope, caller.encoding)
            ready = self._ready(name, asked.text)
            given = asked.fields() if ready is None else None
            reply = _Reply(envelope, caller.key, asked.coding)
            if given is not None and self._ctx.callers.trace.watching:
                self._ctx.callers.trace.note(caller.appid, "his", "in", name, given)
            told = await self._told(caller, name, ready, lambda: given or asked.fields())
            result = wire.OK
            if isinstance(told, Answered):
                result, told = told.result, told.told
        except Refused as refused:
            result, told = result_of(refused), text_of(refused)
        except Exception as error:
            result, told = self._failed(name, error)
        took_ms = round((self._ctx.clock.mono() - began) * 1000)
        self._ctx.log.info("medical.call", method=name if name in self._methods else "?",
                           caller=caller.appid if caller else "?", result=result,
                           took_ms=took_ms)  # fmt: skip
        if self._ctx.callers.trace.watching and caller is not None:
            said = {"result": result, "message": told}
            self._ctx.callers.trace.note(caller.appid, "his", "out", name, said)
        noise = self._ctx.entropy.token(NOISE_BYTES).hex()
        body = wire.answer(reply.envelope, reply.key, noise, result, told, reply.coding)
        return HttpAnswer(200, JSON, body)

    def _ready(self, name: str, text: bytes) -> Call | None:
        """Return a call as its table reads it, if that is plain and nobody looks at it raw."""
        method = self._methods.get(name)
        if method is None or self._ctx.callers.trace.watching:
            return None
        return quick(method.table, text)

    async def _told(
        self, caller: Caller, name: str, ready: Call | None, given: Callable[[], Call]
    ) -> Told | Answered:
        method = self._methods.get(name)
        if method is None:
            raise refuse("HIS_METHOD", method=name)
        caller.need(method.right, name)
        call = read(method.table, renamed(given())) if ready is None else ready
        try:
            return await method.run(caller, call)
        except Refused as refused:
            if refused.code not in UNKNOWN or self._ctx.elsewhere is None:
                raise
            other = await self._ctx.elsewhere(caller, name, given())
            if other is None:
                raise
            return other

    def _failed(self, name: str, error: Exception) -> tuple[str, str]:
        """A fault of ours: the caller is told a reference, the log where it was, nobody whose."""
        ref = self._ctx.entropy.token(REFERENCE_BYTES).hex()
        frame = traceback.extract_tb(error.__traceback__)[-1]
        known = name if name in self._methods else "?"
        self._ctx.log.error("medical.failed", ref=ref, method=known, error=type(error).__name__,
                            at=f"{Path(frame.filename).name}:{frame.lineno}")  # fmt: skip
        refused = refuse("INTERNAL", ref=ref)
        return result_of(refused), text_of(refused)
