"""What differs between banks and versions of the library: types, codes, words of its slips.

The types are those of public programs (facts/devices 3.2). Codes of a cancelled payment and the
words of a settlement slip are not public and are to be corrected here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fep.domain.payment import Op, Way


class BadProfile(Exception):
    """There is no such profile."""


_TYPES: Mapping[tuple[Op, Way], str] = MappingProxyType(
    {
        (Op.PAY, Way.CARD): "00", (Op.VOID, Way.CARD): "01", (Op.REFUND, Way.CARD): "02",
        (Op.PAY, Way.SCAN): "08",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """Types and codes. `unsure`: codes that say nothing about the money.

    `sales`, `refunds`: patterns with count and yuan on the slip of a settlement.
    `reprint_proves`: the slip of type 04 is that of the newest approved payment.
    """

    types: Mapping[tuple[Op, Way], str] = field(default_factory=lambda: _TYPES)
    sign_in: str = "05"
    settle: str = "06"
    settled: str = "07"
    reprint: str = "04"
    approved: frozenset[str] = frozenset({"00"})
    cancelled: frozenset[str] = frozenset({"XC", "-1"})
    signed_out: frozenset[str] = frozenset({"X5"})
    batch_full: frozenset[str] = frozenset({"X6"})
    unsure: frozenset[str] = frozenset({"06", "68", "90", "96", "98", "XX"})
    sales: str = r"消费\s+(\d+)\s+(\d+\.\d\d)"
    refunds: str = r"退货\s+(\d+)\s+(\d+\.\d\d)"
    reprint_proves: bool = True


_PROFILES = {"umspay": Profile()}


def load(name: str) -> Profile:
    """Return a profile by name. Raises BadProfile."""
    if name not in _PROFILES:
        raise BadProfile(f"no profile {name!r}; known: {', '.join(names())}")
    return _PROFILES[name]


def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(_PROFILES))
