"""Tables of receipts that another front-end issued (schema version 3).

`old_import` is one file taken in; its rows are seen only once it is `live`, so that a file is
there as a whole or not at all. `old_receipt` holds what the file says of a receipt; `body` is
JSON of what only an answer needs. Nothing of it counts in our books: no number of ours, no
money of ours. `old_reversal` binds a red receipt of ours to the imported one it reverses, where
the province allows that; at most one is live.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from fep.store.schema import Id, metadata

old_import = Table(
    "old_import",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("at", Id, nullable=False),
    Column("state", String(8), nullable=False),
    Column("file_sm3", String(64), nullable=False),
    Column("count", Integer, nullable=False),
    Column("amount_fen", Id, nullable=False),
)

old_receipt = Table(
    "old_receipt",
    metadata,
    Column("import_id", Id, primary_key=True, autoincrement=False),
    Column("code", String(50), primary_key=True),
    Column("number", String(20), primary_key=True),
    Column("unit", String(40), nullable=False),
    Column("key", String(50), nullable=False),
    Column("check_code", String(20), nullable=False),
    Column("payer", String(100), nullable=False),
    Column("amount_fen", Id, nullable=False),
    Column("issued_at", Id, nullable=False),
    Column("state", String(8), nullable=False),
    Column("body", Text, nullable=False),
)
Index("ix_old_receipt_name", old_receipt.c.code, old_receipt.c.number)
Index("ix_old_receipt_key", old_receipt.c.unit, old_receipt.c.key)

old_reversal = Table(
    "old_reversal",
    metadata,
    Column("red_id", Id, primary_key=True, autoincrement=False),
    Column("code", String(50), nullable=False),
    Column("number", String(20), nullable=False),
    Column("state", String(8), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("operator", String(50), nullable=False),
    Column("at", Id, nullable=False),
)
Index("uq_old_reversal", old_reversal.c.code, old_reversal.c.number, unique=True,
      sqlite_where=text("state = 'live'"), postgresql_where=text("state = 'live'"))  # fmt: skip
