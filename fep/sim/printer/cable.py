"""The cable between host and printer: delays, splits, lost, doubled and damaged bytes.

Rule: every choice comes from the dice, so that one seed gives one behaviour.
"""

from __future__ import annotations

from fep.sim.dice import Dice
from fep.sim.printer.knobs import ByteFault, Knobs

# Chunks that are to arrive apart are sent this far apart, or TCP would join them again.
_APART_S = 0.002


class Cable:
    """Passes bytes on, as the knobs say. It keeps no time and no socket."""

    def __init__(self, knobs: Knobs, dice: Dice) -> None:
        self._knobs = knobs
        self._dice = dice
        self._passed = {"rx": 0, "tx": 0}
        self._set_at: dict[ByteFault, int] = {}

    def received(self, data: bytes) -> bytes:
        """Return what arrives of what the host sent."""
        return self._damaged("rx", data)

    def until_hang_up(self, data: bytes) -> tuple[bytes, bool]:
        """Return what still arrives before the connection breaks, and whether it breaks."""
        left = self._knobs.hang_up_at
        if not left:
            return data, False
        if len(data) < left:
            self._knobs.hang_up_at = left - len(data)
            return data, False
        self._knobs.hang_up_at = 0
        return data[:left], True

    def sent(self, data: bytes) -> list[tuple[float, bytes]]:
        """Return the chunks that reach the host, each with its delay in seconds."""
        data = self._damaged("tx", data)
        chunks: list[tuple[float, bytes]] = []
        while data:
            most = self._knobs.split_bytes
            size = self._dice.between(1, most) if most else len(data)
            apart = len(chunks) * _APART_S
            chunks.append((self._delay() + apart, data[:size]))
            data = data[size:]
        return chunks

    def _delay(self) -> float:
        extra = self._dice.between(0, 1000) / 1000 * self._knobs.jitter
        return self._knobs.latency_s * (1 + extra)

    def _damaged(self, direction: str, data: bytes) -> bytes:
        faults = [fault for fault in self._knobs.faults if fault.direction == direction]
        noise = self._knobs.noise if direction == "tx" else 0.0
        start = self._passed[direction]
        self._passed[direction] += len(data)
        if not faults and not noise:
            return data
        due = {self._set_at.setdefault(fault, start) + fault.at: fault for fault in faults}
        arrived = bytearray()
        for number, byte in enumerate(data, start + 1):
            fault = due.get(number)
            if fault is not None:
                self._knobs.faults.remove(fault)
                del self._set_at[fault]
                arrived += self._struck(fault.kind, byte)
            elif noise and self._dice.chance(noise):
                arrived += self._struck("corrupt", byte)
            else:
                arrived.append(byte)
        return bytes(arrived)

    def _struck(self, kind: str, byte: int) -> bytes:
        if kind == "drop":
            return b""
        if kind == "duplicate":
            return bytes((byte, byte))
        return bytes((byte ^ (1 << self._dice.between(0, 7)),))
