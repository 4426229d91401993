"""A bankall terminal with its books in memory, and a fep-bridge of this process before it.

The bridge is the real one, its journal on disk; what is played is the child that loads the
vendor's library. Every movement of money bears the id under which the bridge was asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from fep import bridge
from fep.sim.ums.machine import Knobs, Machine

PORT = "pos"


class Books(Machine):
    """The terminal; a line of the ledger tells the id (`serial`) that moved the money."""

    def __init__(self, now: Callable[[], datetime], knobs: Knobs | None = None) -> None:
        super().__init__(Path("/nonexistent"), now, knobs or Knobs())
        self._id = ""

    def asked(self, id_: str, request: bytes) -> bytes | None:
        """Answer a record that came under an id."""
        self._id = id_
        return self.answer(request)

    def _write(self, line: dict[str, Any]) -> None:
        self.lines.append({**line, "serial": self._id})

    def debits(self, serial: str) -> int:
        """Return how often a serial was charged."""
        return sum(line["op"] == "pay" for line in self._of(serial))

    def net(self, serial: str) -> int:
        """Return what a serial moved, in fen; a debit is positive."""
        return sum(line["fen"] * (1 if line["op"] == "pay" else -1) for line in self._of(serial))

    def _of(self, serial: str) -> list[dict[str, Any]]:
        moved = (line for line in self.lines if line["op"] != "settle")
        return [line for line in moved if line["serial"] == serial]


def settings(place: Path, port: int, key: str, pace: float) -> bridge.Settings:
    """Return settings of a bridge that lends one terminal."""
    library = place / "posinf.so"
    library.touch()
    lent = bridge.Lent(PORT, {"kind": "bankall", "library": str(library)})
    return bridge.Settings(
        "pc", "127.0.0.1", port, bytes.fromhex(key), place / "journal", None, "127.0.0.1", 0,
        pace, {PORT: lent},
    )  # fmt: skip
