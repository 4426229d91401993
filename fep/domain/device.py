"""The life of a device: what it is fit for now, and who may change that. No I/O, no clock.

configured  known, not asked yet            opening  being reached and identified
ready       usable                          claimed  somebody holds it until a deadline
degraded    there, but takes no job now     lost     not there; it is asked less and less
failed      needs a person: `devices reset` disabled switched off by a person

Rules: only a person leaves `failed` and `disabled`; a sensor that flaps (cover, cutter, heat)
is believed at its second equal reading, the end of paper and what a job ran into at once; a
lease outlives a fault, so that a device which comes back is its holder's again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from fep.domain.printing import retry_after_s

LOST_AFTER: Final = 3
CRASHES_MAX: Final = 3
# A printer that waits for a person is asked often, so that it goes on when it is cared for.
PERSON_AT_DEVICE_S: Final = 2.0
SECOND_LOOK_S: Final = 0.3
LEASE_MAX_MS: Final = 12 * 3600 * 1000

WARNINGS: Final = frozenset({"PRN_PAPER_NEAR_END", "PRN_TONER_LOW"})
FATAL: Final = frozenset({"DEV_CONFIG", "DEV_IDENTITY", "PRN_FATAL"})
_AT_ONCE = frozenset({"PRN_PAPER_END"})
_THERE = frozenset({"DEV_BUSY"})  # somebody else has it, so it is not gone
_GONE = frozenset({"DEV_LOST", "DEV_REFUSED"})  # nobody need ask three times


class DeviceState(StrEnum):
    """Where a device is in its life (facts/devices 7.2)."""

    CONFIGURED = "configured"
    OPENING = "opening"
    READY = "ready"
    CLAIMED = "claimed"
    DEGRADED = "degraded"
    LOST = "lost"
    FAILED = "failed"
    DISABLED = "disabled"


class Turn(StrEnum):
    """What happens to a device, and who says so."""

    # from its loop
    OPEN = "open"
    FIT = "fit"
    UNFIT = "unfit"
    MISSING = "missing"
    BROKEN = "broken"
    # from a person, or a kiosk that takes it for itself
    CLAIM = "claim"
    RELEASE = "release"
    RESET = "reset"
    DISABLE = "disable"
    ENABLE = "enable"


S, T = DeviceState, Turn
DEVICE_TABLE: Mapping[tuple[DeviceState, Turn], DeviceState] = MappingProxyType(
    {
        (S.CONFIGURED, T.OPEN): S.OPENING,
        (S.CONFIGURED, T.RESET): S.OPENING,
        (S.CONFIGURED, T.DISABLE): S.DISABLED,
        (S.OPENING, T.FIT): S.READY,
        (S.OPENING, T.UNFIT): S.DEGRADED,
        (S.OPENING, T.MISSING): S.LOST,
        (S.OPENING, T.BROKEN): S.FAILED,
        (S.OPENING, T.RESET): S.OPENING,
        (S.OPENING, T.DISABLE): S.DISABLED,
        (S.READY, T.FIT): S.READY,
        (S.READY, T.UNFIT): S.DEGRADED,
        (S.READY, T.MISSING): S.LOST,
        (S.READY, T.BROKEN): S.FAILED,
        (S.READY, T.CLAIM): S.CLAIMED,
        (S.READY, T.RESET): S.OPENING,
        (S.READY, T.DISABLE): S.DISABLED,
        (S.CLAIMED, T.FIT): S.CLAIMED,
        (S.CLAIMED, T.UNFIT): S.DEGRADED,
        (S.CLAIMED, T.MISSING): S.LOST,
        (S.CLAIMED, T.BROKEN): S.FAILED,
        (S.CLAIMED, T.RELEASE): S.READY,
        (S.CLAIMED, T.RESET): S.OPENING,
        (S.CLAIMED, T.DISABLE): S.DISABLED,
        (S.DEGRADED, T.FIT): S.READY,
        (S.DEGRADED, T.UNFIT): S.DEGRADED,
        (S.DEGRADED, T.MISSING): S.LOST,
        (S.DEGRADED, T.BROKEN): S.FAILED,
        (S.DEGRADED, T.RESET): S.OPENING,
        (S.DEGRADED, T.DISABLE): S.DISABLED,
        (S.LOST, T.OPEN): S.OPENING,
        (S.LOST, T.RESET): S.OPENING,
        (S.LOST, T.DISABLE): S.DISABLED,
        (S.FAILED, T.RESET): S.OPENING,
        (S.FAILED, T.DISABLE): S.DISABLED,
        (S.DISABLED, T.ENABLE): S.CONFIGURED,
    }
)
DEVICE_REFUSALS: Mapping[tuple[DeviceState, Turn], str] = MappingProxyType(
    {
        (S.FAILED, T.CLAIM): "DEV_FAILED",
        (S.DISABLED, T.CLAIM): "DEV_DISABLED",
        (S.DISABLED, T.RESET): "DEV_DISABLED",
        (S.DISABLED, T.DISABLE): "DEV_DISABLED",
        (S.READY, T.RELEASE): "DEV_NOT_CLAIMED",
        (S.READY, T.ENABLE): "DEV_NOT_DISABLED",
    }
)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a device and until when (ms since the epoch; 0: until it is released)."""

    owner: str
    until: int

    def over(self, now_ms: int) -> bool:
        """Say whether the deadline has passed; one too far off means that the clock was set."""
        return bool(self.until) and not 0 < self.until - now_ms <= LEASE_MAX_MS


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of a device. `doubt` are faults that were read only once so far; `gone`
    holds from the loss of a device to its next answer, while it is opened again and again.
    """

    state: DeviceState = DeviceState.CONFIGURED
    faults: tuple[str, ...] = ()
    lease: Lease | None = None
    misses: int = 0
    crashes: int = 0
    doubt: tuple[str, ...] = ()
    gone: bool = False

    @property
    def resting(self) -> bool:
        """Say whether only a person wakes it."""
        return self.state in (DeviceState.FAILED, DeviceState.DISABLED)

    @property
    def fit(self) -> bool:
        """Say whether nothing that is known keeps it from a job."""
        return self.state in (DeviceState.READY, DeviceState.CLAIMED) and not self.doubt


class IllegalTurn(Exception):
    """The table has no row for this state and turn."""

    def __init__(self, state: DeviceState, turn: Turn) -> None:
        super().__init__(f"{state} does not take {turn}")
        self.state = state
        self.turn = turn


def blocking(faults: tuple[str, ...]) -> tuple[str, ...]:
    """Return the faults that keep a device from a job."""
    return tuple(fault for fault in faults if fault not in WARNINGS)


def turned(life: Life, turn: Turn) -> Life:
    """Return the life after a turn.

    Raises:
        IllegalTurn: The table has no such row.
    """
    after = DEVICE_TABLE.get((life.state, turn))
    if after is None:
        raise IllegalTurn(life.state, turn)
    return replace(life, state=after, doubt=())


def opening(life: Life) -> Life:
    """Return the life of a device that is about to be asked."""
    if life.state in (DeviceState.CONFIGURED, DeviceState.LOST):
        return turned(life, Turn.OPEN)
    return life


def read(life: Life, faults: tuple[str, ...], *, proved: bool = False) -> Life:
    """Return the life after a reading; `proved`: a job ran into it, or went well."""
    if life.resting:
        return life
    life = opening(life)
    stopping = blocking(faults)
    if not stopping:
        crashes = 0 if proved else life.crashes
        fit = replace(turned(life, Turn.FIT), faults=faults, misses=0, crashes=crashes, gone=False)
        return leased(fit, fit.lease)
    crashes = life.crashes + ("DEV_DRIVER_CRASH" in stopping)
    if stopping != life.doubt and "PRN_FATAL" in stopping and not proved:
        return replace(life, doubt=stopping)  # one flipped bit must not call for a person
    if FATAL.intersection(stopping) or crashes > CRASHES_MAX:
        return replace(turned(life, Turn.BROKEN), faults=faults, crashes=crashes)
    if not any(fault.startswith("DEV_") for fault in stopping):
        return _sensor(replace(life, misses=0, gone=False), faults, stopping, proved)
    misses = life.misses + 1
    silent = life.gone or misses >= LOST_AFTER or not _GONE.isdisjoint(stopping)
    gone = silent and not _THERE.issuperset(stopping)
    after = turned(life, Turn.MISSING if gone else Turn.UNFIT)
    return replace(after, faults=faults, misses=misses, crashes=crashes, gone=gone)


@dataclass(frozen=True, slots=True)
class Refusals:
    """Since when a device refuses the connection, in seconds of a monotonic clock; None: it does
    not. At first it is in other hands; later it may as well be off, or its port be wrong.
    """

    since_s: float | None = None

    def after(self, faults: tuple[str, ...], now_s: float) -> Refusals:
        """Return what is known after a reading."""
        if _THERE.isdisjoint(faults):
            return Refusals()
        return Refusals(now_s) if self.since_s is None else self

    def named(self, faults: tuple[str, ...], now_s: float, most_s: float) -> tuple[str, ...]:
        """Return the reading, with DEV_REFUSED for what has lasted `most_s`."""
        if self.since_s is None or now_s - self.since_s < most_s:
            return faults
        return tuple("DEV_REFUSED" if fault in _THERE else fault for fault in faults)


def _sensor(life: Life, faults: tuple[str, ...], stopping: tuple[str, ...], proved: bool) -> Life:
    """Believe what a printer says of itself, most of it only when it says so twice."""
    sure = proved or life.doubt == stopping or bool(_AT_ONCE.intersection(stopping))
    if life.state in (DeviceState.READY, DeviceState.CLAIMED) and not sure:
        return replace(life, doubt=stopping)
    return replace(turned(life, Turn.UNFIT), faults=faults)


def leased(life: Life, lease: Lease | None) -> Life:
    """Return the life with another lease, or with none; a device at rest only notes it."""
    life = replace(life, lease=lease)
    if lease is not None and life.state is DeviceState.READY:
        return turned(life, Turn.CLAIM)
    if lease is None and life.state is DeviceState.CLAIMED:
        return turned(life, Turn.RELEASE)
    return life


def pause_s(life: Life) -> float:
    """Return how long to leave a device alone before it is asked again, in seconds."""
    if life.doubt:
        return SECOND_LOOK_S
    if all(fault.startswith("PRN_") for fault in life.faults):
        return PERSON_AT_DEVICE_S
    return retry_after_s(life.misses)
