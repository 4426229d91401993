"""The day close: every receipt in one day, signed, chained, never opened again."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from fep.crypto import sm3
from fep.domain.faults import Refused, refuse
from fep.services.desk_books import Books, books_q, checks
from fep.store import days, issuing
from fep.store.packed import pack, unpack
from tests.unit.days.office import CODE, FIRST_DAY, KIND, UNIT, Office

HOUR = 3_600_000


def _row(found: dict[str, Any], part: str, **which: str) -> dict[str, Any]:
    rows = [row for row in found[part] if which.items() <= row.items()]
    assert 1 == len(rows), (part, which, found[part])
    return rows[0]


def test_a_day_is_counted_by_kind_point_cashier_channel_and_item(office: Office):
    office.issue("K1", 1000, cashier="王芳", channels={"01": 400, "02": 600})
    office.issue("K2", 500, cashier="李红")
    office.reverse(office.issue("K3", 300))
    office.pass_days()

    assert 1 == office.close_due()

    found = office.show()
    assert {"blue": 3, "blue_fen": 1800, "red": 1, "red_fen": -300, "burned": 0,
            "net_fen": 1500} == found["total"]  # fmt: skip
    assert 1500 == _row(found, "kinds", kind=KIND, code=CODE)["net_fen"]
    assert 1500 == _row(found, "points", point="001")["net_fen"]
    assert (1300, 0) == tuple(_row(found, "cashiers", cashier="王芳")[n]
                              for n in ("blue_fen", "red_fen"))  # fmt: skip
    assert 200 == _row(found, "cashiers", cashier="李红")["net_fen"]
    assert (900, 600) == (_row(found, "channels", channel="01")["net_fen"],
                          _row(found, "channels", channel="02")["net_fen"])  # fmt: skip
    assert 600 == _row(found, "tills", cashier="王芳", channel="02")["net_fen"]
    assert 3 - 1 == _row(found, "items", item="B")["net_fen"]
    assert [{"code": CODE, "first": "0000000001", "last": "0000000004",
             "count": 4}] == found["ranges"]  # fmt: skip


def test_every_breakdown_sums_to_the_total_also_for_a_request_nobody_can_read(office: Office):
    office.issue("K1", 1000)
    office.room.issue("bare")
    office.pass_days()
    office.close_due()

    found = office.show()

    for part in ("kinds", "points", "cashiers", "channels", "tills", "items"):
        assert found["total"]["net_fen"] == sum(row["net_fen"] for row in found[part]), part


def test_a_red_receipt_of_tomorrow_belongs_to_tomorrow_and_names_today(office: Office):
    blue = office.issue("K1", 1000)
    office.pass_days()
    office.close_due()
    before = office.show()
    red = office.reverse(blue)
    office.pass_days()

    assert 1 == office.close_due()

    after = office.show("2026-11-22")
    assert -1000 == after["total"]["net_fen"]
    assert [{"receipt": red.ref, "blue": blue.ref, "blue_on": FIRST_DAY,
             "fen": -1000}] == after["earlier"]  # fmt: skip
    assert before == office.show()


def test_a_late_signature_belongs_to_the_day_that_saw_it_with_its_own_date(office: Office):
    late = office.issue("K1", 700, seal=False)
    office.pass_days()
    office.close_due()
    assert 0 == office.show()["total"]["blue"]
    assert {"queued": 0, "frozen": 1} == office.show()["open"]
    office.room.seal(late)
    office.pass_days()

    office.close_due()

    found = office.show("2026-11-22")
    assert 700 == found["total"]["net_fen"]
    assert [{"receipt": late.ref, "issued_on": FIRST_DAY, "fen": 700,
             "burned": False}] == found["late"]  # fmt: skip
    assert "王芳" == found["cashiers"][0]["cashier"]


def test_a_number_given_up_late_is_counted_once_as_burned(office: Office):
    late = office.issue("K1", 700, seal=False)
    office.pass_days()
    office.close_due()
    office.do("refuse", issuing.refuse_txn, late, "SIG_TIMEOUT")
    office.pass_days(2)

    assert 2 == office.close_due()

    assert [late.ref] == office.show("2026-11-22")["burned"]
    assert 0 == office.show("2026-11-23")["total"]["burned"]
    assert 0 == office.show("2026-11-22")["total"]["net_fen"]


def test_a_receipt_issued_under_a_closed_date_is_counted_the_day_after(office: Office):
    office.issue("K1", 100)
    office.pass_days()
    office.close_due()
    office.room.wall_ms -= 600_000  # the clock is set back over midnight
    stray = office.issue("K2", 200, code_at=lambda _ms: CODE)
    office.pass_days(2)

    office.close_due()

    assert FIRST_DAY == stray.issued_on
    assert [stray.ref] == [row["receipt"] for row in office.show("2026-11-22")["late"]]
    assert 300 == office.show("2026-11")["total"]["net_fen"]


def test_closing_again_changes_nothing_and_quiet_days_are_closed_too(office: Office):
    office.issue("K1")
    office.pass_days(3)

    assert (3, 0) == (office.close_due(), office.close_due())
    assert [0, 0] == [office.show(f"2026-11-{day}")["total"]["blue"] for day in (22, 23)]
    assert 3 == len(office.ask("day.list")["days"])


def test_a_crash_between_counting_and_closing_counts_nothing_twice(office: Office):
    office.issue_many(300)
    office.issue("late", 500, seal=False)
    office.pass_days()
    high = office.wait(Deferred.fromCoroutine(office.read(days.high_q)))
    found = office.wait(
        Deferred.fromCoroutine(office.read(days.slice_q, "wuhan-1", FIRST_DAY, high, 0))
    )
    office.do("day.count", days.facts_txn, "wuhan-1", FIRST_DAY, found)
    office.restart()

    assert 1 == office.close_due()

    assert (300, 300_000) == tuple(office.show()["total"][name] for name in ("blue", "blue_fen"))


def test_month_and_year_are_the_sums_of_their_closed_days(office: Office):
    for _day in range(12):
        office.issue(f"K{_day}", 100)
        office.pass_days()
    office.close_due()

    month, year = office.show("2026-11"), office.show("2026")

    assert (1000, 1200) == (month["total"]["net_fen"], year["total"]["net_fen"])
    assert (10, "2026-11-01") == (month["days"], month["missing"][0])
    assert 1 == len(year["ranges"])


def test_a_changed_body_a_foreign_signature_or_a_cut_out_day_is_noticed(office: Office):
    office.tampered = True
    for _day in range(3):
        office.issue(f"K{_day}")
        office.pass_days()
    office.close_due()

    with sqlite3.connect(office.path) as store:
        store.execute("DELETE FROM day_close WHERE day = '2026-11-22'")
    store.close()
    with pytest.raises(Refused, match="DAY_BROKEN"):
        office.show("2026-11")
    with sqlite3.connect(office.path) as store:
        store.execute("UPDATE day_close SET der = (SELECT max(der) FROM day_close),"
                      " body = (SELECT body FROM day_close WHERE day = '2026-11-23')")  # fmt: skip
    store.close()
    with pytest.raises(Refused, match="DAY_BROKEN"):
        office.show()


def test_a_changed_body_whose_digest_was_changed_with_it_is_noticed_by_its_signature(
    office: Office,
):
    office.issue("K", 1230)
    office.pass_days()
    office.close_due()
    assert 1230 == office.show()["total"]["net_fen"]
    office.tampered = True
    with sqlite3.connect(office.path) as store:
        ((body,),) = store.execute("SELECT body FROM day_close").fetchall()
        plain = unpack(body)
        changed = plain.replace(b"1230", b"9230")
        assert changed != plain
        store.execute(
            "UPDATE day_close SET body = ?, sm3 = ?", (pack(changed), sm3.digest(changed))
        )
    store.close()

    with pytest.raises(Refused, match="DAY_BROKEN"):
        office.show()


def test_nothing_is_closed_without_a_key_a_true_clock_and_an_open_store(office: Office):
    office.issue("K1")
    office.pass_days()
    office.why_held = "CLK_BACK"
    with pytest.raises(Refused, match="DAY_HELD"):
        office.close_due()
    office.why_held = ""
    office.seal = None
    office.open()

    with pytest.raises(Refused, match="DAY_NO_KEY"):
        office.close_due()

    assert [] == office.ask("day.list")["days"]


def test_a_person_may_have_the_close_done_and_is_told_how_far_it_is(office: Office):
    office.issue("K1")
    office.pass_days()

    begun = office.ask("day.close", reason="月底")
    for _turn in range(100):
        office.room.clock.advance(0.01)
    told = office.ask("day.progress")

    assert begun["running"]
    assert (False, [{"unit": "wuhan-1", "day": FIRST_DAY}], "") == (
        told["running"], told["closed"], told["fault"])  # fmt: skip


def test_a_shift_counts_one_cashier_in_a_time_closed_or_not(office: Office):
    office.issue("K1", 100, cashier="王芳")
    office.issue("K2", 200, cashier="李红")
    office.pass_days()
    office.close_due()
    office.issue("K3", 400, cashier="王芳")
    office.reverse(office.issue("K4", 50, cashier="李红"), operator="王芳")

    told = office.ask(
        "day.shift", cashier="王芳", since="2026-11-21 00:00", until="2026-11-22 12:00"
    )

    assert (450, 2, 1) == tuple(told["units"][0]["total"][n] for n in ("net_fen", "blue", "red"))


@pytest.mark.parametrize("period", ["2026-13", "gestern", "2026-11-21-1", ""])
def test_what_is_no_period_is_refused(office: Office, period: str):
    with pytest.raises(Refused, match="DAY_NAME"):
        office.show(period)


def test_the_checkers_notice_a_receipt_left_out_and_one_counted_too_early(office: Office):
    office.tampered = True
    office.issue("K1")
    office.pass_days()
    office.close_due()
    office.issue("K2")
    office.pass_days()
    office.close_due()

    with sqlite3.connect(office.path) as store:
        store.execute("UPDATE receipt_fact SET day = '2026-11-21'")
    store.close()
    found = office.violations()
    with sqlite3.connect(office.path) as store:
        store.execute("DELETE FROM receipt_fact WHERE receipt_id = 1")
    store.close()

    assert any("is counted on 2026-11-21" in line for line in found)
    assert any("is counted on no day" in line for line in office.violations())


def test_the_doctor_names_days_not_closed_differences_and_a_revoked_certificate(office: Office):
    office.issue("K1")
    office.pass_days()
    at = office.room.wall_ms
    early, late = (office.room.store.read(books_q, [UNIT], at + ms) for ms in (0, 3 * HOUR))
    signer = SimpleNamespace(cert_serial="4d")
    accounts = SimpleNamespace(revoked=lambda unit, serial: refuse("SIG_REVOKED", unit=unit))
    ctx = replace(office.context, signers={UNIT: signer}, accounts=accounts)

    found = checks(ctx, Books(late.unclosed, 2))

    assert ((), ((UNIT, FIRST_DAY),)) == (early.unclosed, late.unclosed)
    assert [("DAYS", "WARN"), ("RECONCILE", "WARN"), ("SIGNER", "FAIL")] == [
        (check.code, check.state.value) for check in found
    ]
    office.close_due()
    assert Books() == office.room.store.read(books_q, [UNIT], at + 3 * HOUR)
