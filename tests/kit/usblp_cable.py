"""A terminal that stands for /dev/usb/lp*, which a second program finds busy."""

from __future__ import annotations

import ctypes
import os
import struct

from fep.testing.cable_pty import PtyCable

VERSION_3, CAP_SYS_ADMIN = 0x20080522, 21
_libc = ctypes.CDLL(None, use_errno=True)


class UsblpCable(PtyCable):
    """Who may do everything is not refused an exclusive terminal: that right is put aside."""

    async def occupy(self) -> None:
        """Be another program that has the port: whoever opens it now meets EBUSY."""
        await super().occupy()
        _allow(False)

    async def vacate(self) -> None:
        """Give it back."""
        _allow(True)
        await super().vacate()


def _allow(everything: bool) -> None:
    """Put this thread's right to administer the system aside, or take it again."""
    head = struct.pack("Ii", VERSION_3, 0)
    sets = ctypes.create_string_buffer(24)
    assert _libc.capget(head, sets) == 0
    effective, permitted, inherited, *rest = struct.unpack("6I", sets.raw)
    bit = 1 << CAP_SYS_ADMIN
    effective = effective | (permitted & bit) if everything else effective & ~bit
    told = struct.pack("6I", effective, permitted, inherited, *rest)
    if _libc.capset(head, told):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
