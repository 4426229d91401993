"""A store of version 1 comes up as it is now, with everything that was in it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from fep.store import opening, schema
from fep.store.opening import migrate, stored_version
from fep.store.sqlite import open_writer

SPINE = Path(opening.__file__).parent / "migrations" / "versions" / "v0001_spine.sql"


def test_a_store_of_the_spine_is_brought_up_with_its_rows(tmp_path: Path):
    path = tmp_path / "fep.db"
    with sqlite3.connect(path) as old:
        old.executescript(SPINE.read_text("utf-8"))
        old.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        old.execute("INSERT INTO alembic_version VALUES ('0001')")
        old.execute("INSERT INTO meta VALUES ('schema_version', '1'), ('compat_version', '1')")
        old.execute(
            "INSERT INTO upload (id, receipt_id, dest, op, state, updated_at)"
            " VALUES (7, 3, 'province', 'ISSUE', 'due', 1)"
        )
    old.close()

    writer = open_writer(path)
    migrate(writer)
    found = stored_version(writer)
    row = writer.exec_driver_sql("SELECT id, op, act_id, revision FROM upload").one()
    writer.close()
    writer.engine.dispose()

    assert (schema.SCHEMA_VERSION, schema.COMPAT_VERSION) == found
    assert (7, "ISSUE", 0, 0) == tuple(row)
