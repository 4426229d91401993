"""All tables of the store, one place.

Schema version 1: the spine. Events, receipts with their literal bytes and signatures in
tables of their own (a state change must not rewrite a blob), number blocks and burns,
print jobs and attempts, uploads and link batches, the journal.

Schema version 2: the life of a receipt. Reversals (at most one live per blue receipt), marks
that come back from outside, blocks of paper sheets with the sheets that were used or voided,
and acts on paper; an upload may carry an act, and has a revision when it is a repeat.

Schema version 3: what later subjects need, each in a module `schema_<subject>.py` of its own;
two indexes of upload that no longer cost an issued receipt anything.

Times end in `_at` and are integer milliseconds since the epoch in UTC; business dates end in
`_on` and are text YYYY-MM-DD of the +08:00 day. Money is integer fen. Ids are given by the
writer (`heads`), never by the database, so that a group of rows is one executemany.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import BigInteger

SCHEMA_VERSION = 3
# The oldest build (by its own SCHEMA_VERSION) that may still open this store.
COMPAT_VERSION = 3

metadata = MetaData()
# SQLite only makes INTEGER PRIMARY KEY an alias of the rowid; PostgreSQL needs 64 bits.
Id = BigInteger().with_variant(Integer, "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("unit", String(40), nullable=False),
    Column("caller", String(40), nullable=False),
    Column("key", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("state", String(12), nullable=False),
    Column("received_at", Id, nullable=False),
    Column("reason", String(40), nullable=False, server_default=""),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("unit", "key", name="uq_event_key"),
)
Index("ix_event_queued", event.c.id, sqlite_where=text("state = 'queued'"),
      postgresql_where=text("state = 'queued'"))  # fmt: skip

receipt = Table(
    "receipt",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("event_id", Id, nullable=False),
    Column("unit", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("point", String(40), nullable=False),
    Column("code", String(8), nullable=False),
    Column("number", String(10), nullable=False),
    Column("state", String(12), nullable=False),
    Column("amount_fen", Id, nullable=False),
    Column("check_code", String(6), nullable=False),
    Column("payer", String(100), nullable=False),
    Column("issued_at", Id, nullable=False),
    Column("issued_on", String(10), nullable=False),
    UniqueConstraint("code", "number", name="uq_receipt_number"),
    CheckConstraint("length(number) = 10", name="ck_receipt_number"),
)
Index("ix_receipt_event", receipt.c.event_id)
Index("ix_receipt_day", receipt.c.unit, receipt.c.issued_on, receipt.c.id)
Index("ix_receipt_frozen", receipt.c.id, sqlite_where=text("state = 'frozen'"),
      postgresql_where=text("state = 'frozen'"))  # fmt: skip

original = Table(
    "original",
    metadata,
    Column("receipt_id", Id, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

signature = Table(
    "signature",
    metadata,
    Column("receipt_id", Id, primary_key=True, autoincrement=False),
    Column("cert_id", Id, nullable=False),
    Column("signed_at", Id, nullable=False),
    Column("der", LargeBinary, nullable=False),
)

certificate = Table(
    "certificate",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("serial", String(40), nullable=False),
    Column("sm3", LargeBinary(32), nullable=False, unique=True),
    Column("subject", Text, nullable=False),
    Column("der", LargeBinary, nullable=False),
    Column("added_at", Id, nullable=False),
)

supervision = Table(
    "supervision",
    metadata,
    Column("receipt_id", Id, primary_key=True, autoincrement=False),
    Column("signed_at", Id, nullable=False),
    Column("cert_serial", String(40), nullable=False),
    Column("der", LargeBinary, nullable=False),
)

print_job = Table(
    "print_job",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("receipt_id", Id, nullable=False),
    Column("device_group", String(40), nullable=False),
    Column("device", String(40), nullable=False, server_default=""),
    Column("kind_of_sheet", String(12), nullable=False),
    Column("copy", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("reason", String(200), nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", Id, nullable=False),
    Column("updated_at", Id, nullable=False),
    Column("next_at", Id, nullable=False, server_default="0"),
)
Index("ix_print_job_receipt", print_job.c.receipt_id)
Index("ix_print_job_due", print_job.c.device_group, print_job.c.id,
      sqlite_where=text("state = 'due'"), postgresql_where=text("state = 'due'"))  # fmt: skip
Index("ix_print_job_open", print_job.c.state, print_job.c.id,
      sqlite_where=text("state IN ('streaming','uncertain')"),
      postgresql_where=text("state IN ('streaming','uncertain')"))  # fmt: skip

print_attempt = Table(
    "print_attempt",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("job_id", Id, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("device", String(40), nullable=False),
    Column("state", String(12), nullable=False),
    Column("fence_id", String(8), nullable=False),
    Column("started_at", Id, nullable=False),
    Column("first_byte_at", Id, nullable=False, server_default="0"),
    Column("ended_at", Id, nullable=False, server_default="0"),
    Column("outcome", String(12), nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
)
Index("ix_print_attempt_job", print_attempt.c.job_id, print_attempt.c.attempt, unique=True)

upload = Table(
    "upload",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("receipt_id", Id, nullable=False),
    Column("dest", String(40), nullable=False),
    Column("op", String(16), nullable=False),
    Column("state", String(12), nullable=False),
    Column("rec_seq", Id, nullable=False, server_default="0"),
    Column("batch_seq", Id, nullable=False, server_default="0"),
    Column("result", String(40), nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("updated_at", Id, nullable=False),
    Column("act_id", Id, nullable=False, server_default="0"),
    Column("revision", Integer, nullable=False, server_default="0"),
)
Index("ix_upload_receipt", upload.c.receipt_id)
Index("ix_upload_open", upload.c.dest, upload.c.state, upload.c.id,
      sqlite_where=text("state <> 'applied'"),
      postgresql_where=text("state <> 'applied'"))  # fmt: skip
Index("ix_upload_rec", upload.c.dest, upload.c.rec_seq,
      sqlite_where=text("batch_seq > 0"), postgresql_where=text("batch_seq > 0"))  # fmt: skip

reversal = Table(
    "reversal",
    metadata,
    Column("red_id", Id, primary_key=True, autoincrement=False),
    Column("blue_id", Id, nullable=False),
    Column("state", String(8), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("operator", String(50), nullable=False),
    Column("booking", String(8), nullable=False),
    Column("forced", Integer, nullable=False, server_default="0"),
    Column("at", Id, nullable=False),
)
Index("uq_reversal_blue", reversal.c.blue_id, unique=True,
      sqlite_where=text("state = 'live'"), postgresql_where=text("state = 'live'"))  # fmt: skip

mark = Table(
    "mark",
    metadata,
    Column("receipt_id", Id, primary_key=True, autoincrement=False),
    Column("name", String(12), primary_key=True),
    Column("value", String(12), nullable=False),
    Column("at", Id, nullable=False),
    Column("evidence", Text, nullable=False),
)

sheet_block = Table(
    "sheet_block",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("unit", String(40), nullable=False),
    Column("point", String(40), nullable=False),
    Column("code", String(20), nullable=False),
    Column("width", Integer, nullable=False),
    Column("first", Id, nullable=False),
    Column("last", Id, nullable=False),
    Column("next", Id, nullable=False),
    Column("state", String(12), nullable=False),
    Column("source", String(16), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("imported_at", Id, nullable=False),
    UniqueConstraint("code", "width", "first", name="uq_sheet_block"),
    CheckConstraint("first <= last AND next >= first AND next <= last + 1", name="ck_sheets"),
)
Index("ix_sheet_block_active", sheet_block.c.unit, sheet_block.c.point, sheet_block.c.id,
      sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'"))  # fmt: skip

sheet = Table(
    "sheet",
    metadata,
    Column("code", String(20), primary_key=True),
    Column("number", String(18), primary_key=True),
    Column("block_id", Id, nullable=False),
    Column("state", String(8), nullable=False),
    Column("receipt_id", Id, nullable=False, server_default="0"),
    Column("at", Id, nullable=False),
    Column("reason", String(200), nullable=False, server_default=""),
    Column("evidence", Text, nullable=False),
)
Index("ix_sheet_receipt", sheet.c.receipt_id)
Index("ix_sheet_block", sheet.c.block_id, sheet.c.number)
Index("uq_sheet_used", sheet.c.receipt_id, unique=True,
      sqlite_where=text("state = 'used'"), postgresql_where=text("state = 'used'"))  # fmt: skip

sheet_act = Table(
    "sheet_act",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("op", String(16), nullable=False),
    Column("unit", String(40), nullable=False),
    Column("code", String(20), nullable=False),
    Column("number", String(18), nullable=False),
    Column("receipt_id", Id, nullable=False, server_default="0"),
    Column("at", Id, nullable=False),
    Column("body", Text, nullable=False),
)
Index("ix_sheet_act_request", sheet_act.c.unit, sheet_act.c.code, sheet_act.c.id,
      sqlite_where=text("op = 'REQUEST'"), postgresql_where=text("op = 'REQUEST'"))  # fmt: skip

link_head = Table(
    "link_head",
    metadata,
    Column("dest", String(40), primary_key=True),
    Column("channel", Integer, primary_key=True, autoincrement=False),
    Column("direction", String(3), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("seq", Id, nullable=False),
    Column("rec_seq", Id, nullable=False),
    Column("batch_sm3", LargeBinary(32), nullable=False),
    Column("rec_hash", LargeBinary(32), nullable=False),
)

link_batch = Table(
    "link_batch",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("dest", String(40), nullable=False),
    Column("channel", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seq", Id, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("first_rec", Id, nullable=False),
    Column("n_rec", Integer, nullable=False),
    Column("sm3", LargeBinary(32), nullable=False),
    Column("bytes", LargeBinary, nullable=True),
    Column("state", String(12), nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("created_at", Id, nullable=False),
    Column("written_at", Id, nullable=False, server_default="0"),
    Column("next_at", Id, nullable=False, server_default="0"),
    UniqueConstraint("dest", "channel", "epoch", "seq", name="uq_link_batch"),
)
Index("ix_link_batch_open", link_batch.c.dest, link_batch.c.next_at,
      sqlite_where=text("state <> 'acked'"), postgresql_where=text("state <> 'acked'"))  # fmt: skip

link_in = Table(
    "link_in",
    metadata,
    Column("dest", String(40), primary_key=True),
    Column("channel", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("sm3", LargeBinary(32), nullable=False),
    Column("kind", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("plain", LargeBinary, nullable=True),
    Column("received_at", Id, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
)

link_state = Table(
    "link_state",
    metadata,
    Column("dest", String(40), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("reason", String(80), nullable=False),
    Column("since_at", Id, nullable=False),
    Column("last_heard_at", Id, nullable=False),
    Column("offline_ms", Id, nullable=False, server_default="0"),
    Column("platform_offset_ms", Id, nullable=False, server_default="0"),
)

number_block = Table(
    "number_block",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("unit", String(40), nullable=False),
    Column("code", String(8), nullable=False),
    Column("first", Id, nullable=False),
    Column("last", Id, nullable=False),
    Column("next", Id, nullable=False),
    Column("state", String(12), nullable=False),
    Column("source", String(16), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("granted_at", Id, nullable=False),
    Column("not_after", Id, nullable=False, server_default="0"),
    UniqueConstraint("code", "first", name="uq_number_block"),
    CheckConstraint("first <= last AND next >= first AND next <= last + 1", name="ck_block"),
)
Index("ix_number_block_active", number_block.c.unit, number_block.c.code, number_block.c.first,
      sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'"))  # fmt: skip

burn = Table(
    "burn",
    metadata,
    Column("code", String(8), primary_key=True),
    Column("number", String(10), primary_key=True),
    Column("at", Id, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("evidence", Text, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("line", LargeBinary, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
