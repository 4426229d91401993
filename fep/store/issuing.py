"""The hot path of the store: freeze, seal and refuse, each once per group.

These few statements are SQL text (compiled once, run per group by executemany): through
Core they cost a quarter of the rate (facts/issuing-path 3). SQLite's question marks are
theirs; everything else in fep/store is Core.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from fep.crypto import sm3
from fep.domain.calendar import day_of
from fep.domain.faults import Refused, refuse
from fep.domain.numbers import BlockState, number_text, take
from fep.domain.receipt import Receipt, ReceiptState
from fep.store.packed import pack
from fep.store.tx import Fence, Tx

INSERT_EVENT = (
    "INSERT INTO event (id, unit, caller, key, digest, state, received_at, reason, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
REOPEN_EVENT = (
    "UPDATE event SET state = ?, caller = ?, digest = ?, reason = ?, body = ? WHERE id = ?"
)
INSERT_RECEIPT = (
    "INSERT INTO receipt (id, event_id, unit, kind, point, code, number, state, amount_fen,"
    " check_code, payer, issued_at, issued_on) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
INSERT_ORIGINAL = "INSERT INTO original (receipt_id, body) VALUES (?, ?)"
UPDATE_BLOCK = "UPDATE number_block SET next = ?, state = ? WHERE id = ?"
SEAL_RECEIPT = "UPDATE receipt SET state = 'sealed' WHERE id = ? AND state = 'frozen'"
INSERT_SIGNATURE = "INSERT INTO signature (receipt_id, cert_id, signed_at, der) VALUES (?, ?, ?, ?)"
INSERT_UPLOAD = (
    "INSERT INTO upload (id, receipt_id, dest, op, state, rec_seq, batch_seq, result, detail,"
    " updated_at) VALUES (?, ?, ?, ?, 'due', 0, 0, '', '', ?)"
)
INSERT_PRINT = (
    "INSERT INTO print_job (id, receipt_id, device_group, device, kind_of_sheet, copy, state,"
    " reason, attempts, created_at, updated_at, next_at)"
    " VALUES (?, ?, ?, '', 'slip', 1, 'due', '', 0, ?, ?, 0)"
)
_KNOWN = (
    "SELECT e.id, e.key, e.digest, e.state, r.id, r.kind, r.point, r.code, r.number, r.state,"
    " r.amount_fen, r.check_code, r.payer, r.issued_at, r.issued_on,"
    " (SELECT min(p.id) FROM print_job p WHERE p.receipt_id = r.id)"
    " FROM event e LEFT JOIN receipt r ON r.event_id = e.id AND r.state <> 'burned'"
    " WHERE e.unit = ? AND e.key IN ({marks})"
)


class Rider(Protocol):
    """What rides with a draft through the freeze transaction: a red receipt's reversal."""

    def refusal(self, tx: Tx) -> Refused | None:
        """Return why the draft may not be frozen now; asked before a number is taken."""

    def frozen(self, tx: Tx, receipt: Receipt) -> None:
        """Write what belongs to the receipt; its own rows follow in this transaction."""


CheckCode = str | Callable[[str, str, int], str]
"""A drawn 校验码, or how to derive it from code, number and issue time in ms."""


class Draft(msgspec.Struct, frozen=True):
    """An event ready to be frozen: all that can fail because of its content is done."""

    unit: str
    key: str
    caller: str
    kind: str
    point: str
    payer: str
    amount_fen: int
    digest: bytes
    body: bytes  # zlib of the request's params
    check_code: CheckCode
    code_at: Callable[[int], str]  # issue time in ms -> 票据代码 of that year
    compose: Callable[[str, str, str, int], bytes]  # code, number, check code, ms -> bytes
    print_wish: bool | None = None
    rider: Rider | None = None
    test: bool = False  # of a test unit: takes no share of the offline budget


class Frozen(msgspec.Struct, frozen=True):
    """What freeze answers: the receipt, and its literal bytes when they are new."""

    receipt: Receipt
    original: bytes | None  # None: the receipt was there before
    queued: bool = False  # a durable row waited for it


class Seal(msgspec.Struct, frozen=True):
    """A signature to be stored with the effects it releases."""

    receipt: Receipt
    cert_id: int
    der: bytes
    dest: str  # empty: a test unit, nothing is delivered
    device_group: str  # empty: nothing to print


@dataclass(frozen=True, slots=True)
class Known:
    """An event that is in the store already."""

    event_id: int
    digest: bytes
    state: str
    receipt: Receipt | None


def known_txn(tx: Tx, unit: str, keys: list[str]) -> dict[str, Known]:
    """Return what is stored for these keys: one select for a whole group."""
    # Powers of two keep the number of different statements, and so the cache, small.
    width = 1 << (len(keys) - 1).bit_length()
    padded = keys + [keys[-1]] * (width - len(keys))
    tx.cursor.execute(_KNOWN.format(marks=",".join("?" * width)), (unit, *padded))
    found: dict[str, Known] = {}
    for row in tx.cursor.fetchall():
        receipt = None
        if row[4] is not None:
            receipt = Receipt(
                id=row[4], event_id=row[0], unit=unit, kind=row[5], point=row[6], code=row[7],
                number=row[8], state=ReceiptState(row[9]), amount_fen=row[10],
                check_code=row[11], payer=row[12], issued_at=row[13], issued_on=row[14],
                key=row[1], print_job=row[15],
            )  # fmt: skip
        found[row[1]] = Known(row[0], bytes(row[2]), row[3], receipt)
    return found


