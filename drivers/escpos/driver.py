"""The job recipe for ESC/POS printers, and the outcome rule.

Rules: nothing is sent before the device said it is ready; whatever fails before the first
byte of the body is `not_printed`; after it only the fence proves `printed`, everything
else is `uncertain`. After an uncertain job the device's buffer is cleared and proved empty
before the next body, since paper put in later would print the rest of the old one.
Never raises for a device fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from drivers import transports
from drivers.escpos import codec, status
from drivers.escpos.profile import Profile
from drivers.escpos.talk import LineLost, NoReply, Talk
from drivers.transports.line import DeviceFault
from fep.domain.faults import Refused
from fep.domain.printing import Outcome, Paper, PrintResult, Slip
from fep.ports import Clock, Rasteriser

FREE_CUTTER_S = 5.0
PROBE_ID = "?fep"


@dataclass(frozen=True, slots=True)
class Options:
    """Where the device is and what it must be; empty expectations are not checked. `quirks` are
    what this one device does differently from its profile."""

    transport: transports.Reached
    expect_model: str = ""
    expect_serial: str = ""
    quirks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the device says of itself; empty where it says nothing."""

    maker: str
    model: str
    serial: str
    proof: str


class EscposPrinter:
    """One printer. Its methods are called one at a time, by one loop."""

    takes = "slip"

    def __init__(
        self, reactor: Any, clock: Clock, options: Options, rasteriser: Rasteriser,
        profile: Profile,
    ) -> None:  # fmt: skip
        self._reactor = reactor
        self._clock = clock
        self._options = options
        self._rasteriser = rasteriser
        self._line = options.transport.line(reactor)
        if not self._line.two_way:  # nothing comes back: no question is worth asking
            profile = replace(
                profile, realtime_status=False, asb=False, gs_r=False, probe_process_id=False
            )
        self._profile = profile
        self._talk: Talk | None = None
        self._proof = ""
        # A buffer nobody has vouched for: at start, and after every uncertain job.
        self._stale = True
        self._torn = False
        self._owed = 0
        self._syncs = 0
        self._freed_at = float("-inf")
        self._given_back = False
        self._identified = False

    # from the spool
    async def print(self, paper: Paper, fence_id: str) -> PrintResult:
        """Print one slip; the outcome follows facts/devices 1.4 exactly."""
        if not isinstance(paper, Slip):
            return PrintResult(Outcome.NOT_PRINTED, "DEV_CONFIG", "this printer takes slips")
        try:
            body = await self._compose(paper)
        except Refused as error:
            return PrintResult(Outcome.NOT_PRINTED, error.code, str(error))
        except codec.ControlInText as error:
            return PrintResult(Outcome.NOT_PRINTED, "PRN_TEXT", str(error))
        except codec.TooLong as error:
            return PrintResult(Outcome.NOT_PRINTED, "PRN_TOO_LONG", str(error))
        try:
            talk = await self._ready()
        except DeviceFault as error:
            return PrintResult(Outcome.NOT_PRINTED, error.code, error.detail)
        result = await self._stream(talk, body, fence_id)
        if result.outcome is Outcome.UNCERTAIN:
            self._break_off(talk, result.fault)
        else:
            if result.outcome is Outcome.PRINTED:
                talk.vouch()
            self._give_back()
        return result

    async def status(self) -> tuple[str, ...]:
        """Return the fault codes that hold now, warnings included; empty when ready."""
        try:
            talk = await self._opened()
            faults = await self._ask_faults(talk)
            if "PRN_CUTTER" in faults and "PRN_COVER_OPEN" not in faults:
                faults = await self._free_cutter(talk, faults)
            if not (self._identified or self._torn or status.blocking(faults)):
                await self._ready()
        except DeviceFault as error:
            return (error.code,)
        self._give_back()
        return faults

    async def identify(self) -> Identity:
        """Return what the device says. Raises DeviceFault, also where a broken job may lie."""
        if not self._line.two_way:
            return Identity("", "", "", "none")
        if self._torn:
            raise DeviceFault("DEV_BUSY", "the rest of a job may be in the buffer")
        talk = await self._ready()
        try:
            maker, model, serial = [await self._name(talk, n) for n in (66, 67, 68)]
        except LineLost as error:
            raise self._lost_before_body(talk) from error
        self._give_back()
        return Identity(maker, model, serial, self._proof)

    def expect(self, model: str, serial: str) -> None:
        """Refuse any other device from now on; what the settings expect stands above it."""
        options = self._options
        self._options = replace(
            options, expect_model=options.expect_model or model,
            expect_serial=options.expect_serial or serial,
        )  # fmt: skip
        self._identified = False

    def distrust(self) -> None:
        """Take the device's buffer for unfinished business of an earlier run."""
        self._stale = self._torn = True
        self._owed = 1

    def close(self) -> None:
        """Give the device back."""
        self._drop()

    async def _free_cutter(self, talk: Talk, faults: tuple[str, ...]) -> tuple[str, ...]:
        """Recover a latched cutter error, now and then: somebody may be clearing the jam."""
        if self._clock.mono() < self._freed_at + FREE_CUTTER_S:
            return faults
        self._freed_at = self._clock.mono()
        self._stale = True
        try:
            self._clear(talk)
        except LineLost as error:
            raise self._lost_before_body(talk) from error
        return await self._ask_faults(talk)

    # before the body
    async def _compose(self, slip: Slip) -> bytes:
        rasters = {}
        for wish in codec.wishes(slip, self._profile):
            if wish not in rasters:
                width, rows = await self._rasteriser.raster(wish.text, wish.height_dots, wish.bold)
                rasters[wish] = codec.Raster(width, rows)
        return codec.body(slip, self._profile, rasters)

    async def _opened(self) -> Talk:
        if self._talk is not None and not self._talk.lost:
            return self._talk
        self._drop()
        talk = Talk(self._reactor, self._clock, self._profile)
        try:
            await talk.open(self._line)
        except transports.Occupied as error:
            raise DeviceFault("DEV_BUSY", str(error)) from error
        except transports.Unreachable as error:
            raise DeviceFault("DEV_UNREACHABLE", str(error)) from error
        self._talk = talk
        if not self._given_back:
            self._proof = ""
        self._given_back = False
        self._identified = not (self._options.expect_model or self._options.expect_serial)
        return talk

    async def _check_identity(self, talk: Talk) -> None:
        """Compare once a connection, when the device is fit: a stopped one would not answer."""
        if self._identified:
            return
        try:
            for n, expected in (
                (67, self._options.expect_model), (68, self._options.expect_serial),
            ):  # fmt: skip
                if not expected:
                    continue
                found = await self._name(talk, n) or await self._name(talk, n)
                if found != expected:
                    self._drop()
                    raise DeviceFault("DEV_IDENTITY", f"{found or '-'} ≠ {expected}")
        except LineLost as error:
            raise self._lost_before_body(talk) from error
        self._identified = True

    async def _name(self, talk: Talk, n: int) -> str:
        block = await talk.ask_block(codec.identity_query(n), self._profile.probe_timeout_s)
        return "" if block is None else block[1:].decode("gbk", "replace")

    async def _ready(self) -> Talk:
        """Return a conversation with an idle, empty, fit device. Raises DeviceFault."""
        talk = await self._opened()
        try:
            if self._stale:
                self._clear(talk)
            faults = status.blocking(await self._ask_faults(talk))
            if faults:
                raise DeviceFault(faults[0], " ".join(faults))
            if not self._proof:
                self._proof = await self._probe(talk)
            if self._stale:
                await self._settle(talk)
            await self._check_identity(talk)
            for event in talk.pending():
                if isinstance(event, status.Asb):
                    faults = status.blocking(status.asb_faults(event))
            if faults:
                raise DeviceFault(faults[0], " ".join(faults))
        except LineLost as error:
            raise self._lost_before_body(talk) from error
        return talk

    async def _ask_faults(self, talk: Talk) -> tuple[str, ...]:
        if not self._profile.realtime_status:
            return ()
        try:
            return await talk.ask_faults()
        except NoReply as error:
            self._drop(abort=True)
            raise DeviceFault("DEV_TIMEOUT", str(error)) from error
        except LineLost as error:
            raise self._lost_before_body(talk) from error

    def _lost_before_body(self, talk: Talk) -> DeviceFault:
        """A port that takes the connection and closes it unheard is in other hands."""
        self._drop()
        return DeviceFault("DEV_LOST" if talk.heard else "DEV_BUSY")

    async def _probe(self, talk: Talk) -> str:
        """Find out what this device can prove."""
        if self._profile.probe_process_id:
            until = self._clock.mono() + self._profile.probe_timeout_s
            talk.write(codec.process_id(PROBE_ID))
            while (left_s := until - self._clock.mono()) > 0:
                if _is_fence(await talk.next(left_s), PROBE_ID):
                    return "process_id"
        return "fence" if self._profile.gs_r else "none"

    def _clear(self, talk: Talk) -> None:
        """Have the device throw its buffer away, by what it may understand."""
        talk.write(codec.CLEAR_ENQ)
        if self._profile.clear_dc4:
            talk.write(codec.CLEAR_DC4)

    async def _settle(self, talk: Talk) -> None:
        """Prove the buffer empty; mark and cut off a sheet that ended half way."""
        if self._torn:
            flush = codec.FLUSH_RASTER if self._profile.flush_raster else b""
            talk.write(flush + codec.remnant(self._profile))
        if self._proof == "process_id":
            self._syncs = (self._syncs + 1) % 1000
            mark = f"~{self._syncs:03d}"
            talk.write(codec.process_id(mark))
            await self._synced(talk, mark)
        elif self._proof == "fence":
            self._owed += 1
            talk.write(codec.FENCE_PAPER)
            await self._synced(talk, "")
        self._stale = self._torn = False
        self._owed = 0

    async def _synced(self, talk: Talk, fence_id: str) -> None:
        until = self._clock.mono() + self._profile.fence_min_s
        while (left_s := until - self._clock.mono()) > 0:
            event = await talk.next(left_s)
            if fence_id and _is_fence(event, fence_id):
                return
            if not fence_id and isinstance(event, status.Inband):
                self._owed -= 1
                if self._owed <= 0:
                    return
                # The old job's own fence may still be answered; it must not prove the next.
                until = min(until, self._clock.mono() + self._profile.settle_s)
            if isinstance(event, status.Asb):
                faults = status.STOPPING.intersection(status.asb_faults(event))
                if faults:
                    raise DeviceFault(min(faults), "settle")
        if fence_id or self._owed > 1:
            self._drop(abort=True)
            raise DeviceFault("DEV_TIMEOUT", "settle")

    # the body
    async def _stream(self, talk: Talk, body: bytes, fence_id: str) -> PrintResult:
        profile = self._profile
        limit_s = max(profile.fence_min_s, len(body) / profile.bytes_per_s + profile.fence_margin_s)
        until = self._clock.mono() + limit_s
        try:
            if self._proof == "none":
                return await self._unproved(talk, body)
            by_id = self._proof == "process_id"
            self._owed = 0 if by_id else 1
            talk.write(body + (codec.process_id(fence_id) if by_id else codec.FENCE_PAPER))
            return await self._fenced(talk, fence_id, until)
        except LineLost:
            return PrintResult(Outcome.UNCERTAIN, "DEV_LOST", "after the first byte")

    async def _unproved(self, talk: Talk, body: bytes) -> PrintResult:
        """Send to a device that cannot prove anything."""
        await talk.drain(body)
        try:
            faults = await self._ask_faults(talk)
        except DeviceFault as error:
            return PrintResult(Outcome.UNCERTAIN, error.code, error.detail)
        stopping = status.STOPPING.intersection(faults)
        if stopping:
            return PrintResult(Outcome.UNCERTAIN, min(stopping), "after the body")
        return PrintResult(Outcome.ACCEPTED, "", "no proof")

    async def _fenced(self, talk: Talk, fence_id: str, until: float) -> PrintResult:
        asked = 0
        turn = 0
        while (left_s := until - self._clock.mono()) > 0:
            event = await talk.next(min(left_s, self._profile.poll_s))
            if event is None and not asked and self._profile.realtime_status:
                asked = (2, 3, 4)[turn % 3]
                turn += 1
                talk.write(codec.status_query(asked))
            faults: tuple[str, ...] = ()
            if self._proof == "process_id" and _is_fence(event, fence_id):
                return PrintResult(Outcome.PRINTED, "", "process_id")
            if self._proof == "fence" and isinstance(event, status.Inband):
                self._owed = 0
                faults = status.inband_paper_faults(event.byte)
                if "PRN_PAPER_END" not in faults:
                    return PrintResult(Outcome.PRINTED, "", "fence")
            elif isinstance(event, status.Asb):
                faults = status.asb_faults(event)
            elif isinstance(event, status.Realtime):
                faults = status.realtime_faults(((asked, event.byte),))
                asked = 0
            stopping = status.STOPPING.intersection(faults)
            if stopping:
                return PrintResult(Outcome.UNCERTAIN, min(stopping), "before the fence")
        return PrintResult(Outcome.UNCERTAIN, "DEV_TIMEOUT", "no fence")

    # after an unclean end
    def _break_off(self, talk: Talk, fault: str) -> None:
        """Keep the rest of the job from coming out later."""
        self._stale = self._torn = True
        if talk.lost:
            self._drop()
        elif fault == "PRN_CUTTER":
            # Its recovery moves the blade: that waits until somebody had a look.
            return
        elif fault.startswith("PRN_"):
            self._clear(talk)
        else:
            self._drop(abort=True)

    def _give_back(self) -> None:
        """Let another till have the device; what it can prove is remembered."""
        if self._line.shared:
            self._drop()
            self._given_back = True

    def _drop(self, *, abort: bool = False) -> None:
        talk, self._talk = self._talk, None
        if talk is None:
            return
        if abort:
            talk.abort()
        else:
            talk.close()
        self._line.closed()


def _is_fence(event: status.Event | None, fence_id: str) -> bool:
    mark = status.PROCESS_ID_HEAD + fence_id.encode("ascii")
    return isinstance(event, status.Block) and event.data == mark
