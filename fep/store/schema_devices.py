"""What people and devices have said that must outlive the daemon (schema version 3).

One row a device: switched off by whom and why, held by whom until when (ms, 0: until it is
released), and the identity it was first seen with.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, String, Table

from fep.store.schema import Id, metadata

device_note = Table(
    "device_note",
    metadata,
    Column("device", String(40), primary_key=True),
    Column("disabled", Boolean(create_constraint=False), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("until_at", Id, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("who", String(64), nullable=False),
    Column("at", Id, nullable=False),
    Column("maker", String(80), nullable=False),
    Column("model", String(80), nullable=False),
    Column("serial", String(80), nullable=False),
)
