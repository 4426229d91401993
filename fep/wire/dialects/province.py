"""What the dialects of the provinces share: who we are there, the stamp of a call, the shape.

A dialect is pure: request bytes from a parcel or a question, a `Reply` from answer bytes.
Rules: a code the table does not know is `refused` with the platform's own words; bytes that
are no answer are DOUBT, never a refusal. Field names that no source confirms are told so in
the manual (dialects.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from fep.domain.calendar import local
from fep.domain.platform import Operation, Parcel, Reply, Verdict, Why

DETAIL_MAX = 500


@dataclass(frozen=True, slots=True)
class Place:
    """How one of our units is known there."""

    agency_code: str
    region_code: str = ""
    place_code: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed with a province: names, key, and the words for its codes.

    `words` maps the platform's codes to ours (`Why`) and wins over the dialect's own table.
    """

    app_id: str
    app_key: str
    places: Mapping[str, Place]
    words: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    sign_algorithm: str = "1.2.156.10197.1.501"
    sign_format: str = "DETACH"
    upper_mac: bool = False

    def place(self, unit: str) -> Place:
        """Return how a unit is known there; one that is not configured by its own code."""
        return self.places.get(unit, Place(unit))


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a call is made, and its number, which no other call ever has."""

    at_ms: int
    id: str

    @property
    def long(self) -> str:
        """Return yyyyMMddHHmmssSSS of +08:00."""
        return f"{second(self.at_ms // 1000)}{self.at_ms % 1000:03d}"

    @property
    def day(self) -> str:
        """Return yyyyMMdd of +08:00."""
        return f"{local(self.at_ms):%Y%m%d}"


@lru_cache(maxsize=8)  # a thousand calls are made in one
def second(at_s: int) -> str:
    """Return yyyyMMddHHmmss of +08:00."""
    return f"{local(at_s * 1000):%Y%m%d%H%M%S}"


class Unspoken(Exception):
    """The dialect has no words for this operation, or a field it needs is missing."""


class Dialect(Protocol):
    """One way of talking to a platform."""

    name: str
    capabilities: frozenset[Operation]

    def deliver(self, parcel: Parcel, stamp: Stamp) -> bytes:
        """Return the request that delivers a parcel. Raises Unspoken."""

    def find(self, parcel: Parcel, stamp: Stamp) -> bytes:
        """Return the question by code and number."""

    def ask(self, op: Operation, fields: Mapping[str, str], stamp: Stamp) -> bytes:
        """Return any other question. Raises Unspoken."""

    def read(self, op: Operation, answer: bytes) -> Reply:
        """Return what an answer means; never raises for its content."""


def refused(code: str, said: str, words: Mapping[str, str], own: Mapping[str, str]) -> Reply:
    """Return the refusal for a platform's code; `busy` may come again at once."""
    why = words.get(code) or own.get(code, Why.OTHER)
    detail = f"{code} {said}".strip()[:DETAIL_MAX]
    if why == Why.BUSY:
        return Reply(Verdict.RETRY, why, detail)
    return Reply(Verdict.REJECT, why, detail)


def unread(why: str) -> Reply:
    """Return the answer for bytes that are none: the effect is not known."""
    return Reply(Verdict.DOUBT, Why.FORM, why[:DETAIL_MAX])


def wanted(fields: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Return the named fields of a question. Raises Unspoken for one that is missing."""
    missing = [name for name in names if name not in fields]
    if missing:
        raise Unspoken(f"missing: {', '.join(missing)}")
    return {name: fields[name] for name in names}
