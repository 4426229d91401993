"""What differs between banks and versions of the library: types, codes, words of its slips.

The types are those of public programs (facts/devices 3.2). Codes of a cancelled payment and the
words of a settlement slip are not public and are to be corrected here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

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

    def with_codes(self, texts: Mapping[str, str]) -> Profile:
        """Return it with codes of a site: `{"unsure": "98 68", "pay_scan": "72", "sales": "…"}`.

        Raises ValueError for a name that is none, and for a pattern without its two groups.
        """
        sets = {"approved", "cancelled", "signed_out", "batch_full", "unsure"}
        plain = {"sign_in", "settle", "settled", "reprint", "sales", "refunds"}
        types = {f"{op}_{way}": (op, way) for op in Op for way in Way}
        unknown = sorted(texts.keys() - sets - plain - types.keys())
        if unknown:
            raise ValueError(f"no code {unknown[0]}; there are {', '.join(sorted(sets | plain))},"
                             f" {', '.join(sorted(types))}")  # fmt: skip
        for name in texts.keys() & {"sales", "refunds"}:
            try:
                groups = re.compile(texts[name]).groups
            except re.error as error:
                raise ValueError(f"code_{name}: {error}") from error
            if groups != 2:
                raise ValueError(f"code_{name}: count and yuan, two groups")
        codes: dict[str, Any] = {
            name: frozenset(texts[name].split()) for name in texts if name in sets
        }
        codes |= {name: texts[name] for name in texts if name in plain}
        changed = {types[name]: texts[name] for name in texts if name in types}
        return replace(self, types={**self.types, **changed}, **codes)


_PROFILES = {"umspay": Profile()}


def load(name: str) -> Profile:
    """Return a profile by name. Raises BadProfile."""
    if name not in _PROFILES:
        raise BadProfile(f"no profile {name!r}; known: {', '.join(names())}")
    return _PROFILES[name]


def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(_PROFILES))
