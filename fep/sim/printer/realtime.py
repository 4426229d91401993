"""Commands that a printer obeys when it receives them, before its buffer.

Rules: the bytes also go into the buffer, where they are skipped at a command boundary and
are plain data inside another command; any splitting of the stream gives the same orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

DLE = 0x10
EOT, ENQ, DC4 = 0x04, 0x05, 0x14

CLEAR_TAIL = bytes.fromhex("01031401060208")
POWER_OFF_TAIL = bytes.fromhex("0108")


class Ask(Enum):
    """What the host wants at once."""

    STATUS = "status"
    RECOVER = "recover"
    RECOVER_CLEARED = "recover cleared"
    PULSE = "pulse"
    POWER_OFF = "power off"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Order:
    """One real-time order; `number` is the n of `DLE EOT n`, else 0."""

    ask: Ask
    number: int = 0


def length(head: bytes | bytearray) -> int:
    """Return how many bytes the real-time command beginning with `head` has, or 0 for none.

    While `head` is too short to tell, the answer is the length needed to tell.
    """
    if head[0] != DLE:
        return 0
    if len(head) < 2:
        return 2
    if head[1] not in (EOT, ENQ, DC4):
        return 0
    if len(head) < 3 or head[1] != DC4:
        return 3
    return {1: 5, 2: 5, 3: 8, 7: 4, 8: 10}.get(head[2], 3)


def meaning(command: bytes) -> Order | None:
    """Return the order in a complete command; None when a printer lets it pass."""
    kind, number, tail = command[1], command[2], command[3:]
    if kind == EOT:
        return Order(Ask.STATUS, number) if 1 <= number <= 4 else None
    if kind == ENQ:
        return {1: Order(Ask.RECOVER), 2: Order(Ask.RECOVER_CLEARED)}.get(number)
    if number == 1:
        return Order(Ask.PULSE)
    if number == 2 and tail == POWER_OFF_TAIL:
        return Order(Ask.POWER_OFF)
    if number == 8 and tail == CLEAR_TAIL:
        return Order(Ask.CLEAR)
    return None


class Watch:
    """Looks for real-time commands in the raw stream."""

    def __init__(self) -> None:
        self._head = bytearray()

    def see(self, byte: int) -> Order | None:
        """Take the next byte; return the order that it completes."""
        head = self._head
        head.append(byte)
        need = length(head)
        while not need and head:
            # What looked like a command is none; its end may be the beginning of one.
            del head[0]
            need = length(head) if head else 0
        if not head or len(head) < need:
            return None
        command = bytes(head)
        head.clear()
        return meaning(command)

    @property
    def idle(self) -> bool:
        """Say whether no command has begun."""
        return not self._head
