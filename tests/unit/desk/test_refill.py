"""Numbers asked for and given back: said once, shown, and told to the platform."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, select, update

from fep.domain.calendar import to_ms
from fep.domain.faults import Refused
from fep.services.desk_context import at_once, on_reader
from fep.services.refill import EVERY_S, Refill
from fep.settings_types import NumbersSettings
from fep.store.link import DueRow, due_q
from fep.store.numbers import Grant, grant_txn
from fep.store.schema import upload
from fep.store.tx import Tx
from tests.unit.desk.desk_site import CODE, UNIT, DeskSite
from tests.unit.fence.guarded import Notes


class Settings:
    """The site's settings with a word on numbers."""

    def __init__(self, site: DeskSite, request: bool) -> None:
        self.units, self.kinds = site.settings.units, site.settings.kinds
        self.numbers = NumbersSettings(request=request)


class Watch:
    """Refill over a desk's store."""

    def __init__(self, site: DeskSite, request: bool = True) -> None:
        self.site, self.notes = site, Notes()
        self.refill = Refill(
            Settings(site, request), site.clock, site.room.store, self.notes, self._read,  # type: ignore[arg-type]  # half the settings
            now_ms=lambda: to_ms(site.clock.wall()),
        )  # fmt: skip

    async def _read(self, fn: Any, *args: Any) -> Any:
        return await at_once(on_reader, self.site.context.data_dir / "fep.db", fn, args, {})

    def turn(self, after_s: float = EVERY_S) -> list[dict[str, Any]]:
        """Let time pass, look, and return what is asked for."""
        self.site.clock.seconds += after_s
        self.site.room.wall_ms += 1000
        self.refill.tick()
        self.site.room.clock.advance(0)
        self.site.room.clock.advance(0)
        assert [] == [line for line in self.notes.lines if line[0] == "error"]
        return list(self.site.ask("numbers.list")["requested"])


def _due(site: DeskSite, op: str) -> list[DueRow]:
    return [row for row in site.room.store.read(due_q, "province", 0, 50) if row.op == op]


@pytest.fixture
def empty(site: DeskSite) -> DeskSite:
    """The site with three receipts issued and no numbers left."""
    (block,) = [row for row in site.ask("numbers.list")["blocks"] if row["left"]]
    site.ask("numbers.return", code=CODE, first=block["first"], reason="换号段")
    return site


def test_a_need_is_requested_once_until_a_block_is_here(empty: DeskSite):
    watch = Watch(empty)

    (asked,) = watch.turn()
    assert (UNIT, CODE, 100, "due", "requested") == (
        asked["unit"], asked["code"], asked["count"], asked["delivery"], asked["state"],
    )  # fmt: skip
    assert watch.turn() == [asked]
    (row,) = _due(empty, "REQUEST")
    body = json.loads(row.act)
    assert (CODE, "0000000000", 100, 0) == (row.code, row.number, body["count"], body["left"])
    assert 1 == empty.journal().count("numbers.requested")

    empty.ask("numbers.import", unit=UNIT, code=CODE, first="0000009001", last="0000009002",
              approval="1", reason="到货")  # fmt: skip
    assert [] == watch.turn(0)
    (again,) = watch.turn()
    assert again["at"] > asked["at"], "two numbers are not what three receipts a day need"


@pytest.mark.parametrize(
    ("state", "detail", "shown"),
    [("applied", "unsupported poor has no REQUEST", "unsupported"),
     ("rejected", "not_yours", "rejected")],
)  # fmt: skip
def test_what_the_platform_cannot_give_is_shown_and_only_a_person_asks_again(
    empty: DeskSite, state: str, detail: str, shown: str
):
    wanted = {"unit": UNIT, "code": CODE, "count": 7, "reason": "快用完"}
    assert [True, False] == [empty.ask("numbers.request", **wanted)["requested"] for _ in range(2)]
    empty.room.done(empty.room.store.do("answer", _answered_txn, state, detail))

    assert [shown] == [row["state"] for row in Watch(empty).turn()]
    assert 1 == len(empty.room.store.read(_requests_q)), "the machine does not press"
    assert empty.ask("numbers.request", **wanted)["requested"]
    assert 2 == len(empty.room.store.read(_requests_q))


@pytest.mark.parametrize(
    "wrong", [{"unit": "nobody"}, {"code": "4206"}, {"count": 0}, {"count": 2_000_000}]
)
def test_a_request_that_is_none_is_refused(site: DeskSite, wrong: dict[str, Any]):
    asked = {"unit": UNIT, "code": CODE, "count": 7, "reason": "快用完", **wrong}

    with pytest.raises(Refused, match=r"CFG_UNIT|REQ_FIELD_VALUE"):
        site.ask("numbers.request", **asked)


def _answered_txn(tx: Tx, state: str, detail: str) -> None:
    where = upload.c.op == "REQUEST"
    tx.conn.execute(update(upload).where(where).values(state=state, detail=detail))


def _requests_q(conn: Connection) -> list[Any]:
    return list(conn.execute(select(upload.c.id).where(upload.c.op == "REQUEST")))


def test_nothing_is_requested_of_a_platform_that_is_not_to_be_asked(empty: DeskSite):
    assert [] == Watch(empty, request=False).turn()


def test_a_full_stock_asks_for_nothing(site: DeskSite):
    assert [] == Watch(site).turn()


def test_the_platform_is_told_what_came_back_of_its_own_blocks_only(empty: DeskSite):
    assert [] == _due(empty, "RETURN"), "a person brought it, a person takes it back"
    block = Grant(UNIT, CODE, "0000008001", "0000008100", "platform", "grant 7")
    empty.room.done(empty.room.store.do("grant", grant_txn, block))

    empty.ask("numbers.return", code=CODE, first="0000008001", reason="多了")

    (row,) = _due(empty, "RETURN")
    body = msgspec.json.decode(row.act)
    assert ("0000008001", "0000008100", 100) == (row.number, body["last"], body["count"])
