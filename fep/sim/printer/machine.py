"""The printer: receive buffer, mechanism, replies. It owns the state, not the connection.

Rules: what stands in the buffer outlives a connection and dies with the power; nothing is
taken out of the buffer while the printer is offline; a reply in order leaves when everything
before it is on paper. It opens no socket and asks only the clock it was given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from fep.sim.printer import condition, realtime, reply
from fep.sim.printer.actions import (
    Action,
    Band,
    Buzz,
    Cut,
    Pulse,
    Remark,
    SetAutomatic,
    TellDrawer,
    TellIdentity,
    TellPaper,
    TellProcess,
)
from fep.sim.printer.commands import Cutter
from fep.sim.printer.condition import Condition
from fep.sim.printer.interpreter import Interpreter
from fep.sim.printer.journal import Journal
from fep.sim.printer.knobs import Knobs
from fep.sim.printer.profiles import Profile
from fep.sim.printer.sheets import Piece, Tray

# Printing time is waited for in slices of at least this, except before a reply.
_SLICE_S = 0.01


def _nobody(*_: object) -> None:
    """Stand in for a connection that is not there."""


class Printer:
    """One printer. `clock` is anything with Twisted's callLater."""

    def __init__(
        self, clock: Any, profile: Profile, tray: Tray, journal: Journal, knobs: Knobs
    ) -> None:
        self._clock = clock
        self.profile = profile
        self.knobs = knobs
        self.tray = tray
        self.journal = journal
        self.state = Condition(
            rows_left=knobs.paper_rows,
            near_end_rows=knobs.near_end_rows,
            near_end_sensor=profile.near_end_sensor,
        )
        self.mute = profile.mute
        self.powered = True
        self.on_room: Callable[[], None] = _nobody
        self._send: Callable[[bytes], None] = _nobody
        self._attached = False
        self._buffer = bytearray()
        self._watch = realtime.Watch()
        self._cutter = Cutter()
        self._interpreter = Interpreter(profile)
        self._queue: deque[Action] = deque()
        self._piece = Piece()
        self._asb_mask = 0
        self._asb_seen: tuple[int, ...] = ()
        self._debt_s = 0.0
        self._timer: Any = None
        self._cooling: Any = None
        self._working = False
        self.received_bytes = 0

    # from the connection
    def attach(self, send: Callable[[bytes], None]) -> None:
        """Reply through `send` from now on."""
        self._send, self._attached = send, True

    def detach(self) -> None:
        """Lose the host; buffer, modes and automatic status stay."""
        self._send, self._attached = _nobody, False

    @property
    def room(self) -> int:
        """Return how many bytes the receive buffer still takes."""
        return max(0, self.profile.buffer_bytes - len(self._buffer))

    def receive(self, data: bytes) -> None:
        """Take bytes from the host, at most `room` of them."""
        if not self.powered:
            return
        self.received_bytes += len(data)
        self.journal.write("received", hex=data)
        if realtime.DLE not in data and self._watch.idle:
            self._buffer += data
        else:
            for byte in data:
                self._buffer.append(byte)
                order = self._watch.see(byte)
                if order is not None:
                    self._obey_now(order)
        self.work()

    # from the operator
    def settle(self) -> None:
        """Report what changed in `state` and go on if that is possible now."""
        self._report()
        self.work()

    def load_paper(self, rows: int) -> None:
        """Put a roll in."""
        self.state.rows_left = rows
        self.state.paper_out = rows <= 0
        self.settle()

    def end_paper(self) -> None:
        """Run out of paper now."""
        self.state.rows_left = 0
        self._run_out()
        self.settle()

    def heat(self, seconds: float) -> None:
        """Overheat the head; it is cool again after `seconds`."""
        self.cool()
        self.state.head_hot = True
        self._cooling = self._clock.callLater(seconds, self.cool)
        self.settle()

    def cool(self) -> None:
        """Let an overheated head go on."""
        if self._cooling is not None and self._cooling.active():
            self._cooling.cancel()
        self._cooling = None
        self.state.head_hot = False
        self.settle()

    def power_off(self) -> None:
        """Lose the buffers and all modes; what is on paper stays on paper."""
        self._clear()
        self._interpreter.power_on()
        self._watch = realtime.Watch()
        self._asb_mask, self._asb_seen = 0, ()
        self.powered = False
        self.journal.write("power.off")

    def power_on(self) -> None:
        """Start again with the paper and the cover as they are."""
        self.state.power_on()
        self.powered = True
        self.journal.write("power.on")

    def put_away(self) -> None:
        """Tear off what hangs out of the printer and stop the clock; the process ends."""
        self._stop_timer()
        if self._cooling is not None:
            self._cooling.cancel()
            self._cooling = None
        self._eject(cut=False)

    def facts(self) -> dict[str, object]:
        """Return the state for the operator."""
        state = self.state
        return {
            "powered": self.powered, "offline": state.offline, "mute": self.mute,
            "cover_open": state.cover_open, "paper_out": state.paper_out,
            "near_end": state.near_end, "rows_left": state.rows_left,
            "cutter_error": state.cutter_error, "head_hot": state.head_hot,
            "fatal": state.fatal, "drawer_open": state.drawer_open,
            "buffered": len(self._buffer) + self._cutter.waiting,
            "unprinted": len(self._queue), "hanging_rows": self._piece.rows,
            "asb_mask": self._asb_mask, "attached": self._attached,
            "sheets": self.tray.last, "received_bytes": self.received_bytes,
        }  # fmt: skip

    # real-time orders
    def _obey_now(self, order: realtime.Order) -> None:
        ask = order.ask
        if ask is realtime.Ask.STATUS:
            self._reply(bytes((condition.real_time(self.state, order.number),)))
        elif ask is realtime.Ask.PULSE:
            self.journal.write("drawer.pulse", pin=0)
        elif ask is realtime.Ask.CLEAR:
            if self.profile.clears:
                self._clear()
                self._reply(reply.CLEARED)
        elif ask in (realtime.Ask.RECOVER, realtime.Ask.RECOVER_CLEARED):
            self._recover(clearing=ask is realtime.Ask.RECOVER_CLEARED)
        else:
            self.journal.write("command.not_obeyed", order=ask.value)

    def _recover(self, *, clearing: bool) -> None:
        recovered = self.state.recover()
        if clearing and (recovered or self.profile.enquiry_clears_always):
            self._clear()
        self.journal.write("recover", clearing=clearing, recovered=recovered)
        self._report()

    def _clear(self) -> None:
        lost = len(self._buffer) + self._cutter.waiting
        self._stop_timer()
        self._buffer.clear()
        self._cutter.reset()
        self._queue.clear()
        self._interpreter.clear()
        self.journal.write("buffer.cleared", bytes=lost)

    # the mechanism
    def work(self) -> None:
        """Print until the buffer is empty, something is wrong, or printing takes time."""
        if self._working:
            return
        self._working = True
        try:
            while self.powered and self._timer is None and not self.state.offline:
                if self._queue:
                    self._step(self._queue[0])
                    continue
                command = self._cutter.next(self._buffer)
                if command is None:
                    break
                self._piece.raw += command.raw
                self._queue.extend(self._interpreter.obey(command))
        finally:
            self._working = False
        self.on_room()

    def _step(self, action: Action) -> None:
        if isinstance(action, Band):
            self._print(action)
            return
        if self._debt_s:
            # What was said before must be on paper before this is.
            self._wait()
            return
        if isinstance(action, Cut):
            self._cut(action)
            return
        self._queue.popleft()
        self._answer(action)

    def _print(self, band: Band) -> None:
        state = self.state
        if band.rows > state.rows_left:
            if state.rows_left:
                first, rest = band.split(state.rows_left)
                self._piece.add(first)
                self._queue[0] = rest
                self._owe(first.rows)
                state.rows_left = 0
            self._run_out()
        else:
            self._queue.popleft()
            self._piece.add(band)
            state.rows_left -= band.rows
            self._owe(band.rows)
        self._report()
        if self._debt_s >= _SLICE_S:
            self._wait()

    def _run_out(self) -> None:
        self.state.paper_out = True
        self.journal.write("paper.end", unprinted=len(self._queue))
        self._eject(cut=False)

    def _cut(self, cut: Cut) -> None:
        state = self.state
        if state.cutter_blocked or state.cutter_fails_next:
            state.cutter_blocked = state.cutter_error = True
            state.cutter_fails_next = False
            self.journal.write("cutter.error")
            self._report()
            return
        self._queue.popleft()
        self._eject(cut=True, full=cut.full)
        self._debt_s += self.knobs.cut_s if self.knobs.lines_s else 0.0

    def _eject(self, *, cut: bool, full: bool = False) -> None:
        piece, self._piece = self._piece, Piece()
        if not piece.rows:
            # Nothing came out; the bytes belong to the sheet that follows.
            self._piece.raw = piece.raw
            return
        number = self.tray.put(piece, cut=cut)
        self.journal.write("sheet", sheet=number, cut=cut, full=full, lines=len(piece.lines))

    def _owe(self, rows: int) -> None:
        if self.knobs.lines_s:
            self._debt_s += rows / (self.knobs.lines_s * self.profile.line_spacing_dots)

    def _wait(self) -> None:
        self._timer = self._clock.callLater(self._debt_s, self._printed)
        self._debt_s = 0.0

    def _printed(self) -> None:
        self._timer = None
        self.work()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._debt_s = 0.0

    # replies
    def _answer(self, action: Action) -> None:
        if isinstance(action, TellPaper):
            self._reply(bytes((condition.paper(self.state),)))
        elif isinstance(action, TellDrawer):
            self._reply(bytes((condition.drawer(self.state),)))
        elif isinstance(action, TellProcess):
            if self.profile.process_id:
                self._reply(reply.process(action.process_id))
        elif isinstance(action, TellIdentity):
            said = reply.identity(self.profile, action.number)
            if said is None:
                self.journal.write("command.unknown", hex=bytes((0x1D, 0x49, action.number)))
            else:
                self._reply(said)
        elif isinstance(action, SetAutomatic):
            self._set_automatic(action.mask)
        elif isinstance(action, Pulse):
            self.journal.write("drawer.pulse", pin=action.pin)
        elif isinstance(action, Buzz):
            self.journal.write("buzzer", times=action.times)
        elif isinstance(action, Remark):
            self.journal.write(action.event, hex=action.raw)

    def _set_automatic(self, mask: int | None) -> None:
        if mask is None:
            if self.profile.init_stops_asb:
                self._asb_mask = 0
            return
        if not self.profile.asb:
            return
        self._asb_mask, self._asb_seen = mask, ()
        self._report()

    def _report(self) -> None:
        """Send the automatic status if what is watched differs from what was last sent."""
        if not self._asb_mask:
            return
        status = condition.automatic(self.state)
        seen = condition.watched(status, self._asb_mask)
        if seen != self._asb_seen:
            self._asb_seen = seen
            self._reply(status)

    def _reply(self, data: bytes) -> None:
        if self.mute or not self.powered or not self._attached:
            self.journal.write("reply.withheld", hex=data)
            return
        self.journal.write("sent", hex=data)
        self._send(data)
