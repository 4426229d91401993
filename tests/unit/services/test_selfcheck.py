"""The self-check finds what is wrong with signatures, chain and store, and never raises."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from fep.services import selfcheck
from tests.harness.storeroom import Storeroom


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Storeroom]:
    """A store with three receipts."""
    room = Storeroom(tmp_path / "site")
    room.open()
    room.grant(1, 10)
    room.issue("A", "B", "C")
    yield room
    room.close()


def _verdicts(room: Storeroom) -> dict[str, str]:
    database = room.site / "data" / "fep.db"
    return {
        finding.name: finding.state
        for finding in selfcheck.run(database)
        if not finding.name.startswith(("crypto.", "disk"))
    }


def _spoil(room: Storeroom, statement: str) -> None:
    room.close()
    connection = sqlite3.connect(room.site / "data" / "fep.db")
    with connection:
        connection.execute(statement)
    connection.close()


def test_a_sound_store_is_ok(room: Storeroom):
    assert {"signatures": "OK", "journal": "OK"} == _verdicts(room)


def test_every_crypto_check_is_named_and_ok(room: Storeroom):
    found = selfcheck.run(room.site / "data" / "fep.db")
    crypto = [finding for finding in found if finding.name.startswith("crypto.")]

    assert crypto
    assert {"OK"} == {finding.state for finding in crypto}


def test_a_signature_over_other_bytes_fails(room: Storeroom):
    _spoil(room, "UPDATE signature SET der = (SELECT der FROM signature WHERE receipt_id = 1)"
                 " WHERE receipt_id = 3")  # fmt: skip

    assert {"signatures": "FAIL", "journal": "OK"} == _verdicts(room)


@pytest.mark.parametrize("statement", [
    "UPDATE journal SET line = CAST(replace(line, '1', '2') AS BLOB) WHERE seq = 4",
    "UPDATE journal SET hash = zeroblob(32) WHERE seq = 4",
    "DELETE FROM journal WHERE seq = 4",
])  # fmt: skip
def test_a_broken_chain_fails(room: Storeroom, statement: str):
    _spoil(room, statement)

    assert "FAIL" == _verdicts(room)["journal"]


def test_a_store_that_cannot_be_read_is_the_finding(room: Storeroom):
    room.close()
    for name in ("fep.db", "fep.db-wal", "fep.db-shm"):
        (room.site / "data" / name).unlink(missing_ok=True)
    (room.site / "data" / "fep.db").write_bytes(b"no store")

    assert {"store": "FAIL"} == _verdicts(room)
