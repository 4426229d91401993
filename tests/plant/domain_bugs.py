"""Bugs planted in the rules and books of numbers, quota, life cycle and witness, by name.

Each is a mistake somebody could really make. The machines of tests/property must find them
without knowing them; what is written beside a bug is only which of them is asked to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from types import MappingProxyType
from typing import Any

from fep.domain import calendar, clock, life, life_delivery, life_marks, life_sheet, link_budget
from fep.domain import printing as printing_rules
from fep.domain import witness as witness_rules
from fep.domain.kind import Kind
from fep.domain.life import Life, LifeStep
from fep.domain.life_delivery import Delivery, DeliveryStep
from fep.domain.life_marks import Booking, Mark
from fep.domain.life_sheet import SheetState, SheetStep
from fep.domain.link_budget import OfflineBudget
from fep.domain.numbers import Block
from fep.domain.printing import JobState, Step
from fep.services.budget import RunningBudget
from fep.services.uplink_pulse import Pulse
from fep.store import fencing, issuing, numbers, sheets, stock
from fep.store import printing as print_store
from tests.plant.bugs import Soil
from tests.property.life_books import Books
from tests.property.life_memory import Memory
from tests.property.numbers_pencil import Pencil
from tests.property.quota_ledger import Ledger
from tests.property.stepping import Stepping
from tests.property.witness_memory import Witnessed

Plant = Callable[[Soil], None]
DOMAIN_BUGS: dict[str, tuple[Plant, tuple[type[Stepping], ...]]] = {}


def bug(*machines: type[Stepping]) -> Callable[[Plant], Plant]:
    """Enter a planted bug with the machines each of which must find it."""

    def enter(plant: Plant) -> Plant:
        DOMAIN_BUGS[plant.__name__] = (plant, machines)
        return plant

    return enter


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have a bug in for a while."""
    undo: list[tuple[Any, str, Any]] = []

    def soil(owner: Any, attribute: str, value: Any) -> None:
        undo.append((owner, attribute, owner.__dict__[attribute]))
        setattr(owner, attribute, value)

    DOMAIN_BUGS[name][0](soil)
    try:
        yield
    finally:
        for owner, attribute, value in reversed(undo):
            setattr(owner, attribute, value)


def _with_row(table: Mapping[Any, Any], key: Any, after: Any) -> Mapping[Any, Any]:
    return MappingProxyType({**table, key: after})


# numbers
@bug(Pencil)
def last_number_of_a_block_is_lost(soil: Soil) -> None:
    """Off by one at a block's end."""
    soil(Block, "left", property(lambda block: block.last - block.next))


@bug(Pencil)
def expired_block_is_still_used(soil: Soil) -> None:
    """Nobody looks at the last day."""
    soil(Block, "expired", lambda block, at_ms: False)


@bug(Pencil)
def block_expires_a_moment_early(soil: Soil) -> None:
    """At its last moment a block is taken for expired."""
    soil(Block, "expired", lambda block, at_ms: 0 < block.not_after <= at_ms)


@bug(Books)
def number_is_reused_after_a_burn(soil: Soil) -> None:
    """A number that was given up goes back to its block."""
    refuse_txn = issuing.refuse_txn

    def careless(tx: Any, receipt: Any, reason: str) -> None:
        refuse_txn(tx, receipt, reason)
        key = (receipt.unit, receipt.code)
        tx.heads.blocks[key] = tuple(
            dataclasses.replace(block, next=block.next - 1)
            if block.next == int(receipt.number) + 1
            else block
            for block in tx.heads.blocks.get(key, ())
        )

    soil(issuing, "refuse_txn", careless)


@bug(Books)
def burned_blocks_stay_in_memory(soil: Soil) -> None:
    """Lifting a fence burns blocks on the disk alone."""
    lift_txn = fencing.lift_txn

    def forgetful(tx: Any, *args: Any) -> Any:
        held = tx.heads.blocks
        lifted = lift_txn(tx, *args)
        tx.heads.blocks = held
        return lifted

    soil(fencing, "lift_txn", forgetful)


@bug(Books)
def returned_block_stays_in_memory(soil: Soil) -> None:
    """A block that went back is used until the next start."""
    return_txn = stock.return_txn

    def forgetful(tx: Any, *args: Any) -> Any:
        held = dict(tx.heads.blocks)
        ended = return_txn(tx, *args)
        tx.heads.blocks = held
        return ended

    soil(stock, "return_txn", forgetful)


