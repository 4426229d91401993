"""Tables of the link beside receipts: letters of channels 2 and 3, and peers' certificates."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text, text

from fep.store.schema import Id, metadata

link_letter = Table(
    "link_letter",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("dest", String(40), nullable=False),
    Column("channel", Integer, nullable=False),
    Column("op", String(16), nullable=False),
    Column("idem", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(12), nullable=False),
    Column("rec_seq", Id, nullable=False, server_default="0"),
    Column("batch_seq", Id, nullable=False, server_default="0"),
    Column("result", String(40), nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("created_at", Id, nullable=False),
    Column("updated_at", Id, nullable=False),
)
Index("ix_link_letter_open", link_letter.c.dest, link_letter.c.channel, link_letter.c.state,
      link_letter.c.id, sqlite_where=text("state <> 'applied'"),
      postgresql_where=text("state <> 'applied'"))  # fmt: skip
Index("uq_link_letter", link_letter.c.dest, link_letter.c.channel, link_letter.c.idem,
      unique=True)  # fmt: skip

link_cert = Table(
    "link_cert",
    metadata,
    Column("dest", String(40), primary_key=True),
    Column("serial", String(40), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("state", String(8), nullable=False),
    Column("at", Id, nullable=False),
    Column("evidence", Text, nullable=False),
)
