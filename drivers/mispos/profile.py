"""What differs between vendors of MISPOS terminals: codes of commands and of refusals.

Those of `landfone` are its public kit's (facts/devices 3.3) where it names them; the codes for a
cancelled payment, a full batch and a missing record are not public and are to be corrected here.
"""

from __future__ import annotations

from dataclasses import dataclass


class BadProfile(Exception):
    """There is no such profile."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Codes. `unsure`: after an acknowledgement they say nothing about the money."""

    busy: frozenset[str] = frozenset({"Z3"})
    signed_out: frozenset[str] = frozenset({"Z7", "Z8"})
    batch_full: frozenset[str] = frozenset({"ZB"})
    parameter: frozenset[str] = frozenset({"PR"})
    cancelled: frozenset[str] = frozenset({"ZC"})
    absent: frozenset[str] = frozenset({"25"})
    unsure: frozenset[str] = frozenset({"06", "68", "90", "96", "98"})
    refund_card: str = "03"
    # Field 50 of a record: approved, declined by the host, cancelled by the payer, reversed.
    approved: frozenset[str] = frozenset({"", "0", "00"})
    declined: frozenset[str] = frozenset({"1", "3"})
    dropped: frozenset[str] = frozenset({"2"})


_PROFILES = {"landfone": Profile()}


def load(name: str) -> Profile:
    """Return a profile by name. Raises BadProfile."""
    if name not in _PROFILES:
        raise BadProfile(f"no profile {name!r}; known: {', '.join(names())}")
    return _PROFILES[name]


def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(_PROFILES))
