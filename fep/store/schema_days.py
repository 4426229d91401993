"""Tables of the day close (schema version 3).

`receipt_fact` says in which business day a receipt was counted, with what only the event
knows: cashier and channels. It is written when a day is closed, never while issuing. A
receipt that had no signature at its day's close stands there with an empty day until the
close that finds it final. `day_close` holds the signed totals; a row is never changed.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from fep.store.schema import Id, metadata, sheet

receipt_fact = Table(
    "receipt_fact",
    metadata,
    Column("receipt_id", Id, primary_key=True, autoincrement=False),
    Column("unit", String(40), nullable=False),
    Column("day", String(10), nullable=False),
    Column("cashier", String(50), nullable=False),
    Column("channels", Text, nullable=False),
)
Index("ix_receipt_fact_day", receipt_fact.c.unit, receipt_fact.c.day, receipt_fact.c.receipt_id)

day_close = Table(
    "day_close",
    metadata,
    Column("unit", String(40), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("closed_at", Id, nullable=False),
    Column("high_id", Id, nullable=False),
    Column("count", Integer, nullable=False),
    Column("net_fen", Id, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("sm3", LargeBinary(32), nullable=False),
    Column("cert_serial", String(40), nullable=False),
    Column("der", LargeBinary, nullable=False),
)
Index("ix_sheet_at", sheet.c.at)
