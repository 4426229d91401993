"""What can be turned at the simulated terminal and its host. Seconds, unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from fep.sim.knobs import Turned

ANSWERS = ("approve", "decline", "cancel", "host_timeout")
# Where the power goes: once, at the next payment that comes there.
CRASHES = ("", "before_ack", "after_ack", "after_host", "after_approval", "mid_reply")


@dataclass(slots=True)
class Knobs(Turned):
    """Times of the legs, the host's answer, and faults; counts are used up as they strike."""

    WORDS: ClassVar[Mapping[str, tuple[str, ...]]] = {"answer": ANSWERS, "crash": CRASHES}

    card_s: float = 0.0
    pin_s: float = 0.0
    host_s: float = 0.0
    late_s: float = 0.0
    boot_s: float = 1.0
    answer: str = "approve"
    crash: str = ""
    batch_max: int = 500
    busy: bool = False
    mute: bool = False
    naks: int = 0
    lost_acks: int = 0
    lost_replies: int = 0
    bad_replies: int = 0
    doubled_replies: int = 0
    wrong_ids: int = 0
    wrong_amounts: int = 0
    wrong_records: int = 0
    sour_replies: int = 0  # approved, but told as a fault of its own
