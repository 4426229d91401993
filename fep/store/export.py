"""Receipts of a period as rows of a table, oldest first, a bounded slice at a time.

A slice walks forward by id from a cursor within the range of ids that the days have; nothing
is held open between slices, and receipts that are issued meanwhile do not shift them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, select

from fep.domain.calendar import iso
from fep.domain.money import format_fen
from fep.domain.receipt import Receipt
from fep.domain.text import mask_name
from fep.store.find import Query, narrow, span_q
from fep.store.life import lives_q
from fep.store.packed import unpack
from fep.store.receipts import as_receipt, receipts
from fep.store.schema import event, receipt, reversal
from fep.store.schema_imports import old_reversal

SLICE_ROWS = 500
SCAN_ROWS = 20_000
COLUMNS = (
    "票据代码", "票据号码", "校验码", "开票时间", "票据种类", "开票单位", "开票点", "金额",
    "交款人", "收费员", "支付方式", "业务流水号", "状态", "纸质票", "冲红的原票据",
)  # fmt: skip
MONEY = (7,)
_LIVES = {"sealed": "正常", "reversing": "冲红中", "reversed": "已冲红", "frozen": "待签名"}


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of texts; `cursor` is where the next slice goes on, None at the end."""

    rows: list[list[str]]
    cursor: int | None


class _Channel(msgspec.Struct):
    code: str = ""
    amount: str = ""


class _Asked(msgspec.Struct):
    cashier: str = ""
    channels: list[_Channel] = []
    reverse: dict[str, object] = {}


_decode = msgspec.json.Decoder(_Asked).decode


def slice_q(conn: Connection, query: Query, after: int, *, plain: bool) -> Slice:
    """Return the rows after an id; names are masked unless `plain`."""
    low, high = span_q(conn, query)
    first = max(low, after + 1)
    last = min(high, first + SCAN_ROWS - 1)
    wanted = (
        receipts()
        .where(receipt.c.id.between(first, last), receipt.c.state != "burned", *narrow(query))
        .order_by(receipt.c.id)
        .limit(SLICE_ROWS)
    )
    found = [as_receipt(row) for row in conn.execute(wanted)]
    rows = _rows(conn, found, mask_name if not plain else str)
    if len(found) == SLICE_ROWS:
        return Slice(rows, found[-1].id)
    return Slice(rows, last if last < high else None)


def _rows(conn: Connection, found: list[Receipt], shown: Callable[[str], str]) -> list[list[str]]:
    lives = lives_q(conn, found)
    ids = [one.event_id for one in found]
    asked = {
        row.id: _decode(unpack(row.body))
        for row in conn.execute(select(event.c.id, event.c.body).where(event.c.id.in_(ids)))
    }
    blues = _blues(conn, [one.id for one in found if one.amount_fen < 0])
    return [
        _row(one, lives[one.id].life.value, lives[one.id].sheet, asked[one.event_id],
             blues.get(one.id, ""), shown)
        for one in found
    ]  # fmt: skip


def _row(one: Receipt, life: str, sheet: str, asked: _Asked, blue: str,
         shown: Callable[[str], str]) -> list[str]:  # fmt: skip
    channels = " ".join(f"{each.code}:{each.amount}" for each in asked.channels)
    return [
        one.code, one.number, one.check_code, iso(one.issued_at)[:19].replace("T", " "),
        one.kind, one.unit, one.point, format_fen(one.amount_fen), shown(one.payer),
        asked.cashier or str(asked.reverse.get("operator", "")), channels, one.key,
        "红字" if blue else _LIVES.get(life, life), sheet, blue,
    ]  # fmt: skip


def _blues(conn: Connection, reds: list[int]) -> dict[int, str]:
    if not reds:
        return {}
    blue = receipt.alias()
    rows = conn.execute(
        select(reversal.c.red_id, blue.c.code, blue.c.number)
        .join(blue, blue.c.id == reversal.c.blue_id)
        .where(reversal.c.red_id.in_(reds))
    )
    old = conn.execute(
        select(old_reversal.c.red_id, old_reversal.c.code, old_reversal.c.number).where(
            old_reversal.c.red_id.in_(reds)
        )
    )
    return {row.red_id: f"{row.code}-{row.number}" for row in (*rows, *old)}
