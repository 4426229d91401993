"""Tables of batches (schema version 3).

`batch` is what a caller handed over under a key of its own; `batch_item` is one event of it,
by index. `event_id` 0 stands for an event that was refused when it came: `fault` and `why`
say for what. What became of the others is told by their events.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from fep.store.schema import Id, metadata

batch = Table(
    "batch",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("caller", String(64), nullable=False),
    Column("key", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("count", Integer, nullable=False),
    Column("at", Id, nullable=False),
    UniqueConstraint("caller", "key", name="uq_batch_key"),
)

batch_item = Table(
    "batch_item",
    metadata,
    Column("batch_id", Id, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("event_id", Id, nullable=False),
    Column("unit", String(40), nullable=False),
    Column("key", String(64), nullable=False),
    Column("fault", String(40), nullable=False, server_default=""),
    Column("why", Text, nullable=False, server_default=""),
)
