"""Tables of the medical dialect (schema version 3).

`medical_bill` keeps beside an event what a business system said of it in its own words: its
busNo, its business time, the card a kiosk asks by, and the call itself, packed. It is written
with the number, in the same transaction. `medical_name` keeps the busNo of earlier attempts,
where a system changes it at each. `medical_batch` remembers what a batch held, those
that could not be queued with the reason why.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text, text

from fep.store.schema import metadata

medical_bill = Table(
    "medical_bill",
    metadata,
    Column("unit", String(40), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("red", Integer, nullable=False),
    Column("bus_no", String(50), nullable=False),
    Column("bus_type", String(20), nullable=False),
    Column("bus_at", String(17), nullable=False),
    Column("place", String(50), nullable=False),
    Column("card_no", String(50), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
Index("ix_medical_bill_no", medical_bill.c.unit, medical_bill.c.bus_no)
Index("ix_medical_bill_at", medical_bill.c.unit, medical_bill.c.bus_at)
Index("ix_medical_bill_card", medical_bill.c.unit, medical_bill.c.card_no,
      sqlite_where=text("card_no <> ''"), postgresql_where=text("card_no <> ''"))  # fmt: skip

medical_name = Table(
    "medical_name",
    metadata,
    Column("unit", String(40), primary_key=True),
    Column("bus_no", String(50), primary_key=True),
    Column("key", String(64), nullable=False),
)

medical_batch = Table(
    "medical_batch",
    metadata,
    Column("unit", String(40), primary_key=True),
    Column("caller", String(64), primary_key=True),
    Column("batch", String(60), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("bus_no", String(50), nullable=False),
    Column("key", String(64), nullable=False),
    Column("fault", Text, nullable=False),
)
