"""The files that wait in one carrier: which are looked at now, which later, and why.

Owns the patience of both sides of the link. Rules: a file is opened off the reactor and goes
only after its content is stored; one that is not ready is looked at again after 1, 2, 4 …
60 s; one that we stumble over stays and stands in nobody's way. What a file means belongs to
the caller; nothing is deleted here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from fep.ports import Carrier
from fep.services.carrier_belt import Tools
from fep.services.ferry import TooBig
from fep.store.writer import Store
from fep.wire.fpb import Reason, Unreadable

ARRIVALS_MAX: Final = 64  # a turn
LOOKS_MAX: Final = 10_000  # names remembered as not ready
FIRST_LOOK_S: Final = 1.0
LATEST_LOOK_S: Final = 60.0
WHY_CHARS: Final = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """A file that was not ready: when it was first seen so, and when it is looked at next."""

    first_s: float
    next_s: float
    wait_s: float
    fault: str = ""  # of the carrier
    stumble: str = ""  # of ours


@dataclass(frozen=True, slots=True)
class Reader(Generic[T]):
    """What the owner of a carrier does with its arrivals."""

    opened: Callable[[str], T | None]
    """Read and prove a file in a worker thread; None when it is gone.

    Raises Unreadable, OSError.
    """
    take: Callable[[str, T], Awaitable[bool]]
    """Apply a file; True when its content is stored and it may go."""
    set_aside: Callable[[str, Reason], Awaitable[None]]
    """Put a file that cannot be read out of the way, and tell the other side."""


def content_of(carrier: Carrier, name: str) -> bytes | None:
    """Return the bytes of an arrival; None when it is gone. For a worker thread.

    Raises Unreadable TOO_BIG, OSError.
    """
    try:
        return carrier.read(name)
    except TooBig as error:
        raise Unreadable(Reason.TOO_BIG, "larger than any batch") from error


class Arrivals(Generic[T]):
    """The arrivals of one carrier: `await turn()` takes in those that are ready."""

    def __init__(self, tools: Tools, store: Store, carrier: Carrier, reader: Reader[T], *,
                 part_timeout_s: float) -> None:  # fmt: skip
        self._tools, self._store, self._carrier, self._reader = tools, store, carrier, reader
        self._part_timeout_s = part_timeout_s
        self._looks: dict[str, Look] = {}

    @property
    def fault(self) -> str:
        """Return why the carrier does not give a file that it shows, empty when all is well."""
        return next((look.fault for look in self._looks.values() if look.fault), "")

    @property
    def stumble(self) -> str:
        """Return over what we stumbled in a file that still waits, empty when all is well."""
        return next((look.stumble for look in self._looks.values() if look.stumble), "")

    async def turn(self) -> int:
        """Take in what has arrived and is ready; returns how many files were dealt with.

        Raises OSError when the arrivals cannot be listed, and what a dead store raises.
        """
        names = await self._tools.work(self._carrier.names)
        present = set(names)
        self._looks = {name: look for name, look in self._looks.items() if name in present}
        now = self._tools.clock.mono()
        ready = [n for n in names if n not in self._looks or self._looks[n].next_s <= now]
        for name in ready[:ARRIVALS_MAX]:
            try:
                await self._arrival(name)
            except Exception as fault:
                if self._store.dead:
                    raise
                # One file we stumble over must not stand in the way of all others.
                self._tools.log.error("link.arrival_failed", name=name, why=repr(fault),
                                      exc_info=fault)  # fmt: skip
                self.not_ready(name)
                self._note(name, stumble=repr(fault))
        return min(len(ready), ARRIVALS_MAX)

    def look_again(self) -> None:
        """Look at everything at the next turn, however often it was not ready."""
        self._looks.clear()

    def not_ready(self, name: str) -> bool:
        """Note that a file is not ready; True when it had all the time it gets."""
        now = self._tools.clock.mono()
        look = self._looks.get(name)
        if look is None:
            if len(self._looks) < LOOKS_MAX:
                self._looks[name] = Look(now, now + FIRST_LOOK_S, FIRST_LOOK_S)
            return False
        wait = min(LATEST_LOOK_S, look.wait_s * 2)
        self._looks[name] = Look(look.first_s, now + wait, wait)
        return now - look.first_s >= self._part_timeout_s

    async def _arrival(self, name: str) -> None:
        try:
            opened = await self._tools.work(self._reader.opened, name)
        except OSError as error:
            self.not_ready(name)
            self._note(name, fault=str(error) or repr(error))
            return
        except Unreadable as error:
            if not error.partial or self.not_ready(name):
                self._looks.pop(name, None)
                await self._reader.set_aside(name, error.reason)
            return
        if opened is None or await self._reader.take(name, opened):
            self._looks.pop(name, None)
            if opened is not None:
                await self._tools.work(self._carrier.taken, name)

    def _note(self, name: str, *, fault: str = "", stumble: str = "") -> None:
        if name in self._looks:
            self._looks[name] = replace(
                self._looks[name], fault=fault[:WHY_CHARS], stumble=stumble[:WHY_CHARS]
            )
