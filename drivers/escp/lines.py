"""The status lines of a parallel port, which the kernel's usblp keeps for USB printers.

They are all that an ESC/P printer ever says. Rule: no answer is no fault; a port that has no
such lines (a socket, a tty) tells nothing.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from typing import Any

LPGETSTATUS = 0x060B
NO_PAPER, SELECTED, NO_ERROR = 0x20, 0x10, 0x08
# ioctl(descriptor, request, buffer) writes the answer into the buffer.
Ioctl = Callable[[int, int, bytearray], Any]


def faults(status: int) -> tuple[str, ...]:
    """Return the fault codes of a status byte, the gravest cause first."""
    found = []
    if status & NO_PAPER:
        found.append("PRN_PAPER_END")
    if not status & SELECTED:
        found.append("PRN_OFFLINE")
    if not status & NO_ERROR and not found:
        found.append("PRN_ERROR")
    return tuple(found)


def asked(descriptor: int, ioctl: Ioctl = fcntl.ioctl) -> tuple[str, ...]:
    """Return the faults a port tells of its printer, none where it has no lines."""
    answer = bytearray(4)
    try:
        ioctl(descriptor, LPGETSTATUS, answer)
    except OSError:
        return ()
    return faults(answer[0])
