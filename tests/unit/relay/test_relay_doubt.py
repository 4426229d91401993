"""What had left when a relay died is in doubt after its start, and nothing else is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from twisted.internet.task import Clock as FakeReactor

from fep.store.relay import open_calls_q
from fep.store.relay_opening import open_relay_store
from fep.store.writer import Store


def _open(path: Path) -> Store:
    return open_relay_store(
        FakeReactor(), path, now_ms=lambda: 0, on_fatal=lambda why: None, pool=None
    )


def test_a_call_that_was_leaving_is_asked_for_by_key_and_never_simply_due(tmp_path: Path):
    path = tmp_path / "relay.db"
    _open(path).close()
    with sqlite3.connect(path) as store:
        store.executemany(
            "INSERT INTO relay_call (id, node, epoch, rec_seq, batch_seq, idem, digest, op, code,"
            " number, hash, state, at) VALUES (?, 'n', 1, ?, 1, ?, ?, 'ISSUE', 'c', ?, ?, ?, 0)",
            [(n, n, bytes([n]) * 32, bytes(32), str(n), bytes(32), state)
             for n, state in enumerate(("due", "calling", "doubt", "done"), 1)],
        )  # fmt: skip
    store.close()

    opened = _open(path)
    found = {call.id: str(call.state) for call in opened.read(open_calls_q)}
    opened.close()

    assert {1: "due", 2: "doubt", 3: "doubt"} == found
