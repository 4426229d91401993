"""`turnPaper` at a point whose sheets are printed here: one step, one job, whatever is repeated."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from fep.domain.kind import Point
from fep.domain.printing import Outcome, PrintResult
from fep.services.forms import Forms
from fep.services.forms_press import FormPress
from fep.services.medical import Medical
from fep.services.paper import Paper
from fep.services.spool import Spool
from fep.settings_device import DeviceSettings, TransportSettings
from fep.store import forms
from tests.golden.draw_forms import sheets
from tests.unit.medical.clinic import Clinic, refund, shipped
from tests.unit.medical.test_reds import _turn
from tests.unit.printing.world import NoDice, ToldPrinter, view_of
from tests.unit.services.counter import HandClock

AT_HOME = Point("001", "window-1", "never", "auto")


def _furnish(clinic: Clinic, point: Point) -> None:
    """Put a form printer into the group window-1 and open the door anew."""
    room, settings = clinic.room, shipped()
    clinic.units["H001"] = replace(clinic.units["H001"], points=(point,))

    async def read(fn: Any, *args: Any) -> Any:
        return room.store.read(fn, *args)

    named = SimpleNamespace(
        units=clinic.units, kinds=settings.kinds, provinces=settings.provinces
    )  # fmt: skip
    context: Any = SimpleNamespace(settings=named, read=read)
    press = FormPress(lambda: context, sheets())
    printer = ToldPrinter()
    printer.takes = "form"
    device = DeviceSettings("lq1", "window-1", TransportSettings(host="h"), driver="escp")
    spool = Spool(
        room.clock, HandClock(room.clock), NoDice(), room.store, (device,), view_of, None,
        clinic.counter.notes, make=lambda *_: printer, press=press,
    )  # fmt: skip
    paper = Paper(
        room.store, spool, clinic.units, Forms(room.store, spool, press, clinic.units)
    )  # fmt: skip
    clinic.ctx = replace(clinic.ctx, paper=paper)
    clinic.medical = Medical(clinic.ctx)


@pytest.fixture
def home(clinic: Clinic) -> Clinic:
    """A clinic that prints its sheets itself."""
    _furnish(clinic, AT_HOME)
    return clinic


def _jobs(clinic: Clinic) -> list[tuple[str, str]]:
    open_now = clinic.room.store.read(forms.open_q, 100)
    return [(job.sheet.partition("-")[2], str(job.state)) for job in open_now]


def _next(clinic: Clinic) -> str:
    return str(clinic.good("getPaperBillNo", {"placeCode": "001"})["pBillNo"])


def test_an_exchange_takes_one_sheet_and_makes_one_form_job_however_often_it_is_called(home):
    answer = home.issue()
    for _ in range(3):
        home.good("turnPaper", _turn(answer))

    assert [("00000001", "waiting")] == _jobs(home)
    assert "00000002" == _next(home)


def test_a_form_that_was_printed_is_not_made_again_by_a_repeated_call(home):
    answer = home.issue()
    home.good("turnPaper", _turn(answer))
    (job,) = home.room.store.read(forms.open_q, 100)
    home.do("look", forms.confirm_txn, job.id, "00000001", "lq1", "li")
    attempt = home.do("begin", forms.begin_txn, job.id, "lq1")
    home.do("end", forms.end_txn, attempt, PrintResult(Outcome.ACCEPTED))
    home.do("seen", forms.printed_txn, job.id, "", "li")
    home.good("turnPaper", _turn(answer))

    assert [] == _jobs(home)
    assert "00000002" == _next(home)


def test_another_sheet_voids_the_first_one_with_its_job(home):
    answer = home.issue()
    home.good("turnPaper", _turn(answer))
    for _ in range(2):
        home.good("reTurnPaper", _turn(answer, "00000002"))

    assert [("00000002", "waiting")] == _jobs(home)


def test_the_sheet_of_a_red_receipt_is_printed_too(home):
    answer = home.issue()
    home.good("turnPaper", _turn(answer))
    asked = {**refund(answer), **_turn(answer, "00000002")}
    home.good("writeOffEBillToPaper", asked)

    assert [("00000002", "waiting")] == _jobs(home)


def test_a_receipt_without_a_form_printer_takes_no_sheet(clinic: Clinic):
    _furnish(clinic, replace(AT_HOME, device_group="window-9"))

    assert "[FRM_GROUP]" in clinic.bad("turnPaper", _turn(clinic.issue()))
    assert "00000001" == _next(clinic)


def test_a_his_that_prints_itself_gets_no_form_job(clinic: Clinic):
    _furnish(clinic, replace(AT_HOME, form_policy="on_request"))
    clinic.good("turnPaper", _turn(clinic.issue()))

    assert [] == _jobs(clinic)
    assert "00000002" == _next(clinic)
