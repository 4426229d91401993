"""Looking over a caller's shoulder: what it sends and gets, live and masked, while somebody looks.

Rules: nothing is noted while nobody looks (doors test one attribute); what is kept is bounded
and masked when it is noted, not when it is shown, so that memory holds no patient either. A
value is shown only if its name is known to be harmless; all others show their length. Keys,
signatures, check codes and page addresses are never shown.
"""

from __future__ import annotations

import inspect
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from fep.domain.calendar import to_ms
from fep.domain.faults import Refused, refuse
from fep.logs_mask import clean
from fep.ports import Clock

LOOK_S = 15.0  # a look that is not renewed ends
CALLERS_MAX, ENTRIES_MAX = 4, 400
TEXT_MAX, LIST_MAX, MEMBERS_MAX, DEPTH_MAX = 80, 5, 80, 6

_SHOWN = frozenset((
    # ours
    "unit", "point", "kind", "key", "code", "number", "total", "amount", "std", "state", "life",
    "occurred_at", "issued_at", "item", "id", "cursor", "limit", "from", "to", "since", "first",
    "last", "sheet", "sheet_code", "repeated", "queued", "print", "fault", "field", "retryable",
    "einvoice_id", "count", "day", "version", "at", "force", "left", "allowed",
    # the dialects'
    "busno", "bustype", "busdatetime", "busbgndate", "busenddate", "busdate", "ivcdate",
    "billbusdate", "createtime", "ivcdatetime", "placecode", "totalamt", "amt", "selfamt",
    "billbatchcode", "billno", "pbillbatchcode", "pbillno", "pbillnostart", "pbillnoend",
    "escarletbillbatchcode", "escarletbillno", "scarletbillbatchcode", "scarletbillno",
    "isscarlet", "isprtpaper", "billcode", "billname", "chargecode", "sortno", "paychannelcode",
    "paychannelvalue", "paychannel", "cardtype", "payertype", "noticetype", "datatype",
    "channelmode", "isarrears", "isreturnpic", "pageno", "pagesize", "batchno", "status",
    "copynum", "totalnum", "alltotalamt", "alltotalnum", "result", "region", "deptcode",
    "effectivedate", "feedbackdate", "billbgnno", "billendno", "isreturnlist",
))  # fmt: skip
_PERSON = frozenset(("payer", "patient", "ext", "more"))
_SAYINGS = frozenset(("操作成功", "成功", "已冲销，不能冲销开票"))
_CODE = re.compile(r"\[([A-Z][A-Z0-9_]{2,40})\]\s*$")


@dataclass(slots=True)
class _Look:
    """One caller that is looked at."""

    until: float
    entries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=ENTRIES_MAX))
    seq: int = 0


class Trace:
    """All looks of this node."""

    __slots__ = ("_clock", "_looks", "watching")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looks: dict[str, _Look] = {}
        self.watching = False  # the one test on the hot path

    # from the desk
    def look(self, appid: str, since: int) -> dict[str, Any]:
        """Return what was noted after `since`, and go on looking. Raises Refused TRACE_BUSY."""
        self._end()
        look = self._looks.get(appid)
        if look is None:
            if len(self._looks) >= CALLERS_MAX:
                raise refuse("TRACE_BUSY", count=len(self._looks))
            look = self._looks[appid] = _Look(0.0)
        look.until = self._clock.mono() + LOOK_S
        self.watching = True
        found = [entry for entry in look.entries if entry["seq"] > since]
        missed = max(found[0]["seq"] - since - 1, 0) if found else 0
        return {"entries": found, "cursor": look.seq, "missed": missed}

    # from doors
    def note(self, appid: str, door: str, direction: str, method: str, payload: Any) -> None:
        """Note one message, masked; nothing while nobody looks at this caller."""
        look = self._looks.get(appid) if self.watching else None
        if look is None:
            return
        if look.until < self._clock.mono():
            self._end()
            return
        look.seq += 1
        look.entries.append({
            "seq": look.seq, "at": to_ms(self._clock.wall()), "door": door,
            "direction": direction, "method": clean(method, TEXT_MAX), "said": masked(payload),
        })  # fmt: skip

    def through(self, appid: str, door: str, method: str, params: Any,
                call: Callable[[], Any]) -> Any:  # fmt: skip
        """Make a call and note both ways; what it answers or raises is not changed."""
        self.note(appid, door, "in", method, params)

        def out(said: Any) -> Any:
            self.note(appid, door, "out", method, said)
            return said

        def failed(failure: Any) -> Any:
            self.note(appid, door, "out", method, told_of(failure.value))
            return failure

        try:
            result = call()
        except Exception as error:
            self.note(appid, door, "out", method, told_of(error))
            raise
        if isinstance(result, Deferred):
            return result.addCallbacks(out, failed)
        if inspect.isawaitable(result):
            done: Deferred[Any] = Deferred.fromCoroutine(_awaited(result))
            return done.addCallbacks(out, failed)
        return out(result)

    def _end(self) -> None:
        now = self._clock.mono()
        self._looks = {appid: look for appid, look in self._looks.items() if look.until >= now}
        self.watching = bool(self._looks)


async def _awaited(result: Any) -> Any:
    return await result


def told_of(error: BaseException) -> dict[str, Any]:
    """Return a refusal without what it quotes of the request."""
    if not isinstance(error, Refused):
        return {"fault": "INTERNAL"}
    return {"fault": error.code, "retryable": error.fault.retryable,
            "field": str(error.details.get("field", ""))}  # fmt: skip


def masked(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a copy fit for other eyes; `name` is that of the member that holds it."""
    if isinstance(value, Mapping):
        if depth >= DEPTH_MAX:
            return f"{{{len(value)}}}"
        hide = name.lower() in _PERSON
        return {
            clean(str(key), TEXT_MAX).strip(): _length(item) if hide
            else masked(item, str(key).strip(), depth + 1)
            for key, item in list(value.items())[:MEMBERS_MAX]
        }  # fmt: skip
    if isinstance(value, list | tuple):
        shown = [masked(item, name, depth + 1) for item in value[:LIST_MAX]]
        return [*shown, f"+{len(value) - LIST_MAX}"] if len(value) > LIST_MAX else shown
    if isinstance(value, msgspec.Raw):  # an amount that is written once, as a number
        value = bytes(value).decode(errors="replace")
    if value is None or isinstance(value, bool) or value == "":
        return value
    if name.lower() in _SHOWN:
        return value if isinstance(value, int) else clean(str(value), TEXT_MAX)
    if name == "message" and isinstance(value, str):
        if value in _SAYINGS:
            return value
        found = _CODE.search(value)
        return f"[{found[1]}]" if found else _length(value)
    return _length(value)


def _length(value: Any) -> Any:
    """Return how much there is of what is not shown."""
    if value is None or isinstance(value, bool) or value == "":
        return value
    if isinstance(value, Mapping):
        return {clean(str(key), TEXT_MAX): _length(item) for key, item in value.items()}
    size = len(value) if isinstance(value, list | tuple | str) else len(str(value))
    return f"***{size}"
