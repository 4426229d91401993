"""Receipt certificates that the platform has revoked (schema version 3).

A unit whose signer still uses one issues nothing; a new key with a new certificate does.
"""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from fep.store.schema import Id, metadata

unit_revocation = Table(
    "unit_revocation",
    metadata,
    Column("unit", String(40), primary_key=True),
    Column("serial", String(40), primary_key=True),
    Column("at", Id, nullable=False),
    Column("reason", String(200), nullable=False),
)