@bug(Books)
def reserve_is_not_sealed(soil: Soil) -> None:
    """A reserve gives numbers at once."""
    grant_txn = numbers.grant_txn
    soil(numbers, "grant_txn",
         lambda tx, grant: grant_txn(tx, dataclasses.replace(grant, sealed=False)))  # fmt: skip


@bug(Books)
def old_years_code_is_kept(soil: Soil) -> None:
    """The code is worked out once, at the first receipt."""
    code = Kind.code
    kept: dict[str, str] = {}
    soil(Kind, "code",
         lambda kind, area, year: kept.setdefault(kind.id, code(kind, area, year)))  # fmt: skip


@bug(Books)
def year_turns_in_greenwich(soil: Soil) -> None:
    """Business days are those of UTC."""
    soil(calendar, "CST", UTC)


# quota
@bug(Ledger)
def quota_begins_anew_with_a_restart(soil: Soil) -> None:
    """What was used before is forgotten."""
    soil(Pulse, "resume", lambda pulse, start: None)
    soil(Pulse, "absent", lambda pulse, gap_ms: None)


@bug(Ledger)
def hours_are_not_counted_over_a_restart(soil: Soil) -> None:
    """Time that the daemon was down is no time."""
    resume = Pulse.resume

    def stopped(pulse: Pulse, start: Any) -> None:
        resume(pulse, start)
        pulse._silent_ms = pulse._kept_ms

    soil(Pulse, "resume", stopped)
    soil(Pulse, "absent", lambda pulse, gap_ms: None)


@bug(Ledger)
def clock_set_back_gives_time(soil: Soil) -> None:
    """The wall clock alone says how long we were down."""
    soil(clock, "downtime_ms", lambda last, now, bounds: max(0, now.wall_ms - last.wall_ms))


@bug(Ledger)
def old_file_counts_as_life(soil: Soil) -> None:
    """A file that is sent again makes the platform seem near."""
    heard = Pulse.heard

    def believing(pulse: Pulse, header: Any) -> bool:
        seen = pulse.transport_in
        newer = dataclasses.replace(header, created_ms=max(header.created_ms, seen.rec_seq + 1))
        return heard(pulse, newer)

    soil(Pulse, "heard", believing)


@bug(Ledger)
def red_amount_makes_room(soil: Soil) -> None:
    """A red receipt takes its money off what is used."""
    reserve = RunningBudget.reserve

    def generous(budget: RunningBudget, amount_fen: int) -> Any:
        refused = reserve(budget, amount_fen)
        if refused is None:
            budget._amount_fen += min(amount_fen, 0)
        return refused

    soil(RunningBudget, "reserve", generous)


def _lenient(soil: Soil, **changes: Callable[[Any], Any]) -> None:
    """Judge by limits that are not those that were set."""
    verdict = OfflineBudget.verdict

    def judged(budget: OfflineBudget, use: Any, amount_fen: int) -> Any:
        values = {name: change(getattr(budget, name)) for name, change in changes.items()}
        return verdict(dataclasses.replace(budget, **values), use, amount_fen)

    soil(OfflineBudget, "verdict", judged)


@bug(Ledger)
def one_receipt_more_than_the_quota(soil: Soil) -> None:
    """Off by one at the limit."""
    _lenient(soil, count=lambda count: None if count is None else count + 1)


@bug(Ledger)
def single_amount_is_not_looked_at(soil: Soil) -> None:
    """The limit of one receipt is configured, signed, shown, and ignored."""
    _lenient(soil, single_fen=lambda fen: None)


@bug(Ledger)
def signed_limits_replace_ours(soil: Soil) -> None:
    """The platform's limits hold even where ours are tighter."""
    soil(OfflineBudget, "bound_by", lambda ours, theirs: theirs)


@bug(Ledger)
def warning_at_eighty_is_forgotten(soil: Soil) -> None:
    """One of the marks is missing."""
    soil(link_budget, "WARN_PERCENT", (50, 95))


@bug(Ledger)
def refused_receipts_share_is_kept(soil: Soil) -> None:
    """What was reserved for nothing is never given back."""
    soil(RunningBudget, "release", lambda budget, amount_fen: None)


