"""Planted bugs by name: what the general checkers must find without knowing them.

Each one is a mistake somebody could really make in the product. They are patched in from
here only: in process by `planted`, in a real daemon through hook/sitecustomize.py and the
environment variable FEP_PLANT. The product knows nothing of them.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from twisted.internet.defer import execute

from fep.domain import printing as printing_rules
from fep.domain.printing import Outcome
from fep.store import issuing, tx
from fep.store import printing as print_store
from fep.store.writer import Store

Soil = Callable[[Any, str, Any], None]
BUGS: dict[str, tuple[Callable[[Soil], None], set[str]]] = {}


def bug(*invariants: str) -> Callable[[Callable[[Soil], None]], Callable[[Soil], None]]:
    """Enter a planted bug with the invariants of which at least one must be reported."""

    def enter(plant: Callable[[Soil], None]) -> Callable[[Soil], None]:
        BUGS[plant.__name__] = (plant, set(invariants))
        return plant

    return enter


def sow(name: str) -> Callable[[], None]:
    """Put a bug in; returns what takes it out again. Raises KeyError."""
    undo: list[tuple[Any, str, Any]] = []

    def soil(owner: Any, attribute: str, value: Any) -> None:
        undo.append((owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, value)

    BUGS[name][0](soil)

    def pull() -> None:
        for owner, attribute, value in reversed(undo):
            setattr(owner, attribute, value)

    return pull


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have a bug in for a while."""
    pull = sow(name)
    try:
        yield
    finally:
        pull()


def _nth(period: int) -> Callable[[], bool]:
    """Return a function that is true at every `period`-th call."""
    calls = [0]

    def due() -> bool:
        calls[0] += 1
        return calls[0] % period == 0

    return due


@bug("I3")
def number_skipped(soil: Soil) -> None:
    """Now and then the allocator loses a number."""
    take, due = issuing.take, _nth(7)

    def skipping(blocks: Any, at_ms: int = 0) -> Any:
        taken = take(blocks, at_ms)
        return take(taken[2]) if taken and taken[2] and due() else taken

    soil(issuing, "take", skipping)


@bug("I2", "I3")
def number_not_granted(soil: Soil) -> None:
    """Now and then the allocator makes a number up."""
    take, due = issuing.take, _nth(7)

    def inventing(blocks: Any, at_ms: int = 0) -> Any:
        taken = take(blocks, at_ms)
        return (taken[0] + 70_000, *taken[1:]) if taken and due() else taken

    soil(issuing, "take", inventing)


@bug("I1", "I4", "I5")
def answer_of_the_neighbour(soil: Soil) -> None:
    """Two callers of one group get each other's answer, one of them twice."""
    freeze = issuing.freeze_txn

    def crossing(tx_: Any, drafts: Any) -> Any:
        answers = freeze(tx_, drafts)
        return [answers[0], answers[0], *answers[2:]] if len(answers) > 2 else answers

    soil(issuing, "freeze_txn", crossing)


@bug("I3", "I8")
def counters_survive_a_rollback(soil: Soil) -> None:
    """Heads are shared with the transaction instead of copied (trap 1)."""
    soil(tx.Heads, "copy", lambda heads: heads)


@bug("I5")
def key_not_looked_up(soil: Soil) -> None:
    """A key that has its receipt gets another one."""
    soil(issuing, "_repeated", lambda draft, entry: None)


@bug("I4")
def digest_not_compared(soil: Soil) -> None:
    """The same key with other content is answered with the first one's receipt."""
    repeated = issuing._repeated

    def careless(draft: Any, entry: Any) -> Any:
        same = msgspec.structs.replace(draft, digest=entry.digest) if entry else draft
        return repeated(same, entry)

    soil(issuing, "_repeated", careless)


@bug("I4")
def answer_before_commit(soil: Soil) -> None:
    """Now and then callers are told of a seal although its commit did not happen."""
    attempt, due = Store._attempt, _nth(3)

    def losing(store: Any, works: Any) -> None:
        commits = store._commits

        def sometimes(commit: Any) -> Any:
            lost = works[0].name == "seal" and due()
            return execute(commit.__self__.rollback) if lost else commits(commit)

        store._commits = sometimes
        try:
            attempt(store, works)
        finally:
            store._commits = commits

    soil(Store, "_attempt", losing)


@bug("I13")
def clock_set_back_is_believed(soil: Soil) -> None:
    """The issue time is the wall clock, whatever came before."""

    class Forgetful(dict[str, int]):
        def get(self, _key: str, default: Any = None) -> Any:  # dict.get has overloads
            return default

    copy = tx.Heads.copy

    def forgetting(heads: Any) -> Any:
        return dataclasses.replace(copy(heads), issued_ms=Forgetful())

    soil(tx.Heads, "copy", forgetting)


@bug("I8")
def journal_link_broken(soil: Soil) -> None:
    """Now and then a record does not move the chain's head."""
    journal_line, due = tx.Tx.journal_line, _nth(9)

    def careless(tx_: Any, text: bytes) -> int:
        head = tx_.heads.journal_hash
        seq = journal_line(tx_, text)
        if due():
            tx_.heads.journal_hash = head
        return seq

    soil(tx.Tx, "journal_line", careless)


