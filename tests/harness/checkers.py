"""All invariants this system can reach so far, in one call.

I12, I15 and I16 have states no test can reach yet or checks of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.harness.check_chain import check_chain
from tests.harness.check_days import check_business_days, check_parts
from tests.harness.check_delivery import check_delivered
from tests.harness.check_events import check_kept, check_once
from tests.harness.check_forms import check_forms
from tests.harness.check_life import (
    check_money,
    check_reverse_journalled,
    check_reversed,
    check_sheets,
)
from tests.harness.check_numbers import check_accounted, check_granted, check_unique
from tests.harness.check_paper import check_paper
from tests.harness.check_payments import check_captured, check_payments, check_ways
from tests.harness.check_signatures import check_signed
from tests.harness.check_time import check_order, check_stopped
from tests.harness.world import Violation, World, look

CHECKERS: tuple[Callable[[World], Iterator[Violation]], ...] = (
    check_unique,
    check_granted,
    check_accounted,
    check_kept,
    check_once,
    check_delivered,
    check_chain,
    check_signed,
    check_paper,
    check_forms,
    check_order,
    check_stopped,
    check_reversed,
    check_sheets,
    check_money,
    check_reverse_journalled,
    check_parts,
    check_business_days,
    check_payments,
    check_captured,
    check_ways,
)


def check_world(world: World) -> list[Violation]:
    """Return every violation in a world that was looked at before."""
    return [violation for checker in CHECKERS for violation in checker(world)]


def check_all(
    site: Path,
    his_ledger: Path | None,
    province_report: dict[str, Any] | None,
    paper: Path | None,
    *,
    quiescent: bool = True,
    outages: tuple[tuple[int, int], ...] = (),
    money: Sequence[Path] = (),
) -> list[Violation]:
    """Return every violation of I1 to I11, I13 and I14 at a site."""
    world = look(site, his_ledger, province_report, paper, quiescent=quiescent, outages=outages,
                 money=money)  # fmt: skip
    return check_world(world)
