"""When a batch of the province is written again: until it is freed, ever more rarely.

One rule: nothing is written while the writing before still waits for the gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fep.sim import fpb
from fep.sim.dropbox import Outbox

RESEND_MAX_S = 60.0


@dataclass(slots=True)
class _Resend:
    due: float = 0.0
    wait: float = 0.0
    name: str = ""


class Resends:
    """The writings of one channel, by node and batch."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._resends: dict[tuple[str, int], _Resend] = {}

    def write(self, header: fpb.Header, attempt: int, content: bytes, now: float,
              resend_s: float, on_due: Callable[[], object]) -> None:  # fmt: skip
        """Write a batch if it is due; `on_due` is called just before."""
        key = (header.receiver, header.seq)
        resend = self._resends.setdefault(key, _Resend(wait=resend_s))
        if now < resend.due or (resend.name and self._outbox.holds(resend.name)):
            return
        resend.due, resend.wait = now + resend.wait, min(resend.wait * 2, RESEND_MAX_S)
        on_due()
        resend.name = fpb.name_of(header, attempt)
        self._outbox.put(resend.name, content)

    def hurry(self, node: str) -> None:
        """Let all batches of a node be due, but those that still wait for the gate."""
        for (owner, _), resend in self._resends.items():
            if owner == node:
                resend.due = 0.0

    def lost(self, node: str, first: int, last: int) -> None:
        """Take batches of a node for lost: they are due whatever waits."""
        for (owner, seq), resend in self._resends.items():
            if owner == node and first <= seq <= last:
                resend.due, resend.name = 0.0, ""
