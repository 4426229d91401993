"""Test units (样票) while the daemon runs: admitted at start, kept from the platform's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fep.domain.faults import refuse
from fep.domain.kind import Unit
from fep.store import specimen
from fep.store.writer import Store


def test_units(units: Mapping[str, Unit]) -> frozenset[str]:
    """Return the codes of the test units."""
    return frozenset(code for code, unit in units.items() if unit.test)


def admit(store: Store, units: Mapping[str, Unit], log: Any) -> None:
    """Look at what the units issued so far. Raises Refused UNIT_TEST for a change of mind."""
    for code, unit in units.items():
        delivered = store.read(specimen.delivered_q, code)
        if delivered is not None and delivered is unit.test:
            raise refuse("UNIT_TEST", unit=code, was="false" if unit.test else "true")
    tests = test_units(units)
    foreign = store.read(specimen.foreign_blocks_q, tests) if tests else frozenset()
    if foreign:
        log.warning("numbers.laid_aside", blocks=len(foreign), units=sorted(tests))
        specimen.lay_aside(store.heads, foreign)
