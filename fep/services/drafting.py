"""From a checked event to a draft that only lacks its number: configuration meets content.

Everything that may fail because of the caller's content happens here, before the writer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from fep.crypto import sm3
from fep.domain.calendar import local
from fep.domain.event import BillingEvent
from fep.domain.faults import Refused, refuse
from fep.domain.kind import Kind, Point, Province, Unit
from fep.domain.kind_check import admit, offline_refusal
from fep.domain.life_red import Ask, red_event
from fep.domain.receipt import Receipt, ReceiptState, check_code
from fep.ports import Entropy
from fep.services.inflight import Inflight
from fep.store.issuing import CheckCode, Draft, Rider
from fep.store.packed import frame
from fep.store.receipts import EventRow
from fep.wire import einvoice, issue_params
from fep.wire.fields import MOMENT, is_moment

_encode = msgspec.json.Encoder().encode


class Draw:
    """Draws up documents from the configured units, kinds and provinces."""

    def __init__(
        self,
        entropy: Entropy,
        units: Mapping[str, Unit],
        kinds: Mapping[str, Kind],
        provinces: Mapping[str, Province],
        *,
        details_max: int,
    ) -> None:
        self._entropy = entropy
        self.units = units
        self._kinds = kinds
        self.provinces = provinces
        self._details_max = details_max
        self.offline: Callable[[], bool] = lambda: False
        self.former: Callable[[str, str], None] | None = None  # refuses what was issued elsewhere
        self._points = {(unit.code, point.code) for unit in units.values() for point in unit.points}

    # from doors
    def event(self, params: Any) -> BillingEvent:
        """Return the checked event of request params. Raises Refused.

        The business time is asked for here and not in the parser, which also reads what is
        stored: a receipt that was issued with another one must stay reversible.
        """
        event = issue_params.parse(params, details_max=self._details_max)
        at = event.occurred_at
        if at and not is_moment(at):
            raise refuse("REQ_FIELD_VALUE", field="occurred_at", value=at, allowed=MOMENT)
        return event

    def draft(self, event: BillingEvent, params: Any, caller: str) -> Draft:
        """Return the draft of an event. Raises Refused CFG_*, REQ_FIELD_MISSING, OLD_KEY."""
        if self.former is not None:
            self.former(event.unit, event.key)
        unit, kind, province = self._bound(event)
        body = _encode(params)
        return Draft(
            unit=event.unit,
            key=event.key,
            caller=caller,
            kind=event.kind,
            point=event.point,
            payer=event.payer.name,
            amount_fen=event.total_fen,
            digest=sm3.digest(event.content()),
            body=frame(body),
            check_code=self._check_code(event, kind, province),
            code_at=_code_at(kind, unit),
            compose=einvoice.prepare(
                event, kind, unit, province, markup=b"&" in body or b"<" in body or b">" in body
            ),
            print_wish=event.print,
            test=unit.test,
        )

    def red(self, blue: BillingEvent, ask: Ask, params: Any, caller: str, rider: Rider) -> Draft:
        """Return the draft of a red receipt; `blue` is the event it reverses as a whole.

        What configuration asks of a new event it does not ask of this one: the blue receipt
        exists. Raises Refused CFG_*.
        """
        unit, kind, province = self._named(blue.unit, blue.kind)
        event = red_event(blue, ask, kind, negative=province.red_sign == "negative")
        if ask.point and (event.unit, event.point) not in self._points:
            raise refuse("CFG_POINT", unit=event.unit, point=event.point)
        if province.red_code != "same":
            kind = replace(kind, code_template=province.red_code)
        return Draft(
            unit=event.unit,
            key=event.key,
            caller=caller,
            kind=event.kind,
            point=event.point,
            payer=event.payer.name,
            amount_fen=-blue.total_fen,
            digest=sm3.digest(ask.content()),
            body=frame(_encode(params)),
            check_code=self._check_code(event, kind, province),
            code_at=_code_at(kind, unit),
            compose=einvoice.prepare(event, kind, unit, province),
            print_wish=event.print,
            rider=rider,
            test=unit.test,
        )

    def _bound(self, event: BillingEvent) -> tuple[Unit, Kind, Province]:
        unit, kind, province = self._named(event.unit, event.kind)
        if event.kind not in unit.kinds:
            raise refuse("CFG_KIND", unit=event.unit, kind=event.kind)
        if (event.unit, event.point) not in self._points:
            raise refuse("CFG_POINT", unit=event.unit, point=event.point)
        admit(kind, event)
        return unit, kind, province

    def _check_code(self, event: BillingEvent, kind: Kind, province: Province) -> CheckCode:
        if province.check_code != "digest":
            return check_code(self._entropy.token(8))
        name = f"{province.name}{kind.name}"
        return partial(einvoice.derived_check_code, name, event.payer.name, event.total_fen)

    def _named(self, unit_code: str, kind_id: str) -> tuple[Unit, Kind, Province]:
        unit = self.units.get(unit_code)
        if unit is None:
            raise refuse("CFG_UNIT", unit=unit_code)
        kind = self._kinds.get(kind_id)
        if kind is None:
            raise refuse("CFG_KIND", unit=unit_code, kind=kind_id)
        return unit, kind, self.provinces[unit.province]

    # from issue
    def offline_refusal(self, kind_id: str) -> Refused | None:
        """Return why a kind may not be issued now: it is not one to be issued offline."""
        kind = self._kinds.get(kind_id)
        return offline_refusal(kind, self.offline()) if kind is not None else None

    def effects(self, entry: Inflight) -> tuple[str, str]:
        """Return (destination, device group) of an event; no group means no print."""
        unit = self.units[entry.unit]
        # A person may assign a point to another group while we run.
        named = (point for point in unit.points if point.code == entry.point)
        point = next(named, Point(entry.point))
        wanted = point.print_policy == "auto" or (
            point.print_policy == "on_request" and entry.print_wish is True
        )
        return unit.dest, point.device_group if wanted else ""

    def wish(self, row: EventRow) -> bool | None:
        """Return whether a stored event asked for paper."""
        wanted = msgspec.json.decode(row.params).get("print")
        return wanted if isinstance(wanted, bool) else None

    def sealed(self, receipt: Receipt, job: int | None) -> Receipt:
        """Return the receipt as it is after its seal."""
        return replace(receipt, state=ReceiptState.SEALED, print_job=job)


def _code_at(kind: Kind, unit: Unit) -> Callable[[int], str]:
    """Return the code of an issue time; a code changes every year (facts/standards 2.1)."""

    def code_at(at_ms: int) -> str:
        return kind.code(unit.area, local(at_ms).year)

    return code_at
