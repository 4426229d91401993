"""Paper at a window: sheets (换开、重新换开、作废) and prints on a person's wish (补打)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred

from fep.domain.faults import refuse
from fep.domain.kind import Point, Unit
from fep.domain.life import LifeFacts, LifeStep, decide
from fep.services.callers import Caller
from fep.services.forms import Bound, Forms, told
from fep.services.methods import Method
from fep.services.spool import Spool
from fep.store import life, printing, queries_sheets, sheets
from fep.store.writer import Store
from fep.wire.fields import Fields

Change = Callable[[Any, life.Standing, sheets.Place], sheets.Exchanged]
REASON_MAX = 200
LISTED_MAX = 200


class Paper:
    """`paper.*` and `print.*` of a business system."""

    def __init__(
        self, store: Store, spool: Spool, units: Mapping[str, Unit], forms: Forms | None = None
    ) -> None:
        self._store = store
        self._spool = spool
        self._units = units
        self._forms = forms

    def methods(self) -> dict[str, Method]:
        """Return the table of these methods."""
        return {
            "paper.next": Method("query", self.next, "the next sheet of a point"),
            "paper.exchange": Method("print", self.exchange, "exchange a receipt for a sheet"),
            "paper.reexchange": Method("print", self.reexchange, "void its sheet, take the next"),
            "paper.void": Method("print", self.void, "void blank and exchanged sheets"),
            "paper.get": Method("query", self.get, "one sheet and its receipt"),
            "paper.list": Method("query", self.list, "sheets of a point that are not blank"),
            "print.again": Method("print", self.again, "print a receipt, a copy is marked"),
            "print.get": Method("query", self.prints, "the print jobs of a receipt"),
        }

    # sheets
    def next(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`paper.next {unit, point, sheet_code?}`: the sheet to load, and how many are left."""
        fields = Fields(params)
        asked = _asked(fields)
        code = fields.text("sheet_code", 20)
        fields.done()
        unit, point = self._place(caller, *asked)
        name = self._store.read(sheets.next_q, unit.code, point, code)
        left = self._store.read(queries_sheets.left_q, unit.code, point, code)
        return {"sheet": name, "left": left}

    def exchange(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`paper.exchange {unit, code, number, point, sheet?, reason?, print?}`."""
        fields = Fields(params)
        asked = _asked(fields)
        code, number = _named(fields)
        wanted, who = fields.text("sheet", 40), _who(caller, fields)
        reason, printed = fields.text("reason", REASON_MAX), fields.take("print", bool, False)
        fields.done()
        unit, point = self._place(caller, *asked)

        def exchange_txn(tx: Any, standing: life.Standing, place: sheets.Place) -> sheets.Exchanged:
            return sheets.exchange_txn(tx, place, standing, wanted, reason)

        done = self._exchange(unit, _at(unit, point, who), code, number, exchange_txn, printed)
        return Deferred.fromCoroutine(done)

    def reexchange(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`paper.reexchange {unit, code, number, point, sheet?, replaces?, reason, print?}`."""
        fields = Fields(params)
        asked = _asked(fields)
        code, number = _named(fields)
        replaces = fields.text("replaces", 40)
        wanted, who = fields.text("sheet", 40), _who(caller, fields)
        reason = fields.text("reason", REASON_MAX, required=True)
        printed = fields.take("print", bool, False)
        fields.done()
        unit, point = self._place(caller, *asked)

        def again_txn(tx: Any, standing: life.Standing, place: sheets.Place) -> sheets.Exchanged:
            return sheets.reexchange_txn(tx, place, standing, wanted, reason, replaces)

        done = self._exchange(unit, _at(unit, point, who), code, number, again_txn, printed)
        return Deferred.fromCoroutine(done)

    async def _exchange(self, unit: Unit, place: sheets.Place, code: str, number: str,
                        change_txn: Change, printed: bool) -> dict[str, Any]:  # fmt: skip
        """Exchange, and queue the form (套打) where `printed` asks for it; one transaction."""
        forms = self._forms
        bound: Bound | None = None
        if printed:
            if forms is None:
                raise refuse("FRM_GROUP", point=place.point)
            standing = self._store.read(life.named_q, code, number)
            if standing is None or standing.receipt.unit != unit.code:
                raise refuse("RCP_UNKNOWN")
            bound = await forms.ready(unit.code, place.point, standing)

        def exchange_txn(tx: Any) -> dict[str, Any]:
            standing = _standing(tx, unit, code, number)
            done = change_txn(tx, standing, place)
            answer = _exchanged(done)
            if forms is not None and bound is not None:
                job = forms.add_txn(tx, bound, place, standing.receipt, done.sheet)
                answer["job"] = told(job)
            return answer

        return await self._store.do("paper.exchange", exchange_txn)

    def void(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`paper.void {unit, point, first, last?, reason}`: sheets by name, CODE-NUMBER."""
        fields = Fields(params)
        asked = _asked(fields)
        first = fields.text("first", 40, required=True)
        last, who = fields.text("last", 40) or first, _who(caller, fields)
        reason = fields.text("reason", REASON_MAX, required=True)
        fields.done()
        unit, point = self._place(caller, *asked)
        place = _at(unit, point, who)
        done = self._store.do("paper.void", sheets.void_txn, place, first, last, reason)
        return done.addCallback(_voided)

    def get(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`paper.get {unit, sheet}`, or `{unit, code, number}` for the sheets of a receipt."""
        fields = Fields(params)
        unit = fields.text("unit", 40, required=True)
        name = fields.text("sheet", 40)
        code, number = fields.text("code", 8), fields.text("number", 10)
        fields.done()
        if not caller.sees(unit):
            raise refuse("AUTH_SCOPE", unit=unit, point="*")
        if name:
            return {"sheet": self._store.read(queries_sheets.told_q, unit, name)}
        found = self._store.read(queries_sheets.of_receipt_q, unit, code, number)
        return {"sheets": found}

    def list(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`paper.list {unit, point?, state?, limit?, after?}`: by name, ascending."""
        fields = Fields(params)
        unit, point = fields.text("unit", 40, required=True), fields.text("point", 40)
        state = fields.choice("state", ("", "used", "void"), "")
        after = fields.text("after", 40)
        limit = min(max(fields.take("limit", int, 50), 1), LISTED_MAX)
        fields.done()
        caller.scope(unit, point)
        return self._store.read(queries_sheets.list_q, unit, point, state, after, limit)

    # prints
    def again(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`print.again {code, number, reason, point?}`: every copy after the first is marked."""
        fields = Fields(params)
        code, number = _named(fields)
        reason = fields.text("reason", REASON_MAX, required=True)
        point, who = fields.text("point", 40), _who(caller, fields)
        fields.done()
        found = self._store.read(life.named_q, code, number)
        if found is None or not caller.sees(found.receipt.unit):
            raise refuse("RCP_UNKNOWN")
        receipt = found.receipt
        point = point or receipt.point
        caller.scope(receipt.unit, point)
        red = found.red.ref if found.red is not None else ""
        decide(found.life, LifeStep.PRINT, LifeFacts(receipt.ref, red=red))
        group = self._group(receipt.unit, point)
        asked = Deferred.fromCoroutine(self._spool.request(receipt.id, group, reason, who))
        return asked.addCallback(lambda job: {"job": _job(job)})

    def prints(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`print.get {code, number}`: every copy with what is known of its paper."""
        fields = Fields(params)
        code, number = _named(fields)
        fields.done()
        found = self._store.read(life.named_q, code, number)
        if found is None or not caller.sees(found.receipt.unit):
            raise refuse("RCP_UNKNOWN")
        jobs = self._store.read(printing.jobs_of_q, found.receipt.id)
        return {"jobs": [_job(job) for job in jobs]}

    def _place(self, caller: Caller, unit: str, point: str) -> tuple[Unit, str]:
        caller.scope(unit, point)
        found = self._units.get(unit)
        if found is None:
            raise refuse("CFG_UNIT", unit=unit)
        if point not in {one.code for one in found.points}:
            raise refuse("CFG_POINT", unit=unit, point=point)
        return found, point

    def _group(self, unit: str, point: str) -> str:
        """Return the devices of a point. Raises Refused PRN_GROUP."""
        points = self._units[unit].points if unit in self._units else ()
        found = next((one for one in points if one.code == point), Point(point))
        if found.device_group not in self._spool.groups():
            raise refuse("PRN_GROUP", point=point)
        return found.device_group


def _asked(fields: Fields) -> tuple[str, str]:
    return fields.text("unit", 40, required=True), fields.text("point", 40, required=True)


def _at(unit: Unit, point: str, who: str) -> sheets.Place:
    return sheets.Place(unit.code, point, "" if unit.test else unit.dest, who)


def _who(caller: Caller, fields: Fields) -> str:
    """Return who is journalled: the operator the caller names, and the caller."""
    operator = fields.text("operator", 50)
    who = caller.who or caller.appid
    return f"{who}/{operator}" if operator else who


def _named(fields: Fields) -> tuple[str, str]:
    return fields.text("code", 8, required=True), fields.text("number", 10, required=True)


def _standing(tx: Any, unit: Unit, code: str, number: str) -> life.Standing:
    found = life.named_q(tx.conn, code, number)
    if found is None or found.receipt.unit != unit.code:
        raise refuse("RCP_UNKNOWN")
    return found


def _exchanged(done: sheets.Exchanged) -> dict[str, Any]:
    return {"sheet": done.sheet, "replaced": done.replaced or None, "repeated": done.repeated}


def _voided(rows: list[sheets.Sheet]) -> dict[str, Any]:
    return {"voided": [row.ref for row in rows]}


def _job(job: printing.Job) -> dict[str, Any]:
    return {
        "id": job.id, "copy": job.copy, "state": job.state.value, "device": job.device,
        "reason": job.reason, "created_at": job.created_at, "updated_at": job.updated_at,
    }  # fmt: skip
