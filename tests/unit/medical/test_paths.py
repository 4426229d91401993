"""Every question of the door is answered by an index: lists cost the same after five years."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import event as listen

from fep.store import medical
from tests.unit.medical.clinic import Clinic

SPAN = medical.Span("20261101000000000", "20261130235959999", 0, 10**13, "2026-11-01", "2026-11-30")


def test_no_query_of_the_medical_tables_walks_a_table(clinic: Clinic):
    reader = clinic.room.store._reader
    asked: list[tuple[str, Any]] = []
    listen.listen(
        reader.engine, "before_cursor_execute",
        lambda _c, _cur, text, values, _ctx, _many: asked.append((text, values)),
    )  # fmt: skip
    read = clinic.room.store.read
    read(medical.by_business_q, "H001", SPAN)
    read(medical.by_issue_q, "H001", SPAN)
    read(medical.by_card_q, "H001", "C1", SPAN)
    read(medical.kept_q, "H001", "B1")
    read(medical.key_of_q, "H001", "B1")
    read(medical.batch_q, "H001", "his", "N1")
    read(medical.names_q, [1, 2])
    read(medical.calls_q, "H001", ["B1"])
    queries = [one for one in asked if one[0].startswith("SELECT")]

    walks = [
        f"{step[3]}: {text[-160:]}"
        for text, values in queries
        for step in reader.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        if re.match(r"SCAN (?!CONSTANT)", step[3])
    ]

    assert 10 == len(queries)  # a busNo that is not known is sought among former ones too
    assert [] == walks
