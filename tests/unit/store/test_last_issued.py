"""I13 over a restart: the newest receipt of a code need not carry its highest number."""

from __future__ import annotations

from pathlib import Path

from tests.harness.storeroom import CODE, Storeroom


def test_time_does_not_go_back_after_a_restart_when_a_lower_block_was_used_last(tmp_path: Path):
    room = Storeroom(tmp_path / "site")
    room.open()
    room.grant(5001, 5001)
    room.issue("HIGH")
    room.wall_ms += 60_000
    room.grant(1, 10)
    room.issue("LOW")
    newest = room.store.heads.issued_ms[CODE]
    room.close()

    room.open()

    assert newest == room.store.heads.issued_ms[CODE]
    room.close()
