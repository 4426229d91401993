"""Documents of every kind to the byte: add a case by adding an event and its document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fep.domain.event import BillingEvent
from fep.domain.kind_check import admit
from fep.wire import issue_params
from fep.wire.einvoice_read import read
from tests.unit.kinds.shipped import GOLDEN, document, kinds, original, schema_faults

CASES = sorted(path.stem for path in (GOLDEN / "einvoice").glob("*.json"))


def _event(name: str) -> BillingEvent:
    """Return the event of a case; `related` makes a red one of it, as the life cycle does."""
    params: dict[str, Any] = json.loads((GOLDEN / "einvoice" / f"{name}.json").read_text("utf-8"))
    related = params.pop("related", None)
    event = issue_params.careful(params) if related else issue_params.parse(params)
    if related:
        event = replace(event, related=tuple(related))
    return event


def test_every_shipped_kind_has_a_case():
    assert set(kinds()) == {_event(name).kind for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_the_document_is_the_golden_one(name: str):
    event = _event(name)
    kind = kinds()[event.kind]
    admit(kind, event)

    made = document(original(event, kind))

    golden = (GOLDEN / "einvoice" / f"{name}.xml").read_bytes()
    assert golden == made
    assert [] == schema_faults(golden)
    assert event.total_fen == read(golden).amount_fen
    assert event.related == read(golden).related
