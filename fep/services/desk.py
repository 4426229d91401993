"""The desk: what technician and accountant ask over the control socket.

Owns the table METHODS (name, right, params, function) and its way into the daemon's method
table. A method is a coroutine `call(context, params)`; it answers JSON members or raises
Refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from fep.domain.faults import Refused, refuse
from fep.services import (
    desk_bridges,
    desk_callers,
    desk_day,
    desk_fence,
    desk_imports,
    desk_journal,
    desk_kinds,
    desk_life,
    desk_link,
    desk_payments,
    desk_platform,
    desk_prints,
    desk_receipts,
    desk_reconcile,
    desk_refused,
    desk_render,
    desk_signers,
    desk_status,
    desk_stock,
    desk_trace,
    devices_desk,
    evidence,
    export,
)
from fep.services.desk_context import DeskContext, Grants, Method, Params

__all__ = ["METHODS", "DeskContext", "Method", "answer", "methods"]

METHODS: dict[str, Method] = {
    **desk_status.METHODS,
    **desk_receipts.METHODS,
    **desk_refused.METHODS,
    **desk_render.METHODS,
    **desk_stock.METHODS,
    **desk_link.METHODS,
    **desk_journal.METHODS,
    **desk_fence.METHODS,
    **evidence.METHODS,
    **export.METHODS,
    **desk_kinds.METHODS,
    **desk_life.METHODS,
    **desk_day.METHODS,
    **desk_reconcile.METHODS,
    **desk_callers.METHODS,
    **desk_imports.METHODS,
    **desk_trace.METHODS,
    **desk_payments.METHODS,
    **desk_signers.METHODS,
    **desk_bridges.METHODS,
    **desk_platform.METHODS,
    **desk_prints.METHODS,
    **devices_desk.METHODS,
}

_FIELD = re.compile(r"`([^`]+)`")


async def answer(ctx: DeskContext, name: str, params: Mapping[str, Any]) -> Any:
    """Run a method. Raises Refused: REQ_METHOD, REQ_FIELD_*, and what the method raises."""
    method = METHODS.get(name)
    if method is None:
        raise refuse("REQ_METHOD", method=name[:64])
    if method.changes:
        ctx.writer(name)
    asked = _converted(method, params)
    return await method.call(ctx, asked)


def _converted(method: Method, params: Any) -> msgspec.Struct | None:
    if not isinstance(params, Mapping):
        raise refuse("REQ_FIELD_TYPE", field="params", why="object")
    if method.params is None:
        if params:
            raise refuse("REQ_FIELD_UNKNOWN", field=min(params)[:80])
        return None
    for name, value in params.items():
        if isinstance(value, int) and not -(2**63) < value < 2**63:  # more than SQLite compares
            raise refuse("REQ_FIELD_VALUE", field=name[:80], value="…", allowed="< 2^63")
    try:
        return msgspec.convert(dict(params), method.params)
    except msgspec.ValidationError as error:
        raise _shape(str(error)) from error


def _shape(why: str) -> Refused:
    """Say in our own codes what msgspec found."""
    match = _FIELD.search(why)
    field = match[1] if match else ""
    if "missing required field" in why:
        return refuse("REQ_FIELD_MISSING", field=field)
    if "unknown field" in why:
        return refuse("REQ_FIELD_UNKNOWN", field=field)
    return refuse("REQ_FIELD_TYPE", field=field.removeprefix("$."), why=why[:120])


def methods(ctx: DeskContext) -> dict[str, Any]:
    """Return the desk as a table of the socket API (fep.services.methods.Method)."""
    from fep.services.methods import Method as ApiMethod
    from fep.services.schemas import Answer

    if ctx.grants is None:
        ctx = replace(ctx, grants=Grants(ctx.clock))

    def entry(name: str, method: Method) -> ApiMethod:
        def call(caller: Any, params: Any) -> Any:
            if "*" not in caller.units:  # what the desk shows is the whole node's
                raise refuse("AUTH_SCOPE", unit="*", point="*")
            # A coroutine: the connection makes a Deferred of it.
            return answer(replace(ctx, peer=caller.who or caller.appid), name, params or {})

        return ApiMethod(method.right, call, _about(method), method.params or Params, Answer)

    return {name: entry(name, method) for name, method in METHODS.items()}


def _about(method: Method) -> str:
    return (method.call.__doc__ or "").strip().split("\n", 1)[0]
