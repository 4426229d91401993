"""One receipt on one numbered sheet: confirmed before, settled after, never repeated."""

from __future__ import annotations

from dataclasses import replace

from fep.domain.form import CONFIRM_HOLDS_S
from fep.domain.printing import Form, PrintResult
from fep.store.sheets import SheetGrant, import_txn
from tests.harness.storeroom import UNIT
from tests.unit.forms.office import ACCEPTED, OFF, POINT, TORN, Office
from tests.unit.life.test_life_window import OTHER


def test_an_exchange_with_print_waits_for_its_sheet_and_prints_it_once(office: Office):
    told = office.exchanged()
    job = told["job"]
    office.turn(60)
    assert ("042126-0001", "waiting", 0) == (
        told["sheet"],
        job["state"],
        len(office.printer.papers),
    )

    office.printer.results = [ACCEPTED]
    confirmed = office.confirm(job["id"], "0001", operator="李")

    assert "his/李" == confirmed["job"]["confirmed_by"]
    (form,) = office.printer.papers
    assert isinstance(form, Form)
    shown = {text.text for text in form.texts}
    assert {"0001", "126.50", "壹佰贰拾陆元伍角整"} <= {text.removeprefix("￥") for text in shown}
    assert "accepted" == office.state(job["id"])
    office.turn(600)
    assert 1 == len(office.printer.papers)
    assert "printed" == office.call("paper.printed", job=job["id"])["job"]["state"]
    assert [] == office.call("paper.jobs", unit=UNIT)["jobs"]


def test_another_sheet_in_the_tractor_prints_nothing(office: Office):
    job = office.exchanged()["job"]["id"]

    for given in ("0002", "1", "00001", "042126-0002", "042127-0001", "x"):
        assert "FRM_SHEET_MISMATCH" == office.confirm(job, given)
    office.turn(60)

    assert ("waiting", []) == (office.state(job), office.printer.papers)
    assert "confirmed" == office.confirm(job, "042126-0001")["job"]["state"]


def test_a_job_that_was_not_printed_waits_for_a_person_again(office: Office):
    job = office.exchanged()["job"]["id"]
    office.printer.results = [OFF, ACCEPTED]

    office.confirm(job, "0001")
    office.turn(600)

    assert ("waiting", 1) == (office.state(job), len(office.printer.papers))
    office.confirm(job, "0001")
    office.turn(60)
    assert ("accepted", 2) == (office.state(job), len(office.printer.papers))


def test_a_sheet_confirmed_long_ago_is_confirmed_again(office: Office):
    job = office.exchanged()["job"]["id"]
    office.printer.faults = ("PRN_PAPER_END",)
    office.confirm(job, "0001")
    office.turn(CONFIRM_HOLDS_S + 10)

    office.printer.faults = ()
    office.turn(60)

    (row,) = office.call("paper.jobs", unit=UNIT)["jobs"]
    assert ("waiting", "FRM_CONFIRM_OLD") == (row["state"], row["reason"])
    assert [] == office.printer.papers


def test_an_uncertain_sheet_is_given_up_by_two_and_the_next_one_used(office: Office):
    told = office.exchanged()
    job = told["job"]["id"]
    office.printer.results = [TORN, ACCEPTED]
    office.confirm(job, "0001")
    office.turn(600)
    assert ("uncertain", 1) == (office.state(job), len(office.printer.papers))
    for approve in ([], ["王"], ["王", " 王 "]):
        assert "FRM_TWO" == office.call("paper.spoil", job=job, reason="卡纸", approve=approve)
    assert "FRM_JOB_STATE" == office.confirm(job, "0001")

    spoiled = office.call("paper.spoil", job=job, reason="卡纸", approve=["王", "李"])

    assert "042126-0001" == spoiled["voided"]
    after = spoiled["job"]
    assert ("042126-0002", "waiting") == (after["sheet"], after["state"])
    assert "spoiled" == office.state(job)
    assert "FRM_JOB_STATE" == office.confirm(job, "0001")
    assert "FRM_SHEET_MISMATCH" == office.confirm(after["id"], "0001")
    office.confirm(after["id"], "0002")
    assert "accepted" == office.state(after["id"])
    sheets = office.call("paper.list", unit=UNIT)["sheets"]
    assert [("042126-0001", "void"), ("042126-0002", "used")] == [
        (row["sheet"], row["state"]) for row in sheets
    ]


def test_a_spoiled_sheet_is_followed_by_one_of_its_own_code(office: Office):
    room = office.counter.room
    other = SheetGrant(UNIT, POINT, "042127", "0001", "0002", "批准")
    room.done(room.store.do("sheets", import_txn, other))
    job = office.exchanged(sheet="042127-0001")["job"]["id"]

    spoiled = office.call("paper.spoil", job=job, reason="歪了")
    again = office.call("paper.spoil", job=spoiled["job"]["id"], reason="又歪了")

    assert "042127-0002" == spoiled["job"]["sheet"]
    assert "PAPER_NONE" == again
    assert "waiting" == office.state(spoiled["job"]["id"])


