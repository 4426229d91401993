"""The job recipe for form printers, and the outcome rule.

Rules: whatever fails before the first byte is `not_printed`; after it nothing proves paper,
so a job whose bytes have all left is `accepted` and every other one `uncertain`. Nothing is
ever sent twice. After a torn job the next one begins by ending an image that may still wait
for its dots. Never raises for a device fault.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

from drivers import transports
from drivers.escp import codec, lines
from drivers.escp.profile import Profile
from drivers.transports import usblp
from drivers.transports.line import DeviceFault, Open
from fep.domain.faults import Refused
from fep.domain.printing import Form, Outcome, Paper, PrintResult
from fep.ports import Clock, Rasteriser


@dataclass(frozen=True, slots=True)
class Options:
    """Where the device is, and how far its prints are moved."""

    transport: transports.Reached
    offset: codec.Offset = field(default_factory=codec.Offset)


class EscpPrinter:
    """One printer. Its methods are called one at a time, by one loop."""

    takes = "form"
    ask_lines = staticmethod(lines.asked)

    def __init__(
        self, reactor: Any, clock: Clock, options: Options, rasteriser: Rasteriser,
        profile: Profile,
    ) -> None:  # fmt: skip
        self._reactor = reactor
        self._clock = clock
        self._options = options
        self._rasteriser = rasteriser
        self._profile = profile
        self._line = options.transport.line(reactor)
        self._wire: Open | None = None
        self._lost = False
        self._waiting: Deferred[None] | None = None
        # Nobody vouches for what an earlier run left in the device's buffer.
        self._torn = True

    # from the spool
    async def print(self, paper: Paper, fence_id: str) -> PrintResult:
        """Print one form; ESC/P has nowhere to put the fence."""
        if not isinstance(paper, Form):
            return PrintResult(Outcome.NOT_PRINTED, "DEV_CONFIG", "this printer takes forms")
        try:
            body = await self._compose(paper)
            wire = await self._opened()
            self._look(wire)
        except Refused as error:
            return PrintResult(Outcome.NOT_PRINTED, error.code, str(error))
        except codec.ControlInText as error:
            return PrintResult(Outcome.NOT_PRINTED, "PRN_TEXT", str(error))
        except codec.OffSheet as error:
            return PrintResult(Outcome.NOT_PRINTED, "FRM_OFF_SHEET", str(error))
        except codec.TooLong as error:
            return PrintResult(Outcome.NOT_PRINTED, "PRN_TOO_LONG", str(error))
        except DeviceFault as error:
            return PrintResult(Outcome.NOT_PRINTED, error.code, error.detail)
        result = await self._stream(wire, body)
        self._torn = result.outcome is Outcome.UNCERTAIN
        if self._torn:
            self._drop(abort=True)
        elif self._line.shared:
            self._drop()
        return result

    async def status(self) -> tuple[str, ...]:
        """Return the fault codes that hold now; a printer that says nothing has none."""
        try:
            self._look(await self._opened())
        except DeviceFault as error:
            return (error.code,)
        if self._line.shared:
            self._drop()
        return ()

    def distrust(self) -> None:
        """Take the device's buffer for unfinished business of an earlier run."""
        self._torn = True

    def close(self) -> None:
        """Give the device back."""
        self._drop()

    # before the body
    async def _compose(self, form: Form) -> bytes:
        rasters = {}
        for wish in codec.wishes(form, self._profile):
            width, rows = await self._rasteriser.raster(wish.text, wish.dots, wish.bold)
            rasters[wish] = codec.Raster(width, rows)
        return codec.body(form, self._profile, rasters, self._options.offset)

    async def _opened(self) -> Open:
        if self._wire is not None and not self._lost:
            return self._wire
        self._drop()
        self._lost = False
        try:
            self._wire = wire = await self._line.open(_ignored, self._gone)
        except transports.Occupied as error:
            raise DeviceFault("DEV_BUSY", str(error)) from error
        except transports.Unreachable as error:
            raise DeviceFault("DEV_UNREACHABLE", str(error)) from error
        if self._line.two_way:
            # A port in other hands takes the connection and hangs up; wait for that, since
            # nothing may be sent that cannot be proved not to have been.
            await self._pause(self._profile.settle_s)
        if self._lost:
            self._drop()
            raise DeviceFault("DEV_BUSY", "it hung up")
        return wire

    def _look(self, wire: Open) -> None:
        """Read the status lines where there are some. Raises DeviceFault."""
        if self._lost:
            self._drop()
            raise DeviceFault("DEV_LOST")
        port = getattr(wire, "transport", None)
        if not isinstance(self._options.transport, usblp.Options) or port is None:
            return
        found = self.ask_lines(port.fileno())
        if found:
            raise DeviceFault(found[0], " ".join(found))

    # the body
    async def _stream(self, wire: Open, body: bytes) -> PrintResult:
        head = codec.FLUSH if self._torn and self._profile.flush else b""
        limit_s = len(body) / self._profile.bytes_per_s + self._profile.margin_s
        left = await self._within(limit_s, wire.drain(head + body))
        if not left and not self._lost:
            return PrintResult(Outcome.UNCERTAIN, "DEV_TIMEOUT", "the bytes did not leave")
        if not self._lost:
            # A peer that hung up is heard of a moment after the last byte left.
            await self._pause(self._profile.settle_s)
        if self._lost:
            return PrintResult(Outcome.UNCERTAIN, "DEV_LOST", "after the first byte")
        try:
            self._look(wire)
        except DeviceFault as error:
            return PrintResult(Outcome.UNCERTAIN, error.code, "after the body")
        return PrintResult(Outcome.ACCEPTED, "", "no proof")

    async def _within(self, limit_s: float, work: Any) -> bool:
        """Wait for the bytes to leave; False when they do not in time."""
        waiting: Deferred[None] = Deferred()
        self._waiting = waiting
        done: list[bool] = []

        async def watch() -> None:
            await work
            done.append(True)
            if self._waiting is waiting:
                self._wake()

        # A wire's drain never fails; it fires when it is done or lost.
        ensureDeferred(watch())
        await self._pause(limit_s, waiting)
        return bool(done)

    async def _pause(self, seconds: float, waiting: Deferred[None] | None = None) -> None:
        """Wait, but not beyond a loss of the line."""
        if waiting is None:
            waiting = Deferred()
            self._waiting = waiting
        alarm = self._reactor.callLater(seconds, self._wake)
        await waiting
        if alarm.active():
            alarm.cancel()

    # from the line
    def _gone(self) -> None:
        self._lost = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def _drop(self, *, abort: bool = False) -> None:
        wire, self._wire = self._wire, None
        if wire is None:
            return
        if abort:
            wire.abort()
        else:
            wire.close()
        self._line.closed()


def _ignored(_data: bytes) -> None:
    """Take what a printer says that has nothing to say."""
