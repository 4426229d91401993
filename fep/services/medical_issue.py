"""Issuing through the medical dialect: one at a time, and in batches.

A single call is answered with its receipt or with a refusal, within the deadline of
`receipt.issue`; only a batch is queued, durably, bill by bill.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import structs

from fep.domain.faults import Refused, fault, refuse
from fep.domain.kind import Unit
from fep.services.callers import Caller
from fep.services.his_context import HisContext
from fep.services.medical_door import Call, DoorMethod
from fep.services.medical_words import Words
from fep.store import medical, receipts
from fep.store.issuing import Draft
from fep.wire.dialects import medical_methods as tables
from fep.wire.dialects.medical_envelope import DONE
from fep.wire.dialects.medical_issue import BATCHES, METHODS, Method, as_params, renamed
from fep.wire.dialects.medical_table import read
from fep.wire.issue_params import written


class Issuing:
    """The methods that issue."""

    def __init__(self, ctx: HisContext, words: Words) -> None:
        self._ctx = ctx
        self._words = words

    def methods(self) -> dict[str, DoorMethod]:
        """Return the table of these methods."""
        single = {
            name: DoorMethod("issue", method.table, partial(self.issue, method.bus_type))
            for name, method in METHODS.items()
        }
        batches = {
            name: DoorMethod("issue", tables.BATCH, partial(self.batch, METHODS[of]))
            for name, of in BATCHES.items()
        }
        asked = DoorMethod("query", tables.BATCH_STATE, self.batch_state)
        return {**single, **batches, "getBatchInvoiceEBill": asked}

    async def issue(self, bus_type: str, caller: Caller, call: Call) -> dict[str, Any]:
        """Issue one receipt; the same call again is answered with the same receipt."""
        draft, said = self.drafted(caller, call, self._words.unit(caller), bus_type)
        receipt, repeated = await self._ctx.issue.issue(structs.replace(draft, rider=said))
        bus_at = await self._words.again(receipt, said) if repeated else said.bus_at
        return self._words.issued(caller, receipt, said.bus_no, bus_at)

    def drafted(
        self, caller: Caller, call: Call, unit: Unit, bus_type: str
    ) -> tuple[Draft, medical.Said]:
        """Return the draft of a call and its words. Raises Refused."""
        params = written(as_params(call, caller.codes, unit, bus_type))
        event = self._ctx.draw.event(params)
        caller.scope(event.unit, event.point, event.total_fen)
        said = medical.Said(
            unit.code, event.key, False, call["busNo"], call["busType"] or bus_type,
            call["busDateTime"], call["placeCode"], call.get("cardNo", ""), medical.packed(call),
        )  # fmt: skip
        return self._ctx.draw.draft(event, params, caller.appid), said

    # batches
    async def batch(self, method: Method, caller: Caller, call: Call) -> str:
        """Queue a batch; the same batch again is acknowledged again, and not taken twice.

        Raises Refused BATCH_CONFLICT for other bills under a name that is taken.
        """
        unit = self._words.unit(caller)
        entries = [self._entry(method, caller, unit, row) for row in call["eBillList"]]
        for entry in entries:
            if entry.draft is not None:  # its call under way is not given up any more
                self._ctx.issue.keep(entry.draft)
        await self._ctx.store.do(
            "medical.batch", medical.batch_txn, unit.code, caller.appid, call["batchNo"], entries
        )
        self._ctx.queue.wake()
        return DONE

    def _entry(
        self, method: Method, caller: Caller, unit: Unit, row: Mapping[str, Any]
    ) -> medical.Entry:
        bus_no = str(row.get("busNo") or "")[:50]
        try:
            draft, said = self.drafted(
                caller, read(method.table, renamed(row)), unit, method.bus_type
            )
        except Refused as refused:
            return medical.Entry(bus_no, "", refused.zh, None, None)
        return medical.Entry(bus_no, draft.key, "", draft, said)

    async def batch_state(self, caller: Caller, call: Call) -> dict[str, Any]:
        """Tell what became of a batch."""
        unit = self._words.unit(caller)
        rows = self._ctx.store.read(medical.batch_q, unit.code, caller.appid, call["batchNo"])
        if not rows:
            raise refuse("EVT_UNKNOWN")
        told = [self._batched(caller, unit, row) for row in rows]
        return {"count": len(told), "eBillList": told}

    def _batched(self, caller: Caller, unit: Unit, row: medical.Batched) -> dict[str, Any]:
        if row.fault or row.state == "refused":
            why = row.fault or _reason(row.reason)
            return {"busNo": row.bus_no, "status": 2, "errMsg": why[:800], **_NOTHING}
        receipt = self._ctx.store.read(receipts.by_key_q, unit.code, row.key)
        if receipt is None or receipt.state.value != "sealed":
            return {"busNo": row.bus_no, "status": 0, "errMsg": "", **_NOTHING}
        kept = self._ctx.store.read(medical.kept_q, receipt.unit, receipt.key)
        bus_at = kept.bus_at if kept is not None else ""
        issued = self._words.issued(caller, receipt, row.bus_no, bus_at)
        return {**issued, "busNo": row.bus_no, "status": 1, "errMsg": ""}


_NOTHING = dict.fromkeys(
    ("billBatchCode", "billNo", "random", "createTime", "billQRCode", "pictureUrl",
     "pictureNetUrl"), "",
)  # fmt: skip


def _reason(code: str) -> str:
    try:
        return fault(code).zh
    except KeyError:
        return code
