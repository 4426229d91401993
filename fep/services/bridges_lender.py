"""One registered bridge: what it lends while it is connected, what is asked of its journal.

Rules: a line lives as long as its connection; a job or call is sent once, then only asked for
under its id, across connections, until it is known or the time is up; "never heard of it" counts
only from a journal that is known to reach back that far. Every wait has a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred

from drivers.transports.bridge import Carried, Op
from drivers.transports.line import Occupied, Unreachable
from fep.ports import Entropy
from fep.services.bridges_channel import Channel, Sends
from fep.wire.bridge import Frame

OPEN_S, LOOK_S, ASK_S = 8.0, 2.0, 10.0
CHANGES, TWICE_S = 4, 600.0
# What a job says of its queue that nobody at the window can clear in a second.
_STOPS = frozenset({"absent", "offline", "error", "paused"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a bridge's journal across restarts of the daemon.

    `back`: it was seen with fewer entries than before, as after a restored backup of its PC.
    """

    journal: str = ""
    entries: int = 0
    back: bool = False


class Bridge:
    """One bridge out of the settings; `drivers.transports.bridge.Lender`."""

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, id_: str, entropy: Entropy, seen: Seen,
                 remember: Callable[[str, Seen], None], log: Any) -> None:  # fmt: skip
        self.id = id_
        self.hello: Mapping[str, Any] = {}
        self.seen = seen
        self.changed_at: tuple[float, ...] = ()
        self.extend: Callable[[Bridge, Frame], None] = lambda bridge, frame: None
        self._reactor = reactor
        self._entropy = entropy
        self._remember = remember
        self._log = log
        self._wire: Sends | None = None
        self._channels: dict[int, Channel] = {}
        self._opening: dict[int, Deferred[str]] = {}
        self._numbers = 0
        self._waiting: dict[str, list[Deferred[Frame | None]]] = {}
        self._begun: dict[str, Callable[[], None]] = {}
        self._back: list[Deferred[None]] = []
        self._ended = False

    @property
    def twice(self) -> bool:
        """Say whether two PCs seem to share the id: their journals take turns."""
        marks = self.changed_at
        return len(marks) == CHANGES and marks[-1] - marks[0] < TWICE_S

    @property
    def wire(self) -> Sends | None:
        """Return the connection of the moment."""
        return self._wire

    @property
    def connected(self) -> bool:
        """Say whether it is there and has said what it lends."""
        return self._wire is not None and bool(self.hello)

    # from the bridges
    def end(self) -> None:
        """Ask for nothing any more: what is under way is answered `silent` and stays unknown."""
        self._ended = True
        self.left(self._wire)
        for id_ in list(self._waiting):
            self._answered(id_, None)
        for waiter in tuple(self._back):
            self._late(waiter)

    # from its connection
    def joined(self, wire: Sends) -> None:
        """A connection proved to be this bridge's; an older one is over."""
        self.left(self._wire)
        self._wire = wire

    def left(self, wire: Sends | None) -> None:
        """A connection is over; its lines are lost."""
        if wire is None or wire is not self._wire:
            return
        self._wire = None
        self.hello = {}
        channels, self._channels = self._channels, {}
        opening, self._opening = self._opening, {}
        for channel in channels.values():
            channel.lost()
        for waiter in opening.values():
            waiter.callback("the bridge is gone")
        for id_ in list(self._waiting):
            self._answered(id_, None)

    def heard(self, frame: Frame) -> None:
        """Take a frame of the connection of the moment."""
        op, number = frame.op, frame.number("ch")
        channel = self._channels.get(number)
        if op in ("hello", "pong"):
            self._told(frame)
        elif op == "opened" and number in self._opening:
            self._opening.pop(number).callback("")
        elif op == "opened" and self._wire is not None:  # too late: nobody waits for it
            self._wire.send({"op": "abort", "ch": number})
        elif op == "refused" and number in self._opening:
            busy = "busy:" if frame.text("why") == "busy" else ""
            self._opening.pop(number).callback(busy + (frame.text("text") or "refused"))
        elif op == "data" and channel is not None:
            channel.heard(frame.body)
        elif op == "wrote" and channel is not None:
            channel.wrote(frame.number("n"))
        elif op == "lost" and channel is not None:
            del self._channels[number]
            channel.lost()
        elif op == "begun":
            self._begun.pop(frame.text("id"), lambda: None)()
        elif op == "answer":
            self._look_at_journal(frame)
            self._answered(frame.text("id"), frame)
        elif op == "extend":
            self.extend(self, frame)

    def _told(self, frame: Frame) -> None:
        first = not self.hello
        self.hello = frame.head
        self._look_at_journal(frame)
        if first:
            back, self._back = self._back, []
            for waiter in back:
                waiter.callback(None)

    def _look_at_journal(self, frame: Frame) -> None:
        """Notice a journal that lost what it had: its silence proves nothing any more."""
        seen, now = self.seen, Seen(frame.text("journal"), frame.number("entries"))
        if now.journal == seen.journal:
            if now.entries < seen.entries and not seen.back:
                self._log.error("bridge.journal_back", bridge=self.id, entries=now.entries,
                                seen=seen.entries)  # fmt: skip
            back = seen.back or now.entries < seen.entries
            now = Seen(seen.journal, max(now.entries, seen.entries), back)
        else:
            self.changed_at = (*self.changed_at, self._reactor.seconds())[-CHANGES:]
        if now == seen:
            return
        self.seen = now
        # A print job proves itself within a connection; what a call leaves must outlive us.
        if frame.op != "answer" or frame.body:
            self._remember(self.id, now)

    # from drivers
    async def open(self, port: str, on_data: Callable[[bytes], None],
                   on_lost: Callable[[], None]) -> Channel:  # fmt: skip
        """Open a line. Raises Unreachable, Occupied."""
        wire = self._wire
        if wire is None or not self.hello:
            raise Unreachable(f"bridge {self.id} is not connected")
        self._numbers += 1
        number = self._numbers
        channel = Channel(wire, number, on_data, on_lost)
        # The bridge may send bytes at once behind its yes.
        self._channels[number] = channel
        waiter = self._opening[number] = Deferred()
        alarm = self._reactor.callLater(OPEN_S, self._not_opened, number)
        wire.send({"op": "open", "ch": number, "port": port})
        why = await waiter
        if alarm.active():
            alarm.cancel()
        if why:
            self._channels.pop(number, None)
            where = f"{self.id}/{port}: {why.removeprefix('busy:')}"
            raise Occupied(where) if why.startswith("busy:") else Unreachable(where)
        return channel

    def _not_opened(self, number: int) -> None:
        waiter = self._opening.pop(number, None)
        if waiter is not None:
            if self._wire is not None:
                self._wire.send({"op": "abort", "ch": number})
            waiter.callback("no answer of the bridge")

    async def carry(self, op: Op, port: str, id_: str, number: int, body: bytes, *,
                    within_s: float,
                    on_begun: Callable[[], None] = lambda: None) -> Carried:  # fmt: skip
        """Have a job or call carried out at most once; see `Carried` for what may come of it."""
        if not self.connected or self._wire is None:
            return Carried("failed", why="not connected")
        self._begun[id_] = on_begun
        journal = self.seen.journal
        until = self._reactor.seconds() + within_s
        try:
            return await self._known(
                {"op": op, "port": port, "id": id_, "n": number}, body, until, journal
            )
        finally:
            self._begun.pop(id_, None)

    async def ask(self, port: str, id_: str, number: int, *, within_s: float = ASK_S) -> Carried:
        """Ask the journal; never begins anything."""
        until = self._reactor.seconds() + within_s
        asking = {"op": "ask", "port": port, "id": id_, "n": number}
        return await self._known(asking, b"", until, "")

    def fault(self, port: str) -> str:
        """Return why nothing can be carried to a port or queue now, or empty.

        That it is in use is said by the bridge when it is asked to; what it said before is old.
        """
        state = self.state(port) if self.connected else None
        return "DEV_UNREACHABLE" if state is None or _STOPS & set(state) else ""

    def new_id(self) -> str:
        """Return an id that was never used."""
        return f"j-{self._entropy.token(12).hex()}"

    def state(self, port: str) -> tuple[str, ...] | None:
        """Return what the bridge said of a port last, None for one it does not lend."""
        for told in self.ports():
            if told["name"] == port:
                return tuple(told["state"])
        return None

    def ports(self) -> list[dict[str, Any]]:
        """Return what the bridge lends, as it said last, in shapes that can be relied on."""
        told = self.hello.get("ports")
        rows = told if isinstance(told, list) else []
        return [
            {"name": str(row.get("name", ""))[:64], "kind": str(row.get("kind", ""))[:20],
             "state": [str(word)[:20] for word in (row.get("state") or [])[:8]]}
            for row in rows[:64]
            if isinstance(row, dict) and isinstance(row.get("state") or [], list)
        ]  # fmt: skip

    # jobs and calls
    async def _known(
        self, head: Mapping[str, Any], body: bytes, until: float, journal: str
    ) -> Carried:
        """Send, then ask until it is known. `journal`: whose silence counts besides."""
        asking = {**head, "op": "ask"}
        id_, job = str(head["id"]), head["op"] == "job"
        send: Mapping[str, Any] | None = head
        while (left_s := until - self._reactor.seconds()) > 0 and not self._ended:
            if not self.connected:
                await self._returned(left_s)
                continue
            frame = await self._exchange(send, body, id_, min(left_s, ASK_S if send else LOOK_S))
            # A job may go again under its id; a call never does, it is only asked for.
            send = head if job else asking
            body = body if job else b""
            if frame is None:
                continue
            state = frame.text("state")
            if state == "running":
                send = None
            elif job and state == "busy":
                await self._exchange(None, b"", id_, LOOK_S)  # its turn comes
            elif state == "absent":
                whole = not self.seen.back and frame.text("journal") == journal
                if not (job and whole):
                    return self._absent(frame, whole, int(head["n"]))
            elif state in ("done", "unsure"):
                # One body: the answer, or beside an unsure call the answer to the one before.
                before = frame.body[len(frame.body) - frame.number("before") :]
                answer = frame.body[: len(frame.body) - len(before)]
                return Carried(state, answer, frame.text("why"), before)
            elif state:
                return Carried(state, why=frame.text("why"))
        return Carried("silent", why="no answer in time")

    def _absent(self, frame: Frame, whole: bool, number: int) -> Carried:
        """Say whether a journal that has never heard of it would have."""
        if whole or (not self.seen.back and 0 < frame.number("floor") <= number):
            return Carried("absent")
        return Carried("unsure", why="the journal does not reach back")

    async def _exchange(
        self, head: Mapping[str, Any] | None, body: bytes, id_: str, within_s: float
    ) -> Frame | None:
        """Send, or only listen; return what is said of `id_`, None for nothing."""
        wire = self._wire
        if wire is None:
            return None
        waiter: Deferred[Frame | None] = Deferred()
        self._waiting.setdefault(id_, []).append(waiter)
        alarm = self._reactor.callLater(within_s, self._answered, id_, None)
        if head is not None:
            wire.send(head, body)
        frame = await waiter
        if alarm.active():
            alarm.cancel()
        return frame

    def _answered(self, id_: str, frame: Frame | None) -> None:
        for waiter in self._waiting.pop(id_, []):
            waiter.callback(frame)

    async def _returned(self, within_s: float) -> None:
        """Wait for the bridge to come back."""
        waiter: Deferred[None] = Deferred()
        self._back.append(waiter)
        alarm = self._reactor.callLater(max(within_s, 0.0), self._late, waiter)
        await waiter
        if alarm.active():
            alarm.cancel()

    def _late(self, waiter: Deferred[None]) -> None:
        if waiter in self._back:
            self._back.remove(waiter)
            waiter.callback(None)