@bug("I8")
def journal_not_written(soil: Soil) -> None:
    """Seals leave no record."""
    journal = tx.Tx.journal

    def silent(tx_: Any, op: str, ref: str, body: Any) -> int:
        return 0 if op == "receipt.sealed" else journal(tx_, op, ref, body)

    soil(tx.Tx, "journal", silent)


def _queue_upload(tx_: Any, receipt_id: int) -> None:
    tx_.cursor.execute(
        "INSERT INTO upload (id, receipt_id, dest, op, state, updated_at)"
        " VALUES (?, ?, 'province', 'ISSUE', 'due', ?)",
        (tx_.next_id("upload"), receipt_id, tx_.now_ms),
    )


@bug("I6")
def sealed_twice(soil: Soil) -> None:
    """Every effect of a seal is queued a second time."""
    seal = issuing.seal_txn

    def doubling(tx_: Any, seals: Any) -> Any:
        answers = seal(tx_, seals)
        for one in seals:
            _queue_upload(tx_, one.receipt.id)
        return answers

    soil(issuing, "seal_txn", doubling)


@bug("I6")
def upload_forgotten(soil: Soil) -> None:
    """Now and then a sealed receipt has no upload row."""
    seal, due = issuing.seal_txn, _nth(3)

    def forgetting(tx_: Any, seals: Any) -> Any:
        answers = seal(tx_, seals)
        if due():
            tx_.cursor.execute("DELETE FROM upload WHERE receipt_id = ?", (seals[0].receipt.id,))
        return answers

    soil(issuing, "seal_txn", forgetting)


@bug("I9")
def signature_of_other_bytes(soil: Soil) -> None:
    """A signature is stored that was made over something else."""
    seal = issuing.seal_txn

    def spoiling(tx_: Any, seals: Any) -> Any:
        return seal(tx_, [_with_der(one, seals[0].der) for one in seals])

    soil(issuing, "seal_txn", spoiling)


def _with_der(seal: Any, der: bytes) -> Any:
    return msgspec.structs.replace(seal, der=der)


@bug("I9", "I4")
def document_rebuilt_at_seal(soil: Soil) -> None:
    """The signed bytes are serialised again after signing."""
    seal = issuing.seal_txn

    def rebuilding(tx_: Any, seals: Any) -> Any:
        answers = seal(tx_, seals)
        for one in seals:
            row = tx_.cursor.execute(
                "SELECT body FROM original WHERE receipt_id = ?", (one.receipt.id,)
            ).fetchone()
            body = zlib.compress(zlib.decompress(row[0]) + b"\n")
            tx_.cursor.execute(
                "UPDATE original SET body = ? WHERE receipt_id = ?", (body, one.receipt.id)
            )
        return answers

    soil(issuing, "seal_txn", rebuilding)


@bug("I9", "I6")
def effects_before_the_signature(soil: Soil) -> None:
    """Upload rows are written when the number is given."""
    freeze = issuing.freeze_txn

    def eager(tx_: Any, drafts: Any) -> Any:
        answers = freeze(tx_, drafts)
        for answer in answers:
            if isinstance(answer, issuing.Frozen) and answer.original is not None:
                _queue_upload(tx_, answer.receipt.id)
        return answers

    soil(issuing, "freeze_txn", eager)


@bug("I3", "I8")
def number_given_up_in_silence(soil: Soil) -> None:
    """A refused event's number goes without burn row and record."""

    def silent(tx_: Any, receipt: Any, reason: str) -> None:
        tx_.cursor.execute("UPDATE receipt SET state = 'burned' WHERE id = ?", (receipt.id,))
        tx_.cursor.execute(
            "UPDATE event SET state = 'refused', reason = ? WHERE id = ?",
            (reason, receipt.event_id),
        )

    soil(issuing, "refuse_txn", silent)


@bug("I10")
def uncertain_paper_is_tried_again(soil: Soil) -> None:
    """An attempt of unknown outcome counts as not printed."""
    step = {**print_store._STEP, Outcome.UNCERTAIN: printing_rules.Step.NOT_PRINTED}
    soil(print_store, "_STEP", step)


@bug("I10")
def printed_without_proof(soil: Soil) -> None:
    """An attempt that failed counts as printed."""
    step = {**print_store._STEP, Outcome.NOT_PRINTED: printing_rules.Step.PRINTED}
    soil(print_store, "_STEP", step)


@bug("I10")
def queued_for_paper_twice(soil: Soil) -> None:
    """Every print job stands twice in the queue."""
    seal = issuing.seal_txn

    def doubling(tx_: Any, seals: Any) -> Any:
        answers = seal(tx_, seals)
        for one in seals:
            if one.device_group:
                print_store.add_job_txn(tx_, one.receipt.id, one.device_group)
        return answers

    soil(issuing, "seal_txn", doubling)


@bug("I14")
def io_error_is_shrugged_off(soil: Soil) -> None:
    """After a failed write the store goes on."""
    die = Store._die

    def shrug(store: Any, works: Any, error: Any) -> None:
        store._on_fatal, tell = (lambda why: None), store._on_fatal
        die(store, works, error)
        store._on_fatal, store.dead = tell, ""
        tell(str(error))

    soil(Store, "_die", shrug)
