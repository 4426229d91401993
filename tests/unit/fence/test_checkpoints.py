"""Signed checkpoints: written in time, verified by the other implementation, by openssl too."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fep.crypto import certs, keyfile
from fep.services import checkpoints as service
from fep.services.checkpoints import Checkpoints, NodeSeal
from fep.store import queries_journal as chain
from fep.store.checkpoints import OP, check_q
from tests.unit.fence.guarded import Dice, Notes, Room
from tests.unit.fence.test_clock_rules import Hands

SCRIPT = Path(__file__).parents[3] / "scripts" / "verify_journal.py"


class Signing:
    """A room whose journal's head is signed."""

    def __init__(self, room: Room) -> None:
        self.room, self.hands = room, Hands(room.wall_ms)
        keys = room.site / "keys"
        key = keyfile.load_private((keys / "unit.key").read_bytes(), None, entropy=Dice())
        self.cert = keys / "unit.crt"
        seal = NodeSeal(key, certs.parse(self.cert.read_bytes()))
        self.duty = Checkpoints(self.hands, room.store, seal, Notes())
        room.run(self.duty.start())

    def tick(self, seconds: float) -> None:
        self.hands.pass_(seconds)
        self.duty.tick()
        self.room.clock.advance(0)

    def checked(self) -> list[Any]:
        return self.room.store.read(lambda conn: check_q(conn, chain.slice_q(conn, 0, 2000)))

    def export(self, path: Path, after: int = 0) -> Path:
        records = self.room.store.read(chain.slice_q, after, 2000)
        path.write_bytes(b"".join(b"%s %s\n" % (r.hash.hex().encode(), r.line) for r in records))
        return path


@pytest.fixture
def signing(room: Room) -> Signing:
    """Return a room with checkpoints."""
    return Signing(room)


def test_the_head_is_signed_after_five_minutes_and_an_idle_journal_is_not(signing: Signing):
    signing.room.issue("A")
    signing.tick(299)
    assert [] == signing.room.ops(OP)
    signing.tick(1)
    assert [OP] == signing.room.ops(OP)
    for _time in range(3):
        signing.tick(301)
    assert [OP] == signing.room.ops(OP)


def test_the_head_is_signed_after_enough_records(signing: Signing, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "EVERY_RECORDS", 10)
    signing.room.issue(*(f"K{number}" for number in range(8)))
    signing.tick(1)

    assert [OP] == signing.room.ops(OP)


def test_checkpoints_verify_with_the_other_implementation(signing: Signing):
    for key in ("A", "B"):
        signing.room.issue(key)
        signing.tick(301)

    assert ["", ""] == [each.why for each in signing.checked()]


@pytest.mark.parametrize("spoil", ["signature", "hash"])
def test_a_spoiled_checkpoint_is_named(signing: Signing, spoil: str):
    signing.room.issue("A")
    signing.tick(301)
    (record,) = [
        each for each in signing.room.store.read(chain.slice_q, 0, 2000)
        if json.loads(each.line)["op"] == OP
    ]  # fmt: skip
    told = json.loads(record.line)
    value = told["body"][spoil]
    told["body"][spoil] = value[:-1] + ("0" if value[-1] != "0" else "1")
    line = json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    connection = sqlite3.connect(signing.room.site / "data" / "fep.db")
    connection.execute("UPDATE journal SET line = ? WHERE seq = ?", (line, record.seq))
    connection.commit()
    connection.close()

    (checked,) = signing.checked()

    assert (record.seq, True) == (checked.seq, bool(checked.why))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_script_follows_chain_and_checkpoints_without_our_code(
    signing: Signing, tmp_path: Path
):
    signing.room.issue("A", "B")
    signing.tick(301)
    signing.room.issue("C")
    whole = signing.export(tmp_path / "whole")
    later = signing.export(tmp_path / "later", after=3)
    before = signing.room.store.read(chain.slice_q, 2, 1)[0].hash.hex()
    other = signing.room.site / "keys" / "other.crt"
    from fep.sim import sm

    sm.create_identity(other.with_suffix(".key"), other, "other", 5)

    assert "OK" in _ran(whole, signing.cert)
    assert "1 checkpoints" in _ran(whole, signing.cert)
    assert "OK" in _ran(later, signing.cert, before)
    assert "does not verify" in _ran(whole, other)
    assert "missing" in _ran(later, signing.cert)


def _ran(*words: Any) -> str:
    done = subprocess.run(
        [sys.executable, SCRIPT, *words], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_script_is_short_and_stands_in_the_manual():
    text = SCRIPT.read_text("utf-8")
    docs = Path(__file__).parents[3] / "fep" / "docs"

    assert 60 >= len(text.splitlines())
    for language in ("zh", "en"):
        assert text in (docs / language / "journal.md").read_text("utf-8")


def test_a_node_without_a_key_goes_on_without(room: Room):
    from types import SimpleNamespace

    notes = Notes()
    missing = room.site / "none"
    settings: Any = SimpleNamespace(
        root=room.site, node=SimpleNamespace(passphrase="", key=missing, cert=missing)
    )

    assert service.open_seal(settings, Dice(), notes) is None
    assert [("error", "node.no_seal")] == notes.lines
    duty = Checkpoints(Hands(room.wall_ms), room.store, None, notes)
    room.run(duty.start())
    duty.sign()
    assert [] == room.ops(OP)
