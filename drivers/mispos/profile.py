"""What differs between vendors of MISPOS terminals: codes of commands and of refusals.

Those of `landfone` are its public kit's (facts/devices 3.3) where it names them; the codes for a
cancelled payment, a full batch and a missing record are not public and are to be corrected here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from fep.domain.payment import Op, Way


class BadProfile(Exception):
    """There is no such profile."""


_COMMANDS: Mapping[tuple[Op, Way], str] = MappingProxyType(
    {
        (Op.PAY, Way.CARD): "01", (Op.PAY, Way.SCAN): "S2", (Op.PAY, Way.SHOW): "10",
        (Op.VOID, Way.CARD): "02", (Op.VOID, Way.SCAN): "S3", (Op.VOID, Way.SHOW): "12",
        (Op.REFUND, Way.CARD): "03", (Op.REFUND, Way.SCAN): "S4", (Op.REFUND, Way.SHOW): "S4",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """Codes. `damaged`: the frame was not understood, so nothing was taken, whatever it was;
    `unsure`: codes of a host that say nothing about the money."""

    damaged: frozenset[str] = frozenset({"", "LR"})
    busy: frozenset[str] = frozenset({"Z3"})
    signed_out: frozenset[str] = frozenset({"Z7", "Z8"})
    batch_full: frozenset[str] = frozenset({"ZB"})
    parameter: frozenset[str] = frozenset({"PR"})
    cancelled: frozenset[str] = frozenset({"ZC"})
    absent: frozenset[str] = frozenset({"25"})
    unsure: frozenset[str] = frozenset({"00", "06", "68", "90", "96", "98"})
    # Field 50 of a record: approved, declined by the host, cancelled by the payer, reversed.
    approved: frozenset[str] = frozenset({"", "0", "00"})
    declined: frozenset[str] = frozenset({"1", "3"})
    dropped: frozenset[str] = frozenset({"2"})
    commands: Mapping[tuple[Op, Way], str] = field(default_factory=lambda: _COMMANDS)

    def with_codes(self, texts: Mapping[str, str]) -> Profile:
        """Return it with codes of a site: `{"busy": "Z3 Z4"}`, `{"refund_card": "05"}`.

        Raises ValueError for a name that is none.
        """
        sets = {name for name in self.__slots__ if name != "commands"}
        commands = {f"{op}_{way}": (op, way) for op, way in self.commands}
        unknown = sorted(texts.keys() - sets - commands.keys())
        if unknown:
            raise ValueError(f"no code {unknown[0]}; there are {', '.join(sorted(sets))},"
                             f" {', '.join(sorted(commands))}")  # fmt: skip
        changed = {commands[name]: text for name, text in texts.items() if name in commands}
        codes: dict[str, Any] = {
            name: frozenset(texts[name].split()) for name in texts.keys() & sets
        }
        return replace(self, commands={**self.commands, **changed}, **codes)


_PROFILES = {"landfone": Profile()}


def load(name: str) -> Profile:
    """Return a profile by name. Raises BadProfile."""
    if name not in _PROFILES:
        raise BadProfile(f"no profile {name!r}; known: {', '.join(names())}")
    return _PROFILES[name]


def names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(_PROFILES))
