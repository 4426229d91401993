"""What the operator of the simulator can set. Plain numbers, changeable while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

# A new 80 mm roll holds 80 m; 8 dot rows are a millimetre.
ROLL_ROWS = 80_000 * 8


@dataclass(frozen=True, slots=True)
class ByteFault:
    """Something happens to the n-th byte (from 1, counted from when it is set)."""

    direction: str  # rx: from the host, tx: to the host
    kind: str  # drop, duplicate, corrupt
    at: int


@dataclass(slots=True)
class Knobs:
    """Speeds, delays and faults. Zero switches a knob off."""

    paper_rows: int = ROLL_ROWS
    near_end_rows: int = 4_000
    # Printing speed in text lines of 30 dot rows a second; 0 prints in no time.
    lines_s: float = 0.0
    cut_s: float = 0.2
    boot_s: float = 0.2
    # Between the close of a connection and the readiness for the next one.
    reopen_s: float = 0.0
    idle_close_s: float = 0.0
    # refuse: nobody listens while a connection stands; reset: accept and abort at once;
    # hang: accept and never answer.
    second_client: str = "refuse"
    latency_s: float = 0.0
    # The share of `latency_s` that may come on top, drawn from the dice.
    jitter: float = 0.0
    pace_bytes_s: int = 0
    split_bytes: int = 0
    noise: float = 0.0
    hang_up_at: int = 0
    faults: list[ByteFault] = field(default_factory=list)
