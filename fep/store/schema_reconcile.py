"""Tables of the comparison with the platform (schema version 3).

`recon_run` is one comparison of one day of issue with one platform; `recon_diff` one receipt
on which the books differ, one row for as long as it comes and goes; `recon_answer` what the
platform answered over channel 3, until the comparison that asked has read it.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, UniqueConstraint

from fep.store.schema import Id, metadata

recon_run = Table(
    "recon_run",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("dest", String(40), nullable=False),
    Column("day", String(10), nullable=False),
    Column("state", String(12), nullable=False),
    Column("asked_at", Id, nullable=False),
    Column("ended_at", Id, nullable=False, server_default="0"),
    Column("who", String(80), nullable=False),
    Column("here", Text, nullable=False, server_default="[]"),
    Column("there", Text, nullable=False, server_default="[]"),
    Column("in_transit", Integer, nullable=False, server_default="0"),
    Column("refused", Integer, nullable=False, server_default="0"),
    Column("differences", Integer, nullable=False, server_default="0"),
    Column("detail", Text, nullable=False, server_default=""),
)
Index("ix_recon_run_day", recon_run.c.dest, recon_run.c.day, recon_run.c.id)

recon_diff = Table(
    "recon_diff",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("run_id", Id, nullable=False),
    Column("dest", String(40), nullable=False),
    Column("day", String(10), nullable=False),
    Column("gap", String(12), nullable=False),
    Column("code", String(8), nullable=False),
    Column("number", String(10), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("here_fen", Id, nullable=False),
    Column("there_fen", Id, nullable=False),
    Column("here_state", String(40), nullable=False),
    Column("there_state", String(40), nullable=False),
    Column("state", String(12), nullable=False),
    Column("repair", String(12), nullable=False),
    Column("found_at", Id, nullable=False),
    Column("updated_at", Id, nullable=False),
    Column("reason", String(200), nullable=False, server_default=""),
    UniqueConstraint("dest", "code", "number", "gap", name="uq_recon_diff"),
)
Index("ix_recon_diff_day", recon_diff.c.dest, recon_diff.c.day, recon_diff.c.id)

recon_answer = Table(
    "recon_answer",
    metadata,
    Column("dest", String(40), primary_key=True),
    Column("ask", String(60), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("parts", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Id, nullable=False),
)
