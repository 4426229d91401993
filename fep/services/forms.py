"""Form printing (套打): sheets in a tractor, and what people at the printer say of them.

A form job is made with a paper exchange and bound to its sheet; it is printed once somebody
compared the sheet's number, and nobody else starts it: no retry, no other printer. A sheet
whose outcome is unknown is given up by two people, void, and the next one takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from fep.domain.faults import refuse
from fep.domain.kind import Unit
from fep.domain.receipt import Receipt
from fep.services import forms_shapes as shapes
from fep.services.callers import Caller
from fep.services.forms_press import FormPress
from fep.services.methods import Method
from fep.services.spool import Spool
from fep.store import forms, sheets
from fep.store.life import Standing, standing_q
from fep.store.receipts import by_id_q
from fep.store.tx import Tx
from fep.store.writer import Store
from fep.wire.fields import Fields

REASON_MAX = 200
LISTED_MAX = 200
APPROVERS_MAX = 5


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a form will be printed and in which layout; proved to fit before a sheet is taken."""

    group: str
    form: str


class Forms:
    """`paper.jobs`, `paper.confirm`, `paper.printed`, `paper.spoil`, and the print of an
    exchange."""

    def __init__(
        self, store: Store, spool: Spool, press: FormPress, units: Mapping[str, Unit]
    ) -> None:
        self._store = store
        self._spool = spool
        self._press = press
        self._units = units

    def methods(self) -> dict[str, Method]:
        """Return the table of these methods."""
        return {
            "paper.jobs": Method("query", self.jobs, "form jobs that are not settled",
                                 shapes.JobsAsked, shapes.FormJobs),
            "paper.confirm": Method("print", self.confirm, "the sheet in the tractor is this one",
                                    shapes.ConfirmAsked, shapes.FormJobTold),
            "paper.printed": Method("print", self.printed, "the sheet is printed as a whole",
                                    shapes.PrintedAsked, shapes.FormJobTold),
            "paper.spoil": Method("print", self.spoil, "void the sheet of a job, take the next",
                                  shapes.SpoilAsked, shapes.Spoiled),
        }  # fmt: skip

    # from the exchange of a receipt
    async def ready(self, unit: str, point: str, standing: Standing) -> Bound:
        """Return where and how a receipt would be printed.

        Raises Refused FRM_GROUP, FRM_NONE, FRM_OVERFLOW: then no sheet is taken.
        """
        group = self._group(unit, point)
        return Bound(group, await self._press.fits(standing.receipt))

    def add_txn(self, tx: Tx, bound: Bound, place: sheets.Place, receipt: Receipt,
                sheet: str) -> forms.FormJob:  # fmt: skip
        """Queue the form of an exchange; the same exchange again finds its job."""
        found = forms.of_sheet_q(tx.conn, sheet)
        if found is not None:
            return found
        wish = forms.FormWish(receipt.id, place.unit, place.point, bound.group, bound.form, sheet)
        return forms.add_txn(tx, wish, place.who)

    # from a person at the printer
    def jobs(self, caller: Caller, params: Any) -> dict[str, Any]:
        """`paper.jobs {unit, limit?}`."""
        fields = Fields(params)
        unit = fields.text("unit", 40, required=True)
        limit = min(max(fields.take("limit", int, 50), 1), LISTED_MAX)
        fields.done()
        if not caller.sees(unit):
            raise refuse("AUTH_SCOPE", unit=unit, point="*")
        found = self._store.read(forms.open_q, limit, unit)
        return {"jobs": [told(job) for job in found]}

    def confirm(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`paper.confirm {job, sheet, device?}`: prints now, if the sheet is the job's."""
        fields = Fields(params)
        number, sheet = _number(fields), fields.text("sheet", 40, required=True)
        device, who = fields.text("device", 40), who_of(caller, fields)
        fields.done()
        job = self._job(caller, number)
        device = self._device(job, device)
        done = self._store.do("form.confirm", forms.confirm_txn, job.id, sheet, device, who)
        return done.addCallback(self._confirmed)

    def _confirmed(self, job: forms.FormJob) -> dict[str, Any]:
        self._spool.wake(job.device_group)
        return {"job": told(job)}

    def printed(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`paper.printed {job, reason?}`: somebody looked, the sheet is whole and legible."""
        fields = Fields(params)
        number = _number(fields)
        reason, who = fields.text("reason", REASON_MAX), who_of(caller, fields)
        fields.done()
        job = self._job(caller, number)
        done = self._store.do("form.printed", forms.printed_txn, job.id, reason, who)
        return done.addCallback(lambda after: {"job": told(after)})

    def spoil(self, caller: Caller, params: Any) -> Deferred[dict[str, Any]]:
        """`paper.spoil {job, reason, approve?, again?}`: two approve where nobody knows."""
        fields = Fields(params)
        number, reason = _number(fields), fields.text("reason", REASON_MAX, required=True)
        approved = fields.take("approve", list, [])[:APPROVERS_MAX]
        again, who = fields.take("again", bool, True), who_of(caller, fields)
        fields.done()
        job = self._job(caller, number)
        unit = self._unit(job.unit)
        place = sheets.Place(job.unit, job.point, "" if unit.test else unit.dest, who)
        names = [name for name in approved if isinstance(name, str)]

        def spoil_txn(tx: Tx) -> dict[str, Any]:
            old = forms.spoil_txn(tx, job.id, reason, who, names)
            if not again:
                sheets.void_txn(tx, place, old.sheet, old.sheet, reason)
                return {"voided": old.sheet, "job": None}
            # The next one of the same code: that is what lies in the tractor.
            code = old.sheet.partition("-")[0]
            wanted = sheets.next_q(tx.conn, old.unit, old.point, code)
            taken = sheets.reexchange_txn(tx, place, _standing(tx, old), wanted, reason, old.sheet)
            wish = forms.FormWish(
                old.receipt_id, old.unit, old.point, old.device_group, old.form, taken.sheet
            )
            return {"voided": old.sheet, "job": told(forms.add_txn(tx, wish, who))}

        return self._store.do("form.spoil", spoil_txn)

    def _job(self, caller: Caller, number: int) -> forms.FormJob:
        """Return the job a caller names and may handle. Raises Refused."""
        job = self._store.read(forms.need, number)
        caller.scope(job.unit, job.point)
        return job

    def _unit(self, code: str) -> Unit:
        unit = self._units.get(code)
        if unit is None:
            raise refuse("CFG_UNIT", unit=code)
        return unit

    def _group(self, unit: str, point: str) -> str:
        points = {one.code: one for one in self._unit(unit).points}
        group = points[point].device_group if point in points else ""
        if not self._spool.form_printers(group):
            raise refuse("FRM_GROUP", point=point)
        return group

    def _device(self, job: forms.FormJob, named: str) -> str:
        """Return the printer whose tractor was looked at. Raises Refused FRM_*."""
        there = self._spool.form_printers(job.device_group)
        if not there:
            raise refuse("FRM_GROUP", point=job.point)
        if named in there or (not named and len(there) == 1):
            return named or there[0]
        raise refuse("FRM_DEVICE", devices=" ".join(there))


def who_of(caller: Caller, fields: Fields) -> str:
    """Return who is journalled: the operator the caller names, and the caller."""
    operator = fields.text("operator", 50)
    who = caller.who or caller.appid
    return f"{who}/{operator}" if operator else who


def told(job: forms.FormJob) -> dict[str, Any]:
    """Return a job as members of an answer."""
    return {
        "id": job.id, "sheet": job.sheet, "state": job.state.value, "form": job.form,
        "unit": job.unit, "point": job.point, "device": job.device or None,
        "reason": job.reason or None, "confirmed_by": job.confirmed_by or None,
        "created_at": job.created_at, "updated_at": job.updated_at,
    }  # fmt: skip


def _standing(tx: Tx, job: forms.FormJob) -> Standing:
    receipt = by_id_q(tx.conn, job.receipt_id)
    assert receipt is not None, job
    return standing_q(tx.conn, receipt)


def _number(fields: Fields) -> int:
    number: int | None = fields.take("job", int)
    if number is None:
        raise refuse("REQ_FIELD_MISSING", field="job")
    return number
