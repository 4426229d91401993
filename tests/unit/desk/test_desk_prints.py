"""Slips that no printer prints are told, listed with what keeps them, and can be given up."""

from __future__ import annotations

from typing import Any

import pytest

from fep.domain.faults import Refused
from fep.domain.printing import JobState, Outcome, PrintResult
from fep.services.desk_prints import WAITS_MS
from fep.store import printing
from tests.unit.desk.desk_site import DeskSite


class Spool:
    """Cancels in the store, as the real one does."""

    def __init__(self, site: DeskSite) -> None:
        self._site = site

    def devices(self) -> list[Any]:
        return []

    async def cancel(self, job_id: int, reason: str, who: str) -> Any:
        room = self._site.room
        return room.done(room.store.do("cancel", printing.cancel_txn, job_id, reason, who))


def refused(site: DeskSite, fault: str) -> int:
    """Have the oldest slip fail for its own reason; return its job."""
    room = site.room
    job = site.ask("prints.waiting")["waiting"][0]["id"]
    attempt = room.done(room.store.do("begin", printing.begin_txn, job, "window-1"))
    result = PrintResult(Outcome.NOT_PRINTED, fault)
    room.done(room.store.do("end", printing.end_txn, attempt, result))
    return int(job)


def alarms(site: DeskSite) -> list[dict[str, Any]]:
    """Return what status says of slips that wait."""
    found = site.ask("system.status")["alarms"]
    return [alarm for alarm in found if alarm["code"] == "PRINT_WAITS"]


def test_a_slip_that_cannot_be_printed_is_an_alarm_with_its_reason(site: DeskSite) -> None:
    """Every printer is well: nobody but the payer would miss it."""
    site.clock.wall_ms = site.room.wall_ms
    refused(site, "PRN_CHAR")
    assert [] == alarms(site)
    site.clock.wall_ms += WAITS_MS + 1000

    (alarm,) = alarms(site)

    assert "3 张" in alarm["zh"]
    assert "PRN_CHAR 含字库没有的汉字，请联系管理员安装字库" in alarm["zh"]
    assert "Characters that no font has. Have a font" in alarm["en"]
    assert "fepctl printers jobs" == alarm["next"]


def test_waiting_slips_are_listed_with_what_keeps_them_and_can_be_given_up(site: DeskSite) -> None:
    job = refused(site, "PRN_CHAR")
    site.with_services(spool=Spool(site))

    first = site.ask("prints.waiting")["waiting"][0]
    told = site.ask("print.cancel", job=job, reason="已发电子票")

    assert ("PRN_CHAR", 1, "window-1") == (first["reason"], first["attempts"], first["device"])
    assert first["ref"].count("-") == 1
    assert JobState.CANCELLED.value == told["state"]
    assert job not in [row["id"] for row in site.ask("prints.waiting")["waiting"]]
    assert "print.cancelled" == site.journal()[-1]
    with pytest.raises(Refused) as again:
        site.ask("print.cancel", job=job, reason="已发电子票")
    assert "已取消" in again.value.zh
    assert "cancelled" in again.value.en