@dataclass(slots=True)
class _Rows:
    """Rows of one group, written together."""

    events: list[tuple[object, ...]]
    reopened: list[tuple[object, ...]]
    receipts: list[tuple[object, ...]]
    originals: list[tuple[object, ...]]
    blocks: dict[int, tuple[object, ...]]


def freeze_txn(tx: Tx, drafts: Sequence[Draft]) -> list[Frozen | Refused]:
    """Give each event its number and literal bytes, or the receipt it already has.

    Refusals (EVT_CONFLICT, NUM_NONE) are values. Raises Fence when a number is taken.
    """
    known: dict[tuple[str, str], Known] = {}
    for unit in {draft.unit for draft in drafts}:
        keys = [draft.key for draft in drafts if draft.unit == unit]
        for key, entry in known_txn(tx, unit, keys).items():
            known[unit, key] = entry
    rows = _Rows([], [], [], [], {})
    answers: list[Frozen | Refused] = []
    for draft in drafts:
        before = known.get((draft.unit, draft.key))
        answer = _repeated(draft, before) or _freeze(tx, rows, draft, before)
        if isinstance(answer, Frozen):
            known[draft.unit, draft.key] = Known(
                answer.receipt.event_id, draft.digest, "issued", answer.receipt
            )
        answers.append(answer)
    _write(tx, rows)
    return answers


def _repeated(draft: Draft, entry: Known | None) -> Frozen | Refused | None:
    """Return the answer for a key that is known, None when it may be issued now."""
    if entry is None or entry.state == "refused":
        return None
    if entry.digest != draft.digest:
        ref = entry.receipt.ref if entry.receipt else ""
        return refuse("EVT_CONFLICT", key=draft.key, receipt=ref)
    return Frozen(entry.receipt, None) if entry.receipt else None


def _freeze(tx: Tx, rows: _Rows, draft: Draft, entry: Known | None) -> Frozen | Refused:
    if draft.rider is not None:
        refused = draft.rider.refusal(tx)
        if refused is not None:
            return refused
    code = draft.code_at(tx.now_ms)
    block_key = (draft.unit, code)
    # What the document says decides about a block's last moment, as it does at the platform.
    issued_ms = max(tx.now_ms, tx.heads.issued_ms.get(code, 0))
    taken = take(tx.heads.blocks.get(block_key, ()), issued_ms)
    event_id = entry.event_id if entry else tx.next_id("event")
    state, reason = ("issued", "") if taken else ("refused", "NUM_NONE")
    if entry is not None and entry.state == "queued" and taken is None:
        return refuse("NUM_NONE", code=code)  # a queued event waits for the next grant
    if entry is None:
        rows.events.append((event_id, draft.unit, draft.caller, draft.key, draft.digest, state,
                            tx.now_ms, reason, draft.body))  # fmt: skip
    else:
        rows.reopened.append((state, draft.caller, draft.digest, reason, draft.body, event_id))
    if taken is None:
        tx.journal("event.refused", draft.key, {"event": event_id, "reason": reason})
        return refuse("NUM_NONE", code=code)
    number, block_id, after = taken
    tx.heads.blocks[block_key] = after
    open_still = any(block.id == block_id for block in after)
    rows.blocks[block_id] = (
        number + 1,
        (BlockState.ACTIVE if open_still else BlockState.EXHAUSTED).value,
        block_id,
    )
    tx.heads.issued_ms[code] = issued_ms
    text = number_text(number)
    check = draft.check_code
    if not isinstance(check, str):
        check = check(code, text, issued_ms)
    original = draft.compose(code, text, check, issued_ms)
    receipt = Receipt(
        id=tx.next_id("receipt"), event_id=event_id, unit=draft.unit, kind=draft.kind,
        point=draft.point, code=code, number=text, state=ReceiptState.FROZEN,
        amount_fen=draft.amount_fen, check_code=check, payer=draft.payer,
        issued_at=issued_ms, issued_on=day_of(issued_ms), key=draft.key,
    )  # fmt: skip
    rows.receipts.append((receipt.id, event_id, draft.unit, draft.kind, draft.point, code, text,
                          "frozen", draft.amount_fen, check, draft.payer, issued_ms,
                          receipt.issued_on))  # fmt: skip
    rows.originals.append((receipt.id, pack(original)))
    tx.journal("receipt.frozen", receipt.ref, {
        "amount_fen": draft.amount_fen, "digest": draft.digest.hex(), "event": event_id,
        "issued_at": issued_ms, "key": draft.key, "kind": draft.kind,
        "original": sm3.digest(original).hex(), "unit": draft.unit,
    })  # fmt: skip
    if draft.rider is not None:
        draft.rider.frozen(tx, receipt)
    return Frozen(receipt, original, entry is not None and entry.state == "queued")


