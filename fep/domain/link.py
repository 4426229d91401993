"""The link to one platform: its state, and why. No I/O, no clock: times are handed in.

online    heard from lately, nothing is late
degraded  heard from lately, but something needs an eye (late answers, files set aside)
offline   not heard from for `silent_after_s`; issuing goes on within the offline budget
stalled   the channel stopped for a reason that waiting does not cure; a person must look
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

CLOSED: Final = "closed"  # by the gate's hours: nothing is wrong
ONE_WAY: Final = "one-way"  # what is sent stays unconfirmed until an answer is imported


class LinkState(StrEnum):
    """Durable states of a link."""

    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"
    STALLED = "stalled"


STANDSTILL: Final = frozenset({"paused", CLOSED, "carrier"})  # degraded, and nothing leaves


@dataclass(frozen=True, slots=True)
class Standing:
    """State with its reason and since when (ms since the epoch)."""

    state: LinkState
    reason: str
    since_at: int


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What the state follows from. Ages in seconds, None when there is nothing to age."""

    stopped: str = ""  # chain, head, peer-chain, peer-lost: why the channel stopped
    paused: bool = False
    silent_s: float | None = None  # since the platform was last heard; None: never
    carrier_fault: str = ""  # the directories cannot be used
    refused: str = ""  # the platform refuses our files: key-unknown, version …
    oldest_sent_s: float | None = None  # since the oldest unanswered batch was first sent
    damaged: int = 0  # inbound files set aside lately
    one_way: bool = False  # nothing can come back but by an operator's hand


def standing(facts: LinkFacts, before: Standing, now_ms: int, *, silent_after_s: float,
             late_after_s: float) -> Standing:  # fmt: skip
    """Return the standing now; `since_at` moves only when state or reason change."""
    state, reason = _judge(facts, silent_after_s, late_after_s)
    if (state, reason) == (before.state, before.reason):
        return before
    return replace(before, state=state, reason=reason, since_at=now_ms)


def _judge(facts: LinkFacts, silent_after_s: float, late_after_s: float) -> tuple[LinkState, str]:
    """Return state and reason: the first row that holds, worst first."""
    silent = CLOSED if facts.carrier_fault == CLOSED else "silent"
    late = facts.oldest_sent_s is not None and facts.oldest_sent_s > late_after_s
    rows = (
        (bool(facts.stopped), LinkState.STALLED, facts.stopped),
        (facts.one_way, LinkState.OFFLINE, ONE_WAY),
        (facts.silent_s is None, LinkState.OFFLINE, "never-heard"),
        ((facts.silent_s or 0.0) > silent_after_s, LinkState.OFFLINE, silent),
        (facts.paused, LinkState.DEGRADED, "paused"),
        (facts.carrier_fault == CLOSED, LinkState.DEGRADED, CLOSED),
        (bool(facts.carrier_fault), LinkState.DEGRADED, "carrier"),
        (bool(facts.refused), LinkState.DEGRADED, f"refused-{facts.refused}"),
        (late, LinkState.DEGRADED, "late"),
        (facts.damaged > 0, LinkState.DEGRADED, "damaged"),
    )
    for holds, state, reason in rows:
        if holds:
            return state, reason
    return LinkState.ONLINE, ""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """What `fepctl link status` shows of one destination."""

    dest: str
    state: LinkState
    reason: str
    since_at: int  # ms
    backlog: int  # receipts without a final answer: due and sent
    due: int  # of these, not in any batch yet
    oldest_age_s: float  # age of the oldest of them, 0 when there is none
    batches_in_flight: int
    bytes_in_flight: int
    last_heard_at: int  # ms, 0 when never
    applied_per_s: float  # over the last minute at most, 0 without an answer in it
    platform_offset_ms: int  # platform clock minus ours as last seen, transit included
    offline_s: float  # since the platform was last heard; counts against the budget
    rejected: int
    conflicts: int
    quarantined: int  # files set aside since start
    paused: bool
    supervision_bad: int = 0  # signatures of finance that did not verify, not looked at yet
    supervision_bad_last: str = ""  # CODE-NUMBER of the last of them

    @property
    def moving(self) -> bool:
        """Say whether the backlog gets smaller now: the rate of late holds on."""
        on = self.state in (LinkState.ONLINE, LinkState.DEGRADED)
        return on and not self.paused and self.reason not in STANDSTILL
