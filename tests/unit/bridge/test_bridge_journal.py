"""The bridge's journal: what was begun is never forgotten, whatever happened to the file."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from fep import bridge
from fep.bridge import Ended, Journal, written


def _entry(journal: Journal, number: int, answer: bytes = b"answer") -> str:
    id_ = f"t{number}"
    journal.end(journal.begin(id_, "pos", number, "d"), "done", answer, "")
    return id_


def _let_go(journal: Journal) -> None:
    journal._file.close()
    journal._guard.close()


def _again(journal: Journal) -> Journal:
    _let_go(journal)
    return Journal(journal.directory)


def test_what_was_written_is_there_after_a_restart(tmp_path: Path):
    journal = Journal(tmp_path)
    _entry(journal, 7)
    journal.begin("t8", "pos", 8, "d")

    after = _again(journal)

    assert (journal.name, 2, 7) == (after.name, after.count, after.floor("pos"))
    assert ("done", b"answer") == (after.find("t7").state, after.find("t7").answer)
    assert ("begun", None) == (after.find("t8").state, after.find("t9"))
    assert b"answer" == after.before("t8", "pos")


def test_one_process_at_a_time(tmp_path: Path):
    journal = Journal(tmp_path)

    with pytest.raises(Ended):
        Journal(tmp_path)
    assert [] == written(tmp_path)
    _let_go(journal)


def test_a_torn_last_line_is_dropped_wherever_it_was_torn(tmp_path: Path):
    journal = Journal(tmp_path)
    _entry(journal, 1)
    whole = (tmp_path / "journal.txt").read_bytes()
    journal.begin("t2", "pos", 2, "d")
    longer = (tmp_path / "journal.txt").read_bytes()
    _let_go(journal)

    for size in range(len(whole), len(longer)):
        (tmp_path / "journal.txt").write_bytes(longer[:size])
        after = Journal(tmp_path)
        _entry(after, 3)
        last = _again(after)
        assert (journal.name, None) == (last.name, last.find("t2"))
        assert "done" == last.find("t3").state
        _let_go(last)


def test_damage_in_the_middle_begins_a_new_journal_and_keeps_the_old_file(tmp_path: Path):
    journal = Journal(tmp_path)
    _entry(journal, 1)
    _entry(journal, 2)
    _let_go(journal)
    raw = bytearray((tmp_path / "journal.txt").read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "journal.txt").write_bytes(raw)

    after = Journal(tmp_path)

    assert after.name != journal.name
    assert (0, 0, None) == (after.count, after.floor("pos"), after.find("t1"))
    assert [bytes(raw)] == [path.read_bytes() for path in tmp_path.glob("damaged-*")]
    _let_go(after)


@pytest.mark.parametrize("part", [0, 5, 20])
def test_a_full_disk_refuses_and_leaves_no_half_line(tmp_path: Path, monkeypatch, part: int):
    journal = Journal(tmp_path)
    _entry(journal, 1)
    write = os.write

    def full(handle: int, data: bytes) -> int:
        if handle != journal._file.fileno():
            return write(handle, data)
        write(handle, data[:part])
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(bridge.os, "write", full)
    with pytest.raises(OSError, match="full"):
        journal.begin("t2", "pos", 2, "d")
    monkeypatch.undo()
    known = journal.find("t2")
    _entry(journal, 3)
    after = _again(journal)

    assert (None, None, "done") == (known, after.find("t2"), after.find("t3").state)
    _let_go(after)


def test_after_an_fsync_that_failed_nothing_is_begun_any_more(tmp_path: Path, monkeypatch):
    journal = Journal(tmp_path)

    def broken(_handle: Any) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(bridge.os, "fsync", broken)
    with pytest.raises(OSError, match="broken"):
        journal.begin("t1", "pos", 1, "d")
    monkeypatch.undo()

    with pytest.raises(OSError, match="journal"):
        journal.begin("t2", "pos", 2, "d")
    _let_go(journal)


def test_a_long_journal_forgets_the_oldest_that_ended_and_says_how_far_it_reaches(
    tmp_path: Path, monkeypatch
):
    journal = Journal(tmp_path)
    journal.begin("t1", "pos", 1, "d")
    for number in range(2, 12):
        _entry(journal, number)
    journal.end(journal.begin("s1", "pos", 0, "d"), "done", b"", "")
    monkeypatch.setattr(bridge, "JOURNAL_MAX", 8)
    monkeypatch.setattr(bridge, "JOURNAL_KEPT", 4)

    thin = _again(journal)
    later = _again(thin)

    for one in (thin, later):
        assert (journal.name, 12) == (one.name, one.count)
        assert ["t1", "t9", "t10", "t11", "s1"] == [row.id for row in one.entries()]
        assert 9 == one.floor("pos")
    assert [row.id for row in later.entries()] == [row.id for row in written(tmp_path)]
    _let_go(later)
