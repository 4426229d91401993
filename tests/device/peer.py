"""A printer of our own for driver tests: executes a small ESC/POS subset, keeps its buffer.

Written from facts/devices alone and kept apart from the driver: it never imports it. One
object outlives connections, as a printer does. Real-time commands are obeyed anywhere in
the stream, even inside an image, as many clones do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

_TWO = {b"\x1b3", b"\x1ba", b"\x1bE", b"\x1b!", b"\x1b-", b"\x1bd", b"\x1bJ", b"\x1c!", b"\x1d!"}
_LIVE = {0x04: 3, 0x05: 3, 0x14: 10}


@dataclass
class Sheet:
    """What stands on one piece of paper."""

    lines: list[str] = field(default_factory=list)
    qr: list[str] = field(default_factory=list)
    images: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def blank(self) -> bool:
        """Say whether nothing was printed on it."""
        return not (self.qr or self.images or any(line.strip() for line in self.lines))


class Printer(Factory):
    """The device. Faults are plain attributes; `load_paper` is what a person does."""

    noisy = False

    def __init__(self, *, process_id: bool = True, gs_r: bool = True) -> None:
        self.process_id = process_id
        self.gs_r = gs_r
        self.clears = True
        self.mute = False
        self.mute_after_cut = False
        self.paper_end = False
        self.cover_open = False
        self.cutter_jam = False
        self.jam_stays = False
        self.open_cover_at_cut = False
        # For each GS r to come, the delays of the replies given to it; then one at once.
        self.fence_plan: list[tuple[float, ...]] = []
        self.paper_seen = b"\x00"  # what GS r says of the paper
        self.wrong_id = b""
        self.lines_left: int | None = None
        self.kill_after: int | None = None
        self.refuse_second = False
        self.received = 0
        self.sheets: list[Sheet] = []
        self.torn = Sheet()
        self.odd: list[bytes] = []
        self.wire: Wire | None = None
        self.buffer = b""
        self._raw = b""
        self._line = b""
        self._stored_qr = ""
        self._han = False
        self._pending_id = b""

    def buildProtocol(self, addr: IAddress | None) -> Wire:
        """Take a connection."""
        return Wire(self)

    def load_paper(self, lines: int | None = None) -> None:
        """Put a roll in; a printer goes on with what its buffer holds."""
        self.paper_end, self.lines_left = False, lines
        self.execute()

    def close_cover(self) -> None:
        """Close the cover."""
        self.cover_open = False
        self.execute()

    # the wire side
    def take(self, data: bytes) -> None:
        """Separate real-time commands from data, then execute what is complete."""
        self._raw += data
        while self._raw:
            live = self._raw.find(b"\x10")
            if live < 0:
                self.buffer, self._raw = self.buffer + self._raw, b""
                break
            self.buffer, self._raw = self.buffer + self._raw[:live], self._raw[live:]
            if len(self._raw) < 2:
                break
            size = _LIVE.get(self._raw[1], 0)
            if not size:
                self.buffer, self._raw = self.buffer + self._raw[:1], self._raw[1:]
            elif len(self._raw) < size:
                break
            else:
                command, self._raw = self._raw[:size], self._raw[size:]
                self.execute()
                self._realtime(command)
        self.execute()

    def _realtime(self, command: bytes) -> None:
        if command[1] == 0x04:
            self.say(bytes((self._status(command[2]),)))
        elif command[1] == 0x05 or command[2] == 0x08:
            if self.clears:
                self.buffer, self._line = b"", b""
            self.cutter_jam = self.cutter_jam and self.jam_stays
            if command[1] == 0x14 and self.clears:
                self.say(b"\x37\x25\x00")

    def _status(self, n: int) -> int:
        base = 0x12
        if n == 1 and self.halted:
            base |= 0x08
        if n == 2:
            base |= 0x04 * self.cover_open | 0x20 * self.paper_end | 0x40 * self.cutter_jam
        if n == 3:
            base |= 0x08 * self.cutter_jam
        if n == 4:
            base |= 0x60 * self.paper_end
        return base

    @property
    def halted(self) -> bool:
        """Say whether nothing is executed now."""
        return self.paper_end or self.cover_open or self.cutter_jam

    def say(self, data: bytes) -> None:
        """Answer, unless mute or alone."""
        if self.wire is not None and not self.mute:
            self.wire.transport.write(data)

    def _later(self, delay: float, data: bytes) -> None:
        if not delay:
            self.say(data)
            return
        from twisted.internet import reactor

        reactor.callLater(delay, self.say, data)

    def tell_asb(self) -> None:
        """Report a change of status."""
        first = 0x10 | 0x08 * self.halted | 0x20 * self.cover_open
        paper = 0x0C * self.paper_end
        self.say(bytes((first, 0x08 * self.cutter_jam, paper, 0x00)))

    # the print side
    def execute(self) -> None:
        """Run complete commands until the buffer or the paper ends."""
        while self.buffer and not self.halted:
            used = self._command()
            if not used:
                return
            self.buffer = self.buffer[used:]

    def _command(self) -> int:
        """Execute one command at the head of the buffer; return its size, 0 if incomplete."""
        data = self.buffer
        head = data[:2]
        if data[:1] == b"\n":
            self._feed()
            return 1
        if data[0] >= 0x81:
            if len(data) < 2:
                return 0
            self._line += data[:2]
            return 2
        if data[0] not in (0x1B, 0x1C, 0x1D):
            if data[0] >= 0x20:
                self._line += data[:1]
            elif data[0]:
                self.odd.append(data[:1])
            return 1
        if len(data) < 2:
            return 0
        if head == b"\x1b@":
            self._line, self._han = b"", False
            return 2
        if head in (b"\x1c&", b"\x1c."):
            self._han = head == b"\x1c&"
            return 2
        if len(data) < 3:
            return 0
        if head in _TWO:
            return 3
        return self._group(head, data)

    def _group(self, head: bytes, data: bytes) -> int:
        if head == b"\x1da":
            self.tell_asb()
            return 3
        if head == b"\x1dr":
            delays = self.fence_plan.pop(0) if self.fence_plan else (0.0,) * self.gs_r
            for delay in delays:
                self._later(delay, self.paper_seen)
            return 3
        if head == b"\x1dI":
            self.say(b"\x5f" + {66: b"PEER", 67: b"P-80", 68: b"S1"}.get(data[2], b"") + b"\x00")
            return 3
        if head == b"\x1dV":
            if data[2] >= 65 and len(data) < 4:
                return 0
            self._cut()
            return 4 if data[2] >= 65 else 3
        if head == b"\x1dv":
            return self._image(data)
        if head == b"\x1d(":
            return self._function(data)
        self.odd.append(head)
        return 2

    def _image(self, data: bytes) -> int:
        if len(data) < 8:
            return 0
        width = int.from_bytes(data[4:6], "little")
        size = 8 + width * int.from_bytes(data[6:8], "little")
        if len(data) < size:
            return 0
        self.torn.images.append((width, data[8:size]))
        return size

    def _function(self, data: bytes) -> int:
        if len(data) < 5:
            return 0
        size = 5 + int.from_bytes(data[3:5], "little")
        if len(data) < size:
            return 0
        body = data[5:size]
        if data[2:3] == b"H" and self.process_id:
            self.say(b"\x37\x22" + (self.wrong_id or body[2:6]) + b"\x00")
        elif data[2:3] == b"k" and body[:3] == b"\x31\x50\x30":
            self._stored_qr = body[3:].decode("utf-8")
        elif data[2:3] == b"k" and body[:2] == b"\x31\x51":
            self.torn.qr.append(self._stored_qr)
        return size

    def _feed(self) -> None:
        assert self._han or all(byte < 0x80 for byte in self._line)
        self.torn.lines.append(self._line.decode("gb18030"))
        self._line = b""
        if self.lines_left is not None:
            self.lines_left -= 1
            if self.lines_left <= 0:
                self.paper_end = True
                self.tell_asb()

    def _cut(self) -> None:
        if self._line:
            self.torn.lines.append(self._line.decode("gb18030"))
            self._line = b""
        self.sheets.append(self.torn)
        self.torn = Sheet()
        if self.open_cover_at_cut:
            self.cover_open, self.open_cover_at_cut = True, False
            self.tell_asb()
        if self.mute_after_cut:
            self.mute = True


class Wire(Protocol):
    """One connection to the device."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer

    def connectionMade(self) -> None:
        """Become the connection that is answered, unless another one is there."""
        if self._printer.refuse_second and self._printer.wire is not None:
            self.transport.abortConnection()
            return
        self._printer.wire = self

    def dataReceived(self, data: bytes) -> None:
        """Take bytes, up to the one at which the link is to be cut."""
        printer = self._printer
        if printer.wire is not self:
            return
        room = None if printer.kill_after is None else printer.kill_after - printer.received
        taken = data if room is None else data[:room]
        printer.received += len(taken)
        if room is not None and len(data) >= room:
            printer.wire = None
            self.transport.abortConnection()
            printer.take(taken)
            return
        printer.take(taken)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop being answered; the buffer stays, as in a real printer."""
        if self._printer.wire is self:
            self._printer.wire = None
