"""Cut-over: what is not ours is asked of the old front-end, once, and never an issue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.cutover.office import Office
from tests.unit.cutover.old_front_end import APPID, KEY, OldFrontEnd

OURS = "demo-key-of-the-new-front-end-0123456789"
BILL = {"billBatchCode": "42060121", "billNo": "0000005555"}


@pytest.fixture(scope="module")
def server() -> Iterator[OldFrontEnd]:
    """An old front-end for all tests of this file."""
    server = OldFrontEnd()
    yield server
    server.close()


@pytest.fixture
def old(server: OldFrontEnd) -> OldFrontEnd:
    """The old front-end, which has heard nothing yet."""
    server.asked.clear()
    server.outer.clear()
    server.answers.clear()
    server.silent, server.key = False, KEY
    return server


@pytest.fixture(scope="module")
def his(office: Office, server: OldFrontEnd, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A caller whose old front-end knows it by another appid and key."""
    appid, place = "CUTOVER00001", tmp_path_factory.mktemp("keys")
    (place / "ours.key").write_text(OURS)
    (place / "theirs.key").write_text(KEY)
    office.ctl("callers", "add", "--appid", appid, "--key-file", str(place / "ours.key"),
               "--right", "issue", "--right", "query", "--right", "reverse",
               "--upstream", server.base, "--upstream-appid", APPID, "--upstream-key-file",
               str(place / "theirs.key"), "--upstream-s", "0.8", "--reason", "割接")  # fmt: skip

    def ask(method: str, **fields: Any) -> tuple[str, Any]:
        path = f"/medical-web/api/medical/{method}"
        return office.dialect(path, appid, OURS, {**BILL, **fields})

    return ask


def write_off(office: Office) -> dict[str, str]:
    """Return the fields of a reversal beside the bill."""
    return {"reason": "退费", "operator": "o", "busDateTime": "20261121093000000",
            "placeCode": office.town.point}  # fmt: skip


def test_a_question_goes_to_the_old_front_end_under_its_own_envelope(his: Any, old: OldFrontEnd):
    old.answers["getEBillStatesByBillInfo"] = {**BILL, "state": "1", "isScarlet": "0"}

    assert ("S0000", {**BILL, "state": "1", "isScarlet": "0"}) == his("getEBillStatesByBillInfo")
    ((path, fields),) = old.asked
    assert "/medical-web/api/medical/getEBillStatesByBillInfo" == path
    assert BILL == fields
    assert APPID == old.outer[0]["appid"]


def test_a_reversal_of_an_old_receipt_goes_there_once_and_is_journalled(
    office: Office, his: Any, old: OldFrontEnd
):
    old.answers["writeOffEBill"] = {"eScarletBillNo": "0000009999"}
    result, told = his("writeOffEBill", **write_off(office))

    assert ("S0000", "0000009999") == (result, told["eScarletBillNo"])
    assert 1 == len(old.asked)
    last = office.journal("upstream.answered")[-1]
    assert ("42060121-0000005555", "S0000") == (last["ref"], last["body"]["result"])


def test_what_the_old_front_end_refuses_is_said_in_its_words(his: Any, old: OldFrontEnd):
    assert ("E0001", "票据不存在") == his("getEBillStatesByBillInfo")
    assert 1 == len(old.asked)


def test_silence_is_neither_no_such_receipt_nor_a_repeat(
    office: Office, his: Any, old: OldFrontEnd
):
    old.silent = True
    query, why = his("getEBillByBusNo", busNo="LOST-1", busDateTime="20261121093000000")
    change, unknown = his("writeOffEBill", **write_off(office))

    assert "UPSTREAM_AWAY" in why
    assert "UPSTREAM_UNKNOWN" in unknown
    assert "S0000" not in (query, change)
    assert 2 == len(old.asked)


def test_an_answer_under_another_key_is_not_passed_on(his: Any, old: OldFrontEnd):
    old.answers["getEBillStatesByBillInfo"] = dict(BILL)
    old.key = "another-key"

    assert "UPSTREAM_ANSWER" in his("getEBillStatesByBillInfo")[1]


def test_a_change_that_was_heard_there_may_have_been_made(
    office: Office, his: Any, old: OldFrontEnd
):
    """Its answer cannot be trusted, but the reversal was asked for."""
    old.answers["writeOffEBill"] = {"eScarletBillNo": "0000009999"}
    old.key = "another-key"

    assert "UPSTREAM_UNKNOWN" in his("writeOffEBill", **write_off(office))[1]
    assert "UNKNOWN" == office.journal("upstream.answered")[-1]["body"]["result"]


def test_the_next_sheet_of_a_code_that_is_not_ours_is_asked_there(
    office: Office, his: Any, old: OldFrontEnd
):
    sheet = {"pBillBatchCode": "3610", "pBillNo": "00000077"}
    old.answers["getPaperBillNo"] = sheet
    asked = {"placeCode": office.town.point, "pBillBatchCode": "3610"}

    assert ("S0000", sheet) == his("getPaperBillNo", **asked)


def test_nothing_that_issues_ever_goes_there(his: Any, old: OldFrontEnd):
    his("invoiceEBillOutpatient", busNo="B1")
    his("getBatchInvoiceEBill", batchNo="none")

    assert [] == old.asked
