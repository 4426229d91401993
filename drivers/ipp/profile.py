"""Times and paper of page printers. There is one profile; printers say the rest themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


class BadProfile(Exception):
    """There is no such profile."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Seconds, and the paper asked for (PWG 5101.1 names)."""

    media: str = "iso_a5_148x210mm"
    answer_s: float = 15.0
    job_s: float = 120.0  # a laser printer may have to warm up
    poll_s: float = 1.0


_PROFILES = {"a5": Profile(), "a4": Profile(media="iso_a4_210x297mm")}


def load(name: str) -> Profile:
    """Return the profile `a5` or `a4`. Raises BadProfile."""
    if name not in _PROFILES:
        raise BadProfile(f"no profile {name!r}; known: {', '.join(names())}")
    return _PROFILES[name]


def amended(profile: Profile, values: Mapping[str, Any]) -> Profile:
    """Return the profile with other values for one printer. Raises BadProfile."""
    known = {field.name: field.type for field in fields(Profile)}
    for key, value in values.items():
        if key not in known:
            raise BadProfile(f"options: unknown key {key}; known: {', '.join(known)}")
        if type(value).__name__ != known[key] and not (
            known[key] == "float" and type(value) is int
        ):
            raise BadProfile(f"options: {key} must be {known[key]}")
    return replace(profile, **values)


def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(_PROFILES))