# life cycle
@bug(Memory, Books)
def receipt_is_reversed_twice(soil: Soil) -> None:
    """While the red receipt waits for its signature another one may be made."""
    row = (Life.REVERSING, LifeStep.REVERSE)
    soil(life, "LIFE_TABLE", _with_row(life.LIFE_TABLE, row, Life.REVERSING))


@bug(Memory)
def burned_red_leaves_its_blue_reversed(soil: Soil) -> None:
    """A reversal that never came about counts."""
    row = (Life.REVERSING, LifeStep.RED_BURNED)
    soil(life, "LIFE_TABLE", _with_row(life.LIFE_TABLE, row, Life.REVERSED))


@bug(Memory)
def booked_receipt_is_reversed_unasked(soil: Soil) -> None:
    """Nobody looks at the payer's books."""
    soil(life, "_booking", lambda facts: life.NoteBooking(facts.booking, False))


@bug(Memory)
def used_sheet_is_used_again(soil: Soil) -> None:
    """Two receipts on one paper."""
    row = (SheetState.USED, SheetStep.EXCHANGE)
    soil(life_sheet, "SHEET_TABLE", _with_row(life_sheet.SHEET_TABLE, row, SheetState.USED))


@bug(Memory)
def void_sheet_is_used(soil: Soil) -> None:
    """A spoilt paper comes back."""
    row = (SheetState.VOID, SheetStep.EXCHANGE)
    soil(life_sheet, "SHEET_TABLE", _with_row(life_sheet.SHEET_TABLE, row, SheetState.USED))


@bug(Books)
def pad_does_not_move_on(soil: Soil) -> None:
    """The next sheet is the one that has just been used."""
    soil(sheets, "_move_on", lambda tx, block: None)


@bug(Memory)
def reprint_is_not_marked(soil: Soil) -> None:
    """A copy looks like the first paper."""
    soil(printing_rules, "NewCopy", lambda copy: _NEW_COPY(copy - 1))


@bug(Books)
def requested_copy_is_not_marked(soil: Soil) -> None:
    """What a person asks for again looks like the first paper."""
    add_job_txn = print_store.add_job_txn
    soil(print_store, "add_job_txn",
         lambda tx, receipt_id, group, copy=1: add_job_txn(tx, receipt_id, group))  # fmt: skip


@bug(Memory)
def uncertain_paper_is_printed_again(soil: Soil) -> None:
    """After a restart what was moving is simply sent once more."""
    row = (JobState.STREAMING, Step.RESTART)
    soil(printing_rules, "JOB_TABLE", _with_row(printing_rules.JOB_TABLE, row, JobState.DUE))


@bug(Memory)
def conflict_is_sent_again(soil: Soil) -> None:
    """A person may repeat what the platform holds otherwise."""
    row = (Delivery.CONFLICT, DeliveryStep.RETRY)
    table = _with_row(life_delivery.DELIVERY_TABLE, row, Delivery.RESENT)
    soil(life_delivery, "DELIVERY_TABLE", table)


@bug(Memory)
def booking_is_not_taken_back(soil: Soil) -> None:
    """Once booked, always booked."""
    row = (Booking.YES, Mark.UNBOOKED)
    soil(life_marks, "BOOKING_TABLE", _with_row(life_marks.BOOKING_TABLE, row, Booking.YES))


# witness
@bug(Witnessed)
def older_store_is_believed(soil: Soil) -> None:
    """Only a store with another past is fenced."""
    compare = witness_rules.compare

    def trusting(store: Any, told: Any) -> Any:
        found = compare(store, told)
        older = found is witness_rules.Finding.OLDER
        return witness_rules.Finding.SOUND if older else found

    soil(witness_rules, "compare", trusting)


@bug(Witnessed)
def blocks_the_store_forgot_are_not_burned(soil: Soil) -> None:
    """Lifting a fence burns what the old store has, not what the witness saw."""
    soil(witness_rules, "unknown", lambda span, ranges: [])


@bug(Witnessed)
def torn_line_is_believed(soil: Soil) -> None:
    """The last line counts though a crash cut it."""
    decode = witness_rules.decode
    last: list[Any] = [None]

    def hopeful(raw: bytes) -> Any:
        line = decode(raw)
        if line is None and last[0] is not None:
            return dataclasses.replace(last[0], seq=last[0].seq + 1)
        last[0] = line
        return line

    soil(witness_rules, "decode", hopeful)


_NEW_COPY = printing_rules.NewCopy
