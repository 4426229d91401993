"""What goes on a sheet: reads the signed document, lays it out by the form of its kind.

Rule: what is printed is what was signed; a kind without a form, or a text without room, is
told before any sheet is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from fep.domain.faults import refuse
from fep.domain.printing import Form
from fep.domain.receipt import Receipt, ReceiptState
from fep.render import form_layout
from fep.render.form_sheet import FormSheet, problems
from fep.render.page_view import PageView, page_data
from fep.services.desk_context import DeskContext
from fep.services.desk_render import page_of_q
from fep.store import forms
from fep.store.life import standing_q
from fep.store.receipts import by_id_q, original_q

# Stands for a number when only the room on the sheet is asked.
ANY_SHEET = "0-00000000"


class FormPress:
    """The forms of this site, by the name of their file."""

    def __init__(self, desk: Callable[[], DeskContext], sheets: Mapping[str, FormSheet]) -> None:
        self._desk = desk
        self._sheets = sheets

    # from the devices' loops
    def queue(self, device: str) -> forms.FormQueue:
        """Return the jobs of one printer."""
        return forms.FormQueue(device)

    async def form(self, job_id: int) -> Form:
        """Return the form of a job. Raises Refused FRM_*, RCP_UNKNOWN."""
        job = await self._desk().read(forms.need, job_id)
        if job.form not in self._sheets:
            raise refuse("FRM_NONE", kind=job.form)
        return await self._laid(job.form, job.receipt_id, job.sheet)

    def trial(self, device: str, at: str, form: str) -> Form:
        """Return the test grid for a kind of sheet.

        Without a name all sheets of this site must be of one length: a tractor would be off
        after a test that is not. Raises Refused FRM_GRID.
        """
        names = [form] if form in self._sheets else sorted(self._sheets) if not form else []
        if len({self._sheets[name].length for name in names}) != 1:
            raise refuse("FRM_GRID")
        sheet = self._sheets[names[0]]
        return form_layout.grid(names[0], sheet.width, sheet.length, device, at)

    # from an exchange
    async def fits(self, receipt: Receipt) -> str:
        """Return the form of a receipt. Raises Refused FRM_NONE, FRM_FORM, FRM_OVERFLOW."""
        name = self.named(receipt.kind)
        await self._laid(name, receipt.id, ANY_SHEET)
        return name

    def named(self, kind: str) -> str:
        """Return the form of a kind. Raises Refused FRM_NONE, FRM_FORM."""
        for name, sheet in sorted(self._sheets.items()):
            if kind in sheet.kinds:
                wrong = next(problems(sheet), None)
                if wrong is not None:
                    raise refuse("FRM_FORM", form=name, why=wrong.zh)
                return name
        raise refuse("FRM_NONE", kind=kind)

    async def _laid(self, name: str, receipt_id: int, paper: str) -> Form:
        desk, sheet = self._desk(), self._sheets[name]
        view = await desk.read(_view_q, desk, receipt_id, sheet.room)
        return form_layout.lay(name, sheet, page_data(view, ""), paper)


def _view_q(conn: Connection, desk: DeskContext, receipt_id: int, room: int) -> PageView:
    receipt = by_id_q(conn, receipt_id)
    if receipt is None or receipt.state is not ReceiptState.SEALED:
        raise refuse("RCP_UNKNOWN")
    view = page_of_q(
        conn, standing_q(conn, receipt), original_q(conn, receipt_id), desk.settings, room=room
    )
    return replace(view, paper="", details=())
