"""Notes on devices that outlive the daemon: switched off, held, and who they said they are.

Rules: every change of a person is journalled with the reason; an identity is learnt once and
forgotten only by a person's word. A lease that is over stays in its row until the next one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, func, insert, select, update

from fep.domain.device import Lease
from fep.domain.printing import JobState
from fep.store.schema import print_job
from fep.store.schema_devices import device_note
from fep.store.tx import Tx


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device says of itself; empty where it says nothing."""

    maker: str = ""
    model: str = ""
    serial: str = ""

    @property
    def known(self) -> bool:
        """Say whether there is anything to compare."""
        return bool(self.model or self.serial)


@dataclass(frozen=True, slots=True)
class Note:
    """What is noted of a device; `at` is when a person last said something, in ms."""

    device: str
    disabled: bool = False
    lease: Lease | None = None
    reason: str = ""
    who: str = ""
    at: int = 0
    identity: Identity = Identity()


@dataclass(frozen=True, slots=True)
class Word:
    """A person's word: who says it and why."""

    who: str
    reason: str


def notes_q(conn: Connection) -> dict[str, Note]:
    """Return the notes by device."""
    return {
        row.device: Note(
            row.device, bool(row.disabled),
            Lease(row.owner, row.until_at) if row.owner else None,
            row.reason, row.who, row.at, Identity(row.maker, row.model, row.serial),
        )
        for row in conn.execute(select(device_note))
    }  # fmt: skip


def disable_txn(tx: Tx, device: str, word: Word) -> None:
    """Note that a device is switched off."""
    _said(tx, replace(_note(tx, device), disabled=True), word, "device.disabled")


def enable_txn(tx: Tx, device: str, word: Word) -> None:
    """Note that a device is switched on again."""
    _said(tx, replace(_note(tx, device), disabled=False), word, "device.enabled")


def claim_txn(tx: Tx, device: str, lease: Lease, word: Word) -> None:
    """Note who holds a device."""
    _said(tx, replace(_note(tx, device), lease=lease), word, "device.claimed",
          owner=lease.owner, until=lease.until)  # fmt: skip


def release_txn(tx: Tx, device: str, word: Word) -> None:
    """Note that nobody holds a device any more."""
    was = _note(tx, device)
    _said(tx, replace(was, lease=None), word, "device.released",
          owner=was.lease.owner if was.lease else "")  # fmt: skip


def reset_txn(tx: Tx, device: str, word: Word) -> None:
    """Note that a person had a device opened anew; what it said of itself is forgotten."""
    was = _note(tx, device)
    _said(tx, replace(was, identity=Identity()), word, "device.reset",
          model=was.identity.model, serial=was.identity.serial)  # fmt: skip


def learn_txn(tx: Tx, device: str, identity: Identity) -> None:
    """Note what a device said of itself when it was first reached."""
    _write(tx, replace(_note(tx, device), identity=identity))
    tx.journal("device.identity", device, {
        "maker": identity.maker, "model": identity.model, "serial": identity.serial,
    })  # fmt: skip


def move_txn(tx: Tx, source: str, target: str, word: Word) -> int:
    """Hand the waiting slips of a group to another one; returns how many.

    A job that a device has begun stays with it, and so does every preprinted sheet: it lies
    in one printer only.
    """
    wanted = (
        print_job.c.device_group == source,
        print_job.c.state == JobState.DUE.value,
        print_job.c.kind_of_sheet == "slip",
    )
    count = tx.conn.execute(select(func.count()).select_from(print_job).where(*wanted)).scalar_one()
    tx.conn.execute(
        update(print_job).where(*wanted).values(device_group=target, next_at=0,
                                                updated_at=tx.now_ms)
    )  # fmt: skip
    tx.journal("print.moved", source, {
        "to": target, "jobs": count, "who": word.who, "reason": word.reason,
    })  # fmt: skip
    return int(count)


def word_txn(tx: Tx, op: str, ref: str, word: Word, facts: dict[str, object]) -> None:
    """Journal what a person did to a device or a point."""
    tx.journal(op, ref, {**facts, "who": word.who, "reason": word.reason})


def _note(tx: Tx, device: str) -> Note:
    return notes_q(tx.conn).get(device, Note(device))


def _said(tx: Tx, note: Note, word: Word, op: str, **facts: object) -> None:
    _write(tx, replace(note, reason=word.reason[:200], who=word.who[:64], at=tx.now_ms))
    word_txn(tx, op, note.device, word, facts)


def _write(tx: Tx, note: Note) -> None:
    lease = note.lease or Lease("", 0)
    tx.conn.execute(delete(device_note).where(device_note.c.device == note.device))
    tx.conn.execute(
        insert(device_note).values(
            device=note.device, disabled=note.disabled, owner=lease.owner[:64],
            until_at=lease.until, reason=note.reason, who=note.who, at=note.at,
            maker=note.identity.maker[:80], model=note.identity.model[:80],
            serial=note.identity.serial[:80],
        )
    )  # fmt: skip
