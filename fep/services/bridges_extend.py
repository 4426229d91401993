"""What programs of a cashier's PC ask of its local print component, passed on by the bridge.

Rules: the caller proves itself by the signature of its envelope, as at the medical door; what is
not printing goes through that door's own methods; a print comes out where the bridge's settings
say, or at the receipt's own point, and is a job of the spool like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fep.services.bridges import Bridges
from fep.services.callers import Caller
from fep.services.his_context import HisContext
from fep.services.http_values import HttpRequest
from fep.services.medical import PREFIX, Medical
from fep.services.medical_door import Call, Door, DoorMethod
from fep.services.medical_red import Reds
from fep.services.medical_words import Words
from fep.wire.dialects import medical_methods as tables
from fep.wire.dialects import print_component as wire
from fep.wire.dialects.medical_envelope import DONE

REASON = "本地打印组件"


class Extend:
    """Answers `/extend` of every bridge."""

    def __init__(self, ctx: HisContext, bridges: Bridges) -> None:
        self._ctx = ctx
        self._bridges = bridges
        self._words = Words(ctx)
        self._medical = Medical(ctx)
        self._doors: dict[str, Door] = {}

    async def answer(self, bridge: str, sent: bytes, peer: str) -> bytes:
        """Return the body of an answer; nothing is raised."""
        found = wire.asked(sent)
        if isinstance(found, str):
            return found.encode()
        request = HttpRequest("POST", PREFIX + found.method, {}, {}, found.envelope, peer)
        return (await self._door(bridge).answer(request)).body

    def _door(self, bridge: str) -> Door:
        if bridge not in self._doors:
            prints = _Prints(self._ctx, self._words, lambda: self._bridges.point_of(bridge))
            self._doors[bridge] = Door(self._ctx, {**self._medical.methods, **prints.methods()})
        return self._doors[bridge]


class _Prints:
    """The print methods of one bridge."""

    def __init__(self, ctx: HisContext, words: Words, point: Callable[[], str]) -> None:
        self._ctx = ctx
        self._words = words
        self._reds = Reds(ctx, words)
        self._point = point

    def methods(self) -> dict[str, DoorMethod]:
        """Return the table of these methods."""
        return {
            "printElectBill": DoorMethod("print", tables.BILL, self.bill),
            "turnPaperPrint": DoorMethod("print", tables.TURN, self.turned),
            "reTurnPaperPrint": DoorMethod("print", tables.TURN, self.turned_again),
        }

    async def bill(self, caller: Caller, call: Call) -> str:
        """`printElectBill`: the receipt on paper; a copy after the first is marked."""
        code, number = call["billBatchCode"], call["billNo"]
        standing = self._words.standing(caller, code, number, call["random"])
        asked: dict[str, Any] = {"code": code, "number": number, "reason": REASON}
        point = self._point() or standing.receipt.point
        await self._ctx.paper.again(caller, {**asked, "point": point})
        return DONE

    async def turned(self, caller: Caller, call: Call) -> str:
        """`turnPaperPrint`: exchange for a sheet, whose form waits for the look at its number."""
        asked = self._reds.exchange_of(caller, call)
        await self._ctx.paper.exchange(caller, {**asked, "print": True})
        return DONE

    async def turned_again(self, caller: Caller, call: Call) -> str:
        """`reTurnPaperPrint`: void the sheet of a receipt, take the next one."""
        asked = {**self._reds.exchange_of(caller, call), "reason": REASON, "print": True}
        await self._ctx.paper.reexchange(caller, asked)
        return DONE
