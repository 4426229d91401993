"""What the terminal itself remembers over a loss of power: records, batch, what it must reverse."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Entry:
    """One record. `state`: 0 approved, 1 declined, 2 cancelled, 3 reversed."""

    serial: str
    op: str
    fen: int
    trace: str
    ref: str
    batch: int
    at: str
    state: str = "0"
    of: str = ""
    text: str = ""


@dataclass(slots=True)
class Book:
    """The memory of a terminal; `path` None keeps it in memory only."""

    path: Path | None = None
    entries: list[Entry] = field(default_factory=list)
    batch: int = 1
    trace: int = 0
    # [op, serial, fen, of] of a host leg whose answer was never heard.
    pending: list[Any] = field(default_factory=list)
    last_totals: list[int] = field(default_factory=list)

    @classmethod
    def opened(cls, path: Path) -> Book:
        """Return the memory kept at a path."""
        if not path.exists():
            return cls(path)
        told = json.loads(path.read_bytes())
        entries = [Entry(**entry) for entry in told.pop("entries")]
        return cls(path, entries, **told)

    def keep(self) -> None:
        """Write the memory, whole or not at all."""
        if self.path is None:
            return
        told = {
            "entries": [asdict(entry) for entry in self.entries], "batch": self.batch,
            "trace": self.trace, "pending": self.pending, "last_totals": self.last_totals,
        }  # fmt: skip
        part = self.path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(json.dumps(told).encode())
            file.flush()
            os.fsync(file.fileno())
        part.rename(self.path)

    def close_batch(self) -> None:
        """Begin the next batch; the totals of this one are kept, those before it are not."""
        self.last_totals = self.totals()
        self.batch += 1
        self.keep()

    def of_serial(self, serial: str) -> Entry | None:
        """Return the newest record of a serial."""
        return next((e for e in reversed(self.entries) if e.serial == serial), None)

    def of_trace(self, trace: str) -> Entry | None:
        """Return a record of the open batch."""
        return next((e for e in self.entries if e.trace == trace and e.batch == self.batch), None)

    def of_ref(self, ref: str) -> Entry | None:
        """Return a record by its reference number."""
        return next((e for e in self.entries if e.ref == ref), None)

    def in_batch(self) -> list[Entry]:
        """Return what moved money in the open batch."""
        return [e for e in self.entries if e.batch == self.batch and e.state == "0"]

    def totals(self) -> list[int]:
        """Return batch, count, amount, refunds and their amount; a void takes its payment off."""
        moved = self.in_batch()
        fen = {op: sum(e.fen for e in moved if e.op == op) for op in ("pay", "void", "refund")}
        count = {op: sum(e.op == op for e in moved) for op in ("pay", "void", "refund")}
        return [self.batch, count["pay"] - count["void"], fen["pay"] - fen["void"],
                count["refund"], fen["refund"]]  # fmt: skip