def test_a_sheet_a_person_saw_whole_counts_as_printed(office: Office):
    job = office.exchanged()["job"]["id"]
    office.printer.results = [TORN]
    office.confirm(job, "0001")

    office.call("paper.printed", job=job, reason="看过，完整")

    assert "printed" == office.state(job)


def test_ink_on_its_way_keeps_the_sheet_from_being_voided_another_way(office: Office):
    receipt = office.issued()
    name = {"unit": UNIT, "point": POINT, "code": receipt["code"], "number": receipt["number"]}
    job = office.call("paper.exchange", print=True, **name)["job"]["id"]
    office.printer.results = [TORN]
    office.confirm(job, "0001")
    void = {"unit": UNIT, "point": POINT, "first": "042126-0001", "reason": "坏"}

    assert "FRM_OPEN" == office.call("paper.void", **void)
    assert "FRM_OPEN" == office.call("paper.reexchange", reason="坏", **name)
    office.call("paper.printed", job=job, reason="完整")
    again = office.call("paper.reexchange", reason="歪了", print=True, **name)

    assert ("042126-0002", "042126-0001") == (again["sheet"], again["replaced"])
    assert ("spoiled", "waiting") == (office.state(job), again["job"]["state"])


def test_one_tractor_holds_one_sheet_at_a_time(office: Office):
    first, second = office.exchanged("A")["job"]["id"], office.exchanged("B")["job"]["id"]
    office.printer.results = [TORN]
    office.confirm(first, "0001")

    assert "FRM_OPEN" == office.confirm(second, "0002")
    office.call("paper.spoil", job=first, reason="坏", approve=["王", "李"], again=False)

    assert "confirmed" == office.confirm(second, "0002")["job"]["state"]


def test_no_other_printer_takes_a_confirmed_job(tmp_path):
    office = Office(tmp_path / "site", devices=("lq1", "lq2"))
    job = office.exchanged()["job"]["id"]
    assert "FRM_DEVICE" == office.confirm(job, "0001")
    assert "FRM_DEVICE" == office.confirm(job, "0001", device="p9")
    office.printers["lq2"].faults = ("DEV_UNREACHABLE",)

    office.confirm(job, "0001", device="lq2")
    office.turn(60)

    assert ([], []) == (office.printers["lq1"].papers, office.printers["lq2"].papers)
    assert [] == office.counter.violations()


def test_a_restart_makes_a_job_under_way_uncertain(office: Office):
    job = office.exchanged()["job"]["id"]
    office.printer.hold = True
    office.confirm(job, "0001")
    assert "streaming" == office.state(job)
    assert "FRM_JOB_STATE" == office.call("paper.spoil", job=job, reason="x", approve=["a", "b"])

    office.open()

    assert "uncertain" == office.state(job)
    assert "distrust" in office.printer.calls


def test_what_has_no_room_takes_no_sheet(office: Office):
    office.forms["outpatient"] = _narrow(office)

    assert "FRM_OVERFLOW" == office.exchanged()
    assert "042126-0001" == office.call("paper.next", unit=UNIT, point=POINT)["sheet"]


def _narrow(office: Office):
    from msgspec.structs import replace as restruct

    sheet = office.forms["outpatient"]
    fields = [restruct(one, w=6.0) if one.source == "number" else one for one in sheet.fields]
    return restruct(sheet, fields=fields)


def test_a_kind_without_a_form_and_a_point_without_a_printer_take_no_sheet(office: Office):
    office.forms.clear()
    assert "FRM_NONE" == office.exchanged()

    office.printer.takes = "slip"
    office.open()

    assert "FRM_GROUP" == office.exchanged("B")
    assert "042126-0001" == office.call("paper.next", unit=UNIT, point=POINT)["sheet"]


def test_the_same_exchange_again_finds_its_job(office: Office):
    told = office.exchanged()

    again = office.exchanged(sheet="042126-0001")

    assert (True, told["job"]["id"]) == (again["repeated"], again["job"]["id"])


def test_a_form_printer_takes_no_slips_and_strangers_see_no_jobs(office: Office):
    receipt = office.issued()
    job = office.exchanged("B")["job"]["id"]

    name = {"code": receipt["code"], "number": receipt["number"]}
    assert "PRN_GROUP" == office.call("print.again", reason="补", **name)
    assert "AUTH_SCOPE" == office.call("paper.jobs", OTHER, unit=UNIT)
    assert "AUTH_SCOPE" == office.call("paper.confirm", OTHER, job=job, sheet="0001")
    blind = replace(OTHER, units=frozenset())
    assert "AUTH_SCOPE" == office.call("paper.spoil", blind, job=job, reason="x")
    assert "FRM_JOB_NONE" == office.confirm(99, "0001")
    assert "REQ_FIELD_MISSING" == office.call("paper.confirm", sheet="0001")


def test_the_test_grid_is_as_long_as_the_sheet(office: Office):
    results: list[PrintResult] = []
    for name in ("", "nonesuch", "unified"):
        office.spool.test("lq1", name).addBoth(results.append)
        office.turn()

    (form,) = office.printer.papers
    assert isinstance(form, Form)
    assert ("unified", 93.1) == (form.name, form.length_mm)
    assert ["FRM_GRID", "FRM_GRID", ""] == [result.fault for result in results]