def _write(tx: Tx, rows: _Rows) -> None:
    cursor = tx.cursor
    if rows.events:
        cursor.executemany(INSERT_EVENT, rows.events)
    if rows.reopened:
        cursor.executemany(REOPEN_EVENT, rows.reopened)
    if not rows.receipts:
        return
    try:
        cursor.executemany(INSERT_RECEIPT, rows.receipts)
    except sqlite3.IntegrityError as error:
        if "receipt.code, receipt.number" in str(error):
            raise Fence("a number of an open block is in use already") from error
        raise
    cursor.executemany(INSERT_ORIGINAL, rows.originals)
    cursor.executemany(UPDATE_BLOCK, list(rows.blocks.values()))


def seal_txn(tx: Tx, seals: Sequence[Seal]) -> list[int | None]:
    """Store signatures and release their effects; answers the print job ids.

    Upload and print rows get their order here: order of release, not of numbers.
    Raises Fence when a receipt is not frozen any more: its effects may have left.
    """
    now = tx.now_ms
    cursor = tx.cursor
    cursor.executemany(SEAL_RECEIPT, [(seal.receipt.id,) for seal in seals])
    if cursor.rowcount != len(seals):
        raise Fence("a receipt to be sealed was not frozen")
    cursor.executemany(
        INSERT_SIGNATURE, [(seal.receipt.id, seal.cert_id, now, seal.der) for seal in seals]
    )
    cursor.executemany(
        INSERT_UPLOAD,
        [
            (tx.next_id("upload"), seal.receipt.id, seal.dest, _op(seal.receipt), now)
            for seal in seals
            if seal.dest
        ],
    )
    prints: list[tuple[object, ...]] = []
    answers: list[int | None] = []
    for seal in seals:
        job = tx.next_id("print_job") if seal.device_group else None
        if job is not None:
            prints.append((job, seal.receipt.id, seal.device_group, now, now))
        answers.append(job)
        tx.journal("receipt.sealed", seal.receipt.ref, {
            "cert": seal.cert_id, "signature": sm3.digest(seal.der).hex(),
        })  # fmt: skip
    if prints:
        cursor.executemany(INSERT_PRINT, prints)
    return answers


def _op(receipt: Receipt) -> str:
    """Return what the delivery of a receipt is: only a red one has a negative amount."""
    return "RED" if receipt.amount_fen < 0 else "ISSUE"


def refuse_txn(tx: Tx, receipt: Receipt, reason: str) -> None:
    """Close an event whose caller was told no; its frozen number is burned with evidence.

    Raises Fence when the receipt was sealed meanwhile.
    """
    changed = tx.cursor.execute(
        "UPDATE receipt SET state = 'burned' WHERE id = ? AND state = 'frozen'", (receipt.id,)
    ).rowcount
    if changed != 1:
        raise Fence("a receipt to be burned was not frozen")
    tx.cursor.execute(
        "UPDATE event SET state = 'refused', reason = ? WHERE id = ?",
        (reason, receipt.event_id),
    )
    # The blue receipt of a red one that was never issued is live again.
    for table in ("reversal", "old_reversal"):
        tx.cursor.execute(f"UPDATE {table} SET state = 'burned' WHERE red_id = ?", (receipt.id,))
    seq = tx.journal("receipt.burned", receipt.ref, {
        "event": receipt.event_id, "key": receipt.key, "reason": reason,
    })  # fmt: skip
    tx.cursor.execute(
        "INSERT INTO burn (code, number, at, reason, evidence) VALUES (?, ?, ?, ?, ?)",
        (receipt.code, receipt.number, tx.now_ms, reason, f"journal {seq}"),
    )


def submit_txn(tx: Tx, draft: Draft) -> tuple[int, str]:
    """Queue an event durably; answers (event id, state). Raises Refused EVT_CONFLICT."""
    entry = known_txn(tx, draft.unit, [draft.key]).get(draft.key)
    if entry is not None and entry.state != "refused":
        if entry.digest != draft.digest:
            ref = entry.receipt.ref if entry.receipt else ""
            raise refuse("EVT_CONFLICT", key=draft.key, receipt=ref)
        return entry.event_id, entry.state
    event_id = entry.event_id if entry else tx.next_id("event")
    if entry is None:
        row = (event_id, draft.unit, draft.caller, draft.key, draft.digest, "queued", tx.now_ms,
               "", draft.body)  # fmt: skip
        tx.cursor.execute(INSERT_EVENT, row)
    else:
        tx.cursor.execute(
            REOPEN_EVENT, ("queued", draft.caller, draft.digest, "", draft.body, event_id)
        )
    tx.journal("event.queued", draft.key, {
        "digest": draft.digest.hex(), "event": event_id, "unit": draft.unit,
    })  # fmt: skip
    return event_id, "queued"
