"""Batches in the store: whole or not at all, and issued only when signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fep.domain.faults import Refused, refuse
from fep.store import batches
from fep.store.batches import Bad, BatchRow, Hand
from tests.harness.storeroom import UNIT, Storeroom


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Storeroom]:
    """A store with numbers."""
    made = Storeroom(tmp_path / "site")
    made.open()
    made.grant(1, 1000)
    yield made
    made.close()


def progress(room: Storeroom, key: str = "B") -> BatchRow:
    found: BatchRow = room.store.read(batches.batch_q, "his", key)
    return found


def test_an_event_is_issued_when_its_receipt_is_signed_and_not_before(room: Storeroom):
    drafts = tuple(room.draft(key) for key in ("a", "b"))
    room.done(room.store.do("batch", batches.take_txn, Hand("his", "B", b"1" * 32, drafts)))
    assert (0, 2) == (progress(room).issued, progress(room).queued)

    (frozen,) = room.freeze(drafts[0])
    half = room.store.read(batches.items_q, progress(room).id, 0, 9)
    assert (0, 2) == (progress(room).issued, progress(room).queued)
    room.seal(frozen.receipt)

    whole = room.store.read(batches.items_q, progress(room).id, 0, 9)
    assert (1, 1) == (progress(room).issued, progress(room).queued)
    assert [("queued", None)] * 2 == [(one.state, one.receipt) for one in half]
    assert ["issued", "queued"] == [one.state for one in whole]
    assert "a" == whole[0].receipt.key


def test_a_batch_that_cannot_be_written_leaves_nothing(room: Storeroom):
    drafts = (room.draft("a"), room.draft("b", caller=None))  # the store refuses a null

    with pytest.raises(Exception, match="NOT NULL"):
        room.done(room.store.do("batch", batches.take_txn, Hand("his", "B", b"1" * 32, drafts)))

    assert room.store.read(batches.batch_q, "his", "B") is None
    (again,) = room.freeze(room.draft("a"))
    assert again.original is not None


def test_the_key_of_a_batch_stands_for_one_content_and_one_caller(room: Storeroom):
    bad = Bad(UNIT, "x", refuse("EVT_ITEMS_NONE"))
    first = room.done(room.store.do("batch", batches.take_txn, Hand("his", "B", b"1" * 32, (bad,))))
    again = room.done(room.store.do("batch", batches.take_txn, Hand("his", "B", b"1" * 32, (bad,))))
    other = room.done(room.store.do("batch", batches.take_txn, Hand("lis", "B", b"2" * 32, (bad,))))

    with pytest.raises(Refused, match="BATCH_CONFLICT"):
        room.done(room.store.do("batch", batches.take_txn, Hand("his", "B", b"2" * 32, (bad,))))

    assert (first.id, True) == (again.id, again.repeated)
    assert other.id != first.id
    assert (1, 0, 1) == (progress(room).count, progress(room).queued, progress(room).refused)
