"""A day at a small site, played on a real store: the ground the planted bugs grow in.

The witnesses are written by the players here (the HIS, the printer, the province), from what
they are told and shown, never from what the store says about itself.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from fep.domain.printing import Outcome, PrintResult
from fep.store import issuing, numbers
from fep.store import printing as print_store
from fep.store.receipts import by_id_q, original_q, signature_q
from tests.harness.ledgers import Acked, Effect, Province, Sheet
from tests.harness.storeroom import CODE, KIND, UNIT, Storeroom
from tests.harness.world import World, look

FIRST, LAST = 101, 400
GROUP = "window-1"


class Garden:
    """Plays the day and keeps the witnesses."""

    def __init__(self, place: Path) -> None:
        self.room = Storeroom(place)
        self.told: list[Acked] = []
        self.sheets: list[Sheet] = []
        self.effects: list[Effect] = []
        self.bad_signatures = 0
        self.outages: tuple[tuple[int, int], ...] = ()

    def play(self) -> World:
        """Live through the day; return what there is to see at its end."""
        room = self.room
        room.open()
        block = numbers.Grant(UNIT, CODE, f"{FIRST:010d}", f"{LAST:010d}", "platform", "G1")
        room.done(room.store.do("grant", numbers.grant_txn, block))
        self.window([f"A{i}" for i in range(20)])
        self.window([f"A{i}" for i in range(5)])
        self.window(["A3"], amount_fen=99_900)
        self.window([f"B{i}" for i in range(10)], bad_row=4)
        room.wall_ms -= 5_000
        self.window([f"C{i}" for i in range(10)])
        room.wall_ms += 10_000
        self.signer_silent("D0")
        self.window(["D0"])
        self.print_all()
        self.disk_fails()
        self.window([f"E{i}" for i in range(5)])
        self.print_all()
        self.deliver()
        room.close()
        return self.world()

    def window(self, keys: list[str], *, amount_fen: int = 1234, bad_row: int = -1) -> None:
        """Let the HIS ask for receipts in one group; it writes down what it is told."""
        room = self.room
        drafts = [room.draft(key, amount_fen) for key in keys]
        if bad_row >= 0:
            drafts[bad_row] = room.draft(keys[bad_row], check_code=None)
        answers = room.freeze(*drafts)
        frozen = [answer for answer in answers if isinstance(answer, issuing.Frozen)]
        new = {answer.receipt.id: answer.receipt for answer in frozen if answer.original}
        sealed = dict(zip(new, room.seal(*new.values(), device_group=GROUP), strict=True))
        for key, answer in zip(keys, answers, strict=True):
            if not isinstance(answer, issuing.Frozen):
                continue
            receipt = answer.receipt
            if isinstance(sealed.get(receipt.id), Exception):
                continue
            self.told.append(
                Acked(
                    key=key, unit=UNIT, code=receipt.code, number=receipt.number,
                    check_code=receipt.check_code, amount_fen=amount_fen, payer="欧阳䶮",
                    kind=KIND, acked_at=room.wall_ms, repeated=answer.original is None,
                )
            )  # fmt: skip
        room.wall_ms += 7

    def signer_silent(self, key: str) -> None:
        """Let an event pass its deadline: refused, its number burned."""
        (frozen,) = self.room.freeze(self.room.draft(key))
        if isinstance(frozen, issuing.Frozen):
            work = self.room.store.do("refuse", issuing.refuse_txn, frozen.receipt, "SIG_TIMEOUT")
            self.room.done(work)

    def disk_fails(self) -> None:
        """Let a write fail, try to go on, then restart the daemon."""
        room = self.room
        (failed,) = room.all_of([room.store.do("broken", _broken_disk_txn)])
        assert isinstance(failed, Exception)
        assert room.fatal, "an I/O error was not fatal"
        from_ms = room.wall_ms
        room.wall_ms += 1_000
        self.window(["LOST1", "LOST2"])
        room.wall_ms += 1_000
        room.close()
        self.outages = ((from_ms, room.wall_ms),)
        room.wall_ms += 1
        room.open()

    def print_all(self) -> None:
        """Work the print queue off; some attempts go wrong in the three ways they can."""
        room = self.room
        for _attempt in range(500):
            job = room.store.read(print_store.next_due_q, GROUP, room.wall_ms)
            if job is None:
                break
            attempt = room.done(room.store.do("begin", print_store.begin_txn, job.id, "p1"))
            receipt = room.store.read(by_id_q, job.receipt_id)
            outcome = Outcome.PRINTED
            if job.id % 6 == 0 and job.attempts == 0:
                outcome = Outcome.NOT_PRINTED
            elif job.id % 7 == 0:
                outcome = Outcome.UNCERTAIN
            if outcome is not Outcome.NOT_PRINTED:
                self._paper(receipt, job.copy)
            ended = room.store.do("end", print_store.end_txn, attempt, PrintResult(outcome))
            room.done(ended)
            room.wall_ms += 3_000
            if job.id == 7:
                self._ask_for_reprint(job.id)

    def _ask_for_reprint(self, job_id: int) -> None:
        word = ("reprint", "纸卡住了", "王芳")
        answers = self.room.all_of(
            [self.room.store.do("resolve", print_store.resolve_txn, job_id, *word)]
        )
        assert len(answers) == 1

    def _paper(self, receipt: Any, copy: int) -> None:
        amount = f"{receipt.amount_fen // 100}.{receipt.amount_fen % 100:02d}"
        text = f"{receipt.check_code} {amount}"
        name = f"sheet-{len(self.sheets) + 1:06d}"
        self.sheets.append(Sheet(name, receipt.ref, True, copy - 1, text, ()))

    def deliver(self) -> None:
        """Carry what is due to the province in order; it looks at every signature."""
        room = self.room
        for row in room.store.read(_uploads_q):
            receipt = room.store.read(by_id_q, row[1])
            signed = room.store.read(signature_q, row[1])
            original = room.store.read(original_q, row[1])
            room.done(room.store.do("sent", _applied_txn, row[0]))
            if signed is None or not room.certificate.public_key.verify(original, signed.der):
                self.bad_signatures += 1
                continue
            self.effects.append(
                Effect(
                    code=receipt.code, number=receipt.number, event_key=receipt.key,
                    amount_fen=receipt.amount_fen, kind=receipt.kind, unit_signature_ok=True,
                    applied_at=room.wall_ms,
                )
            )  # fmt: skip

    def world(self) -> World:
        """Return the store and the witnesses."""
        world = look(self.room.site, None, None, None, outages=self.outages)
        world.his = self.told
        world.paper = self.sheets
        there = {int(effect.number) for effect in self.effects}
        gaps = [n for n in range(FIRST, max(there, default=FIRST)) if n not in there]
        world.province = Province(
            granted=((CODE, FIRST, LAST),),
            receipts=tuple(self.effects),
            rejected=(),
            conflicts=0,
            duplicate_records=0,
            bad_signatures=self.bad_signatures,
            gaps=tuple(f"{CODE}-{number:010d}" for number in gaps),
            money_fen=sum(effect.amount_fen for effect in self.effects),
        )
        return world


def _broken_disk_txn(_tx: Any) -> None:
    raise sqlite3.OperationalError("disk I/O error")


def _uploads_q(conn: Any) -> list[Any]:
    return list(conn.exec_driver_sql("SELECT id, receipt_id FROM upload ORDER BY id").all())


def _applied_txn(tx: Any, upload_id: int) -> None:
    tx.cursor.execute(
        "UPDATE upload SET state = 'applied', rec_seq = ?, result = 'OK' WHERE id = ?",
        (upload_id, upload_id),
    )
