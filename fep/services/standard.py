"""The non-tax dialect: `/standard-web/api/standard/<method>`, as colleges' systems speak it.

A sister of the medical door (fep.services.medical): the same envelope with region and deptcode,
the same services, so that a key is one receipt through either. deptcode says which of the
caller's units is meant; every other method is answered 未提供 with an E-code.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from msgspec import structs

from fep.domain.faults import Refused
from fep.services.callers import Caller
from fep.services.his_context import HisContext
from fep.services.http_values import HttpAnswer, HttpRequest
from fep.services.medical import Medical
from fep.services.medical_door import Call, Door, DoorMethod, Told
from fep.store import medical
from fep.wire.dialects import standard
from fep.wire.issue_params import written

PREFIX = "/standard-web/api/standard/"
# What both dialects have in common: taken as it is.
SHARED = (
    "writeOffEBill", "getEBillPicUrl", "getEBillNotifyPic", "getPaperBillNo", "turnPaper",
    "reTurnPaper", "invalidPaper", "invalidBlankBillNo", "getEBillByBusNo",
    "getEBillStatesByBillInfo", "getEBillAccountStatus", "testServerConnect",
)  # fmt: skip


class Standard:
    """The door of colleges."""

    def __init__(self, ctx: HisContext) -> None:
        self._ctx = ctx
        sister = Medical(ctx)
        self._words = sister.words
        self._notice = sister.methods["sendBillNotice"]
        self.methods: dict[str, DoorMethod] = {
            **{name: sister.methods[name] for name in SHARED},
            "invoiceEBill": DoorMethod("issue", standard.ISSUE, self._issue),
            "noticeEBill": DoorMethod("query", standard.NOTICE, self._tell),
        }

    async def door(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request, always with HTTP 200; nothing is raised."""
        try:
            outer = standard.outer_of(standard.opened(request.body))
        except Refused:
            outer = ()  # the door finds the same and answers it
        ctx, unit = self._ctx, standard.unit_of(dict(outer).get("deptcode", ""), self._ctx.units)
        if ctx.elsewhere is not None:
            ctx = replace(ctx, elsewhere=ctx.elsewhere.beside("standard", outer))
        methods = {
            name: replace(method, run=partial(_meant, unit, method))
            for name, method in self.methods.items()
        }
        return await Door(ctx, methods, opened=standard.opened).answer(request)

    async def _issue(self, caller: Caller, call: Call) -> dict[str, Any]:
        """`invoiceEBill`: issue one receipt; the same call again is the same receipt."""
        unit = self._words.unit(caller)
        params = written(standard.as_params(call, caller.codes, unit))
        event = self._ctx.draw.event(params)
        caller.scope(event.unit, event.point, event.total_fen)
        said = medical.Said(
            unit.code, event.key, False, call["busNo"], call["billCode"][:20],
            call["busDateTime"], call["placeCode"], "", medical.packed(call),
        )  # fmt: skip
        draft = self._ctx.draw.draft(event, params, caller.appid)
        receipt, repeated = await self._ctx.issue.issue(structs.replace(draft, rider=said))
        bus_at = await self._words.again(receipt, said) if repeated else said.bus_at
        return self._words.issued(caller, receipt, said.bus_no, bus_at)

    async def _tell(self, caller: Caller, call: Call) -> Told:
        """`noticeEBill`: keep the wish to send a message."""
        wishes = [{"noticeType": row["code"], "noticeValue": row["value"]}
                  for row in call["noticeInfo"]]  # fmt: skip
        return await self._notice.run(caller, {**call, "noticeList": wishes})


async def _meant(unit: str, method: DoorMethod, caller: Caller, call: Call) -> Told:
    """Run a method for the unit that the envelope names. Raises Refused AUTH_SCOPE."""
    if unit:
        caller.scope(unit)
        caller = replace(caller, codes=replace(caller.codes, unit=unit))
    return await method.run(caller, call)
