"""What `fepd relay status` tells: whether the relay runs, and how far each channel is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from fep.cli.fepd_relay import _streams
from fep.store.lock import DataLock, runs


def test_a_relay_that_was_killed_is_not_told_as_running(tmp_path: Path):
    lock = DataLock(tmp_path / "relay.lock")
    lock.acquire("relay", 1)
    mine = runs(lock.path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    note = json.loads(lock.path.read_bytes())
    (tmp_path / "other.lock").write_text(json.dumps({**note, "pid": gone.pid}))
    (tmp_path / "torn.lock").write_text("{")

    assert (os.getpid(), True) == (note["pid"], mine)
    assert [False] * 3 == [runs(tmp_path / f"{name}.lock") for name in ("other", "torn", "none")]


def test_a_number_that_another_process_has_by_now_is_not_the_relay(tmp_path: Path) -> None:
    """After a power cut the first processes get the same numbers again."""
    note = tmp_path / "relay.lock"
    note.write_text(json.dumps({"pid": os.getpid()}), "utf-8")

    assert not runs(note)


def test_channels_are_told_by_name_and_newest_epoch():
    rows = [
        {"channel": 2, "epoch": 1, "applied": 2, "opened": 2},
        {"channel": 1, "epoch": 1, "applied": 90, "opened": 90},
        {"channel": 1, "epoch": 2, "applied": 3, "opened": 7},
    ]

    assert "票据 3/7  控制 2/2" == _streams(rows)
    assert "-" == _streams([])
