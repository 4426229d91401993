"""Tables of payments at terminals (schema version 3).

`payment` is one financial command: what was asked before its first byte left, and what is known
since. `serial` is ours and stands in the terminal's record. `of_id` is the payment that a void or
refund takes back, 0 for none; `receipt_key` the key of the event that the money is for. `pan` is
masked. `settlement` is one closed batch of a terminal, its totals beside ours.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table

from fep.store.schema import Id, metadata

payment = Table(
    "payment",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("unit", String(40), nullable=False),
    Column("key", String(50), nullable=False),
    Column("op", String(8), nullable=False),
    Column("way", String(8), nullable=False),
    Column("terminal", String(40), nullable=False),
    Column("serial", String(20), nullable=False),
    Column("amount_fen", Id, nullable=False),
    Column("of_id", Id, nullable=False),
    Column("receipt_key", String(50), nullable=False),
    Column("caller", String(40), nullable=False),
    Column("operator", String(50), nullable=False),
    Column("state", String(10), nullable=False),
    Column("acked", Boolean, nullable=False),
    Column("fault", String(40), nullable=False),
    Column("host_code", String(8), nullable=False),
    Column("text", String(100), nullable=False),
    Column("pan", String(24), nullable=False),
    Column("batch", String(12), nullable=False),
    Column("trace", String(12), nullable=False),
    Column("ref", String(24), nullable=False),
    Column("auth", String(12), nullable=False),
    Column("host_at", String(20), nullable=False),
    Column("created_at", Id, nullable=False),
    Column("sent_at", Id, nullable=False),
    Column("ended_at", Id, nullable=False),
    Column("updated_at", Id, nullable=False),
    Column("inquiries", Integer, nullable=False),
    Column("settled_id", Id, nullable=False),
)
Index("uq_payment_key", payment.c.unit, payment.c.key, unique=True)
Index("uq_payment_serial", payment.c.serial, unique=True)
Index("ix_payment_state", payment.c.state, payment.c.terminal)
Index("ix_payment_of", payment.c.of_id)
Index("ix_payment_batch", payment.c.terminal, payment.c.settled_id)
Index("ix_payment_receipt", payment.c.unit, payment.c.receipt_key)

settlement = Table(
    "settlement",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("terminal", String(40), nullable=False),
    Column("batch", String(12), nullable=False),
    Column("at", Id, nullable=False),
    Column("count", Integer, nullable=False),
    Column("amount_fen", Id, nullable=False),
    Column("refunds", Integer, nullable=False),
    Column("refunds_fen", Id, nullable=False),
    Column("our_count", Integer, nullable=False),
    Column("our_amount_fen", Id, nullable=False),
    Column("our_refunds", Integer, nullable=False),
    Column("our_refunds_fen", Id, nullable=False),
)
