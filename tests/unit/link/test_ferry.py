"""The file ferry on a real directory: whole or absent, set aside but never deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from fep.services.ferry import TRANSPORT_KEPT, Ferry, TooBig
from fep.wire.fpb import FILE_MAX_BYTES
from fep.wire.fpb_name import BatchName


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    made = Ferry(tmp_path / "link")
    made.prepare()
    return made


def batch(seq: int, attempt: int = 1, channel: int = 1) -> BatchName:
    return BatchName("0a1b2c3d", 1, channel, seq, attempt)


def waiting(ferry: Ferry) -> list[str]:
    return sorted(path.name for path in ferry.out.iterdir())


def test_a_file_appears_whole_and_leaves_no_stage_behind(ferry: Ferry):
    ferry.put(batch(1).text(), b"content")

    assert b"content" == (ferry.out / batch(1).text()).read_bytes()
    assert [] == list(ferry.tmp.iterdir())


def test_a_new_writing_replaces_the_earlier_ones_of_its_batch(ferry: Ferry):
    for name in (batch(1), batch(2), batch(1, 2), batch(1, 3)):
        ferry.put(name.text(), b"x")

    assert [batch(1, 3).text(), batch(2).text()] == waiting(ferry)


def test_only_the_latest_transport_files_wait(ferry: Ferry):
    ferry.put(batch(1).text(), b"x")
    for seq in range(1, 60):
        ferry.put(batch(seq, channel=0).text(), b"x")

    transport = [name for name in waiting(ferry) if "-0001-0-" in name]
    expected = [batch(seq, channel=0).text() for seq in range(60 - TRANSPORT_KEPT, 60)]
    assert expected == transport
    assert batch(1).text() in waiting(ferry)


def test_recall_takes_back_every_writing_of_answered_batches(ferry: Ferry):
    for seq in (1, 2, 3):
        ferry.put(batch(seq).text(), b"x")

    ferry.recall({batch(1).stem(), batch(3).stem()})

    assert [batch(2).text()] == waiting(ferry)


def test_arrivals_are_visible_files_in_order(ferry: Ferry):
    for name in ("b.fpb", "a.fpb", ".hidden"):
        (ferry.arrivals / name).write_bytes(b"x")
    (ferry.arrivals / "folder").mkdir()
    (ferry.arrivals / "link.fpb").symlink_to("/etc/passwd")

    assert ["a.fpb", "b.fpb"] == ferry.names()


def test_a_file_that_is_gone_reads_as_none_and_may_be_taken_again(ferry: Ferry):
    ferry.taken("gone.fpb")
    ferry.aside("gone.fpb", "truncated")

    assert ferry.read("gone.fpb") is None


def test_a_file_too_large_is_not_read(ferry: Ferry):
    with (ferry.arrivals / "big").open("wb") as file:
        file.truncate(FILE_MAX_BYTES + 1)

    with pytest.raises(TooBig):
        ferry.read("big")


def test_quarantine_keeps_every_file_even_of_one_name(ferry: Ferry):
    for content in (b"one", b"two", b"three"):
        (ferry.arrivals / "x.fpb").write_bytes(content)
        ferry.aside("x.fpb", "chain")

    kept = sorted(path.read_bytes() for path in ferry.quarantine.iterdir())
    assert ([b"one", b"three", b"two"], []) == (kept, ferry.names())


def test_a_name_of_full_length_can_be_set_aside(ferry: Ferry):
    name = "n" * 255
    (ferry.arrivals / name).write_bytes(b"x")

    ferry.aside(name, "bad-signature")

    assert [b"x"] == [path.read_bytes() for path in ferry.quarantine.iterdir()]


def test_a_full_or_missing_directory_raises_and_leaves_nothing(ferry: Ferry):
    ferry.out.rmdir()

    with pytest.raises(OSError):
        ferry.put(batch(1).text(), b"x")
