"""The slot the stub library asks at: LIBRARY.sock, answers in order, as slow as the knobs say.

Frames: length u32, call u8, handle u32, size u32, data; back: length u32, SAR code u32, data.
A frame longer than `FRAME_MAX_BYTES` ends the connection.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver

from fep.sim.signer.token import CALLS, Token

HEAD = struct.Struct(">BII")
FRAME_MAX_BYTES = 8192


class _Line(Int32StringReceiver):
    """One process that has loaded the library; it waits for each answer before it asks on."""

    MAX_LENGTH = FRAME_MAX_BYTES
    transport: Any

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def stringReceived(self, string: bytes) -> None:
        """Take one call."""
        call, handle, _size = HEAD.unpack_from(string)
        token = self._slot.token
        if token.knobs.strikes("hangs"):
            return
        wait_s = token.knobs.sign_s if CALLS.get(call) == "ECCSignData" else 0.0
        self._slot.reactor.callLater(wait_s, self._tell, call, handle, string[HEAD.size :])

    def _tell(self, call: int, handle: int, data: bytes) -> None:
        token = self._slot.token
        code, told = token.answer(call, handle, data)
        if CALLS.get(call) == token.knobs.fails_at and token.knobs.strikes("loses"):
            return
        frame = struct.pack(">I", code) + told
        self.transport.write(struct.pack(">I", len(frame)) + frame)

    def connectionMade(self) -> None:
        self._slot.lines.add(self)

    def connectionLost(self, reason: Any = None) -> None:
        self._slot.lines.discard(self)


class Slot:
    """The place where a token is or is not; open on a socket."""

    def __init__(self, reactor: Any, token: Token) -> None:
        self.reactor = reactor
        self.token = token
        self.lines: set[_Line] = set()
        self._port: Any = None

    def open(self, library: Path) -> str:
        """Listen beside a library file; return the socket's path. Raises CannotListenError."""
        where = library.with_name(f"{library.name}.sock")
        factory = Factory.forProtocol(lambda: _Line(self))
        self._port = self.reactor.listenUNIX(str(where), factory, mode=0o600, wantPID=0)
        return str(where)

    async def close(self) -> None:
        """Take the whole slot away, lines and all."""
        for line in list(self.lines):
            line.transport.abortConnection()
        if self._port is not None:
            port, self._port = self._port, None
            await port.stopListening()
