"""Messages (短信、邮件通知) that somebody asked for; kept until they can be sent (version 3)."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, UniqueConstraint, text

from fep.store.schema import Id, metadata

message = Table(
    "message",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("receipt_id", Id, nullable=False),
    Column("way", String(10), nullable=False),
    Column("address", String(100), nullable=False),
    Column("state", String(12), nullable=False),
    Column("caller", String(64), nullable=False),
    Column("at", Id, nullable=False),
    UniqueConstraint("receipt_id", "way", "address", name="uq_message"),
)
Index("ix_message_waiting", message.c.id, sqlite_where=text("state = 'waiting'"),
      postgresql_where=text("state = 'waiting'"))  # fmt: skip
