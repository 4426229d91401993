"""What can be turned at the simulated terminal and its host. Seconds, unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass, fields

ANSWERS = ("approve", "decline", "cancel", "host_timeout")
# Where the power goes: once, at the next payment that comes there.
CRASHES = ("", "before_ack", "after_ack", "after_host", "after_approval", "mid_reply")


@dataclass(slots=True)
class Knobs:
    """Times of the legs, the host's answer, and faults; counts are used up as they strike."""

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

    def turn(self, name: str, text: str) -> None:
        """Set a knob from text. Raises ValueError for a name or value that is none."""
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        if name not in kinds:
            raise ValueError(f"no knob {name}; there are {', '.join(kinds)}")
        value: object = text in ("1", "true", "on") if kinds[name] is bool else kinds[name](text)
        words = {"answer": ANSWERS, "crash": CRASHES}.get(name)
        if words is not None and value not in words:
            raise ValueError(f"{name}: {', '.join(words)}")
        setattr(self, name, value)

    def strikes(self, name: str) -> bool:
        """Say whether a counted fault strikes now, and use it up."""
        left: int = getattr(self, name)
        if left:
            setattr(self, name, left - 1)
        return left > 0
