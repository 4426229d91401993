"""Bringing the relay's store up: tables, heads, and doubt for what had left when we died."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from twisted.python.threadpool import ThreadPool

from fep.domain.faults import refuse
from fep.domain.journal import GENESIS
from fep.domain.platform import CallState
from fep.store.opening import Commits
from fep.store.schema_relay import (
    RELAY_VERSION,
    relay_call,
    relay_journal,
    relay_meta,
    relay_metadata,
)
from fep.store.sqlite import open_reader, open_writer
from fep.store.tx import Heads
from fep.store.writer import Store


def open_relay_store(
    reactor: Any,  # IReactorCore with threads
    path: Path,
    *,
    now_ms: Callable[[], int],
    on_fatal: Callable[[str], None],
    pool: ThreadPool | None,
) -> Store:
    """Open or make the relay's store. Raises Refused STORE_NEWER, DBAPIError."""
    writer = open_writer(path)
    with writer.begin():
        relay_metadata.create_all(writer)
        found = writer.execute(
            select(relay_meta.c.value).where(relay_meta.c.name == "version")
        ).scalar()
        if found is None:
            writer.execute(insert(relay_meta).values(name="version", value=str(RELAY_VERSION)))
        elif int(found) > RELAY_VERSION:
            raise refuse("STORE_NEWER", found=found)
        # What had left when we died may have taken effect: only the platform knows.
        writer.execute(
            update(relay_call)
            .where(relay_call.c.state == CallState.CALLING, relay_call.c.state != CallState.DONE)
            .values(state=CallState.DOUBT.value)
        )
    heads = _heads(writer)
    writer.rollback()
    reader = open_reader(path).connect()
    return Store(
        reactor, writer, reader, heads, Commits(reactor, pool), now_ms=now_ms, on_fatal=on_fatal
    )


def _heads(conn: Connection) -> Heads:
    column = relay_journal.c
    last = conn.execute(
        select(column.seq, column.hash).order_by(column.seq.desc()).limit(1)
    ).first()
    top = conn.execute(select(func.max(relay_call.c.id))).scalar() or 0
    if last is None:
        return Heads(0, GENESIS, {"relay_call": top})
    return Heads(last.seq, bytes(last.hash), {"relay_call": top})
