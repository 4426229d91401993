"""Form jobs (套打任务) and their attempts: one numbered sheet each, never twice (version 3)."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text, UniqueConstraint

from fep.store.schema import Id, metadata

form_job = Table(
    "form_job",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("receipt_id", Id, nullable=False),
    Column("unit", String(40), nullable=False),
    Column("point", String(40), nullable=False),
    Column("device_group", String(40), nullable=False),
    Column("device", String(40), nullable=False),
    Column("form", String(40), nullable=False),
    Column("sheet", String(40), nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("confirmed_at", Id, nullable=False),
    Column("confirmed_by", String(80), nullable=False),
    Column("created_at", Id, nullable=False),
    Column("updated_at", Id, nullable=False),
    UniqueConstraint("sheet", name="uq_form_job_sheet"),
)
Index("ix_form_job_state", form_job.c.state, form_job.c.id)
Index("ix_form_job_receipt", form_job.c.receipt_id)

form_attempt = Table(
    "form_attempt",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("job_id", Id, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("device", String(40), nullable=False),
    Column("started_at", Id, nullable=False),
    Column("ended_at", Id, nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("detail", Text, nullable=False),
)
Index("ix_form_attempt_job", form_attempt.c.job_id, form_attempt.c.attempt, unique=True)
