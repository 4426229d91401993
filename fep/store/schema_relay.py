"""Tables of the relay's own store: what came, what was asked of the platform, what went back.

A store file of its own beside the daemon's never mixes with it: the metadata is separate.
Version 1: streams and batches of the nodes, a call for each record, control batches out,
numbers fetched ahead, and the same hash-chained journal as the daemon's.

A call is never deleted: its `idem` is the memory by which a record that comes again is known.
"""

from __future__ import annotations

from sqlalchemy import (
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

from fep.store.schema import Id

RELAY_VERSION = 1

relay_metadata = MetaData()

relay_meta = Table(
    "relay_meta",
    relay_metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

relay_journal = Table(
    "journal",
    relay_metadata,
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("line", LargeBinary, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

relay_stream = Table(
    "relay_stream",
    relay_metadata,
    Column("node", String(16), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("batch_seq", Id, nullable=False),  # opened up to here
    Column("rec_seq", Id, nullable=False),
    Column("batch_sm3", LargeBinary(32), nullable=False),
    Column("head", LargeBinary(32), nullable=False),
    Column("stopped", String(200), nullable=False, server_default=""),
)

relay_batch = Table(
    "relay_batch",
    relay_metadata,
    Column("node", String(16), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("sm3", LargeBinary(32), nullable=False),
    Column("prev", LargeBinary(32), nullable=False),
    Column("first_rec", Id, nullable=False),
    Column("n_rec", Integer, nullable=False),
    Column("state", String(8), nullable=False),  # held, open, done
    Column("plain", LargeBinary, nullable=True),  # zlib; dropped when all is answered
    Column("received_at", Id, nullable=False),
)
Index("ix_relay_batch_open", relay_batch.c.node, relay_batch.c.epoch, relay_batch.c.seq,
      sqlite_where=text("state <> 'done'"))  # fmt: skip

relay_call = Table(
    "relay_call",
    relay_metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("node", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("rec_seq", Id, nullable=False),
    Column("batch_seq", Id, nullable=False),
    Column("idem", LargeBinary(32), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("op", String(16), nullable=False),
    Column("code", String(20), nullable=False),
    Column("number", String(18), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Column("state", String(8), nullable=False),
    Column("result", String(10), nullable=False, server_default=""),
    Column("why", String(40), nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("at", Id, nullable=False),
    UniqueConstraint("node", "epoch", "rec_seq", name="uq_relay_call"),
)
Index("ix_relay_call_idem", relay_call.c.idem)
Index("ix_relay_call_open", relay_call.c.state, relay_call.c.id,
      sqlite_where=text("state <> 'done'"))  # fmt: skip

relay_peer = Table(
    "relay_peer",
    relay_metadata,
    Column("node", String(16), primary_key=True),
    Column("heard_at", Id, nullable=False, server_default="0"),
    Column("transport_seq", Id, nullable=False, server_default="0"),
    Column("seq", Id, nullable=False, server_default="0"),
    Column("rec_seq", Id, nullable=False, server_default="0"),
    Column("batch_sm3", LargeBinary(32), nullable=False),
    Column("head", LargeBinary(32), nullable=False),
)

relay_control = Table(
    "relay_control",
    relay_metadata,
    Column("node", String(16), primary_key=True),
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("first_rec", Id, nullable=False),
    Column("n_rec", Integer, nullable=False),
    Column("tail", LargeBinary(32), nullable=False),
    Column("content", LargeBinary, nullable=True),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("freed", Integer, nullable=False, server_default="0"),
)

relay_number = Table(
    "relay_number",
    relay_metadata,
    Column("code", String(8), primary_key=True),
    Column("number", String(10), primary_key=True),
    Column("unit", String(40), nullable=False),
    Column("node", String(16), nullable=False),
    Column("at", Id, nullable=False),
    Column("evidence", String(80), nullable=False),
    Column("rec_seq", Id, nullable=False, server_default="0"),  # of the grant, 0 before it
    Column("result", String(60), nullable=False, server_default=""),
)
Index("ix_relay_number_free", relay_number.c.node, relay_number.c.code, relay_number.c.number,
      sqlite_where=text("rec_seq = 0"))  # fmt: skip

relay_own = Table(
    "relay_own",  # our own certificates as announced to a node
    relay_metadata,
    Column("node", String(16), primary_key=True),
    Column("serial", String(40), primary_key=True),
    Column("rec_seq", Id, nullable=False),  # of the announcement on channel 2
    Column("result", String(60), nullable=False, server_default=""),
)
