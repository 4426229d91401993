"""The acquirer: the money itself. One line of the ledger is one movement, durable before the
terminal hears of it. It never refuses a second debit: what is sent twice is charged twice.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

DEBITS = ("pay",)


class Host:
    """The ledger of one terminal's money; `path` None keeps it in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.lines: list[dict[str, Any]] = []
        if path is not None and path.exists():
            whole = path.read_bytes().split(b"\n")[:-1]
            self.lines = [json.loads(line) for line in whole]

    def book(self, op: str, serial: str, fen: int, of: str = "") -> str:
        """Move money; returns the reference number. `of`: the serial it gives back."""
        ref = f"{len(self.lines) + 1:012d}"
        line = {"op": op, "serial": serial, "fen": fen, "of": of, "ref": ref}
        if self._path is not None:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            try:
                os.write(fd, json.dumps(line).encode() + b"\n")
                os.fsync(fd)
            finally:
                os.close(fd)
        self.lines.append(line)
        return ref

    def net(self, serial: str) -> int:
        """Return what a serial moved in the end, in fen; a debit is positive."""
        sign = {"pay": 1, "reverse_void": 1, "reverse_refund": 1}
        return sum(
            sign.get(line["op"], -1) * int(line["fen"])
            for line in self.lines
            if line["serial"] == serial
        )

    def debits(self, serial: str) -> int:
        """Return how often a serial was charged and not taken back."""
        ops = [line["op"] for line in self.lines if line["serial"] == serial]
        return ops.count("pay") - ops.count("reverse_pay")
