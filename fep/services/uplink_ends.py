"""What every part of an uplink shares: both ends of the link, the tools, and the bell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

from fep.crypto.certs import Certificate
from fep.domain.calendar import to_ms
from fep.domain.link_budget import OfflineBudget
from fep.ports import Carrier, Clock, Entropy
from fep.services.uplink_keys import OwnKeys
from fep.services.uplink_peers import Peers
from fep.settings_link import LinkSettings
from fep.store.writer import Store
from fep.wire.fpb import ALG_CBC, ALG_GCM, Header, Kind, Reason, Seat, Unreadable, pack
from fep.wire.fpb_name import BatchName, node8

T = TypeVar("T")


class Log(Protocol):
    """The part of a structlog logger that is used here."""

    def info(self, event: str, **details: Any) -> Any:
        """Log what happened."""

    def warning(self, event: str, **details: Any) -> Any:
        """Log what an operator should see."""

    def error(self, event: str, **details: Any) -> Any:
        """Log what must be repaired."""


class Timer(Protocol):
    """A call that waits, as Twisted has it."""

    def active(self) -> bool:
        """Say whether it is still to come."""

    def cancel(self) -> None:
        """Take it back."""


class Timers(Protocol):
    """The part of a reactor that is used here."""

    def callLater(self, delay: float, fn: Callable[..., object], *args: Any) -> Timer:
        """Call `fn(*args)` after `delay` seconds."""


class Work(Protocol):
    """Runs a blocking call off the reactor and answers on it."""

    def __call__(self, fn: Callable[..., T], *args: Any) -> Deferred[T]:
        """Return what `fn(*args)` gives."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Us, them, and what both directions work with. Methods may be called in threads."""

    reactor: Timers
    clock: Clock
    entropy: Entropy
    store: Store
    settings: LinkSettings
    node_id: str
    own: OwnKeys
    peers: Peers
    carrier: Carrier
    work: Work
    log: Log
    on_answered: Callable[[int, int], None]
    on_quota: Callable[[OfflineBudget], None]
    breathe: Callable[[], None]  # called by long work in threads, between two records

    @property
    def dest(self) -> str:
        """Return the name of the destination, its party identifier too."""
        return self.settings.dest

    def now_ms(self) -> int:
        """Return wall clock milliseconds; for stamps and alarms, never for timers."""
        return to_ms(self.clock.wall())

    def seat(self, serial: bytes) -> Seat:
        """Return who reads a file here that is sealed to a serial."""
        return self.own.seat(serial)

    @property
    def platform_cert(self) -> Certificate:
        """Return the platform's newest certificate."""
        return self.peers.newest

    def header(self, kind: Kind, epoch: int, channel: int, seq: int, created_ms: int) -> Header:
        """Return the part of a header that is the same for all our files."""
        return Header(
            kind=kind, sender=self.node_id, receiver=self.dest, epoch=epoch, channel=channel,
            seq=seq, created_ms=created_ms, sender_serial=self.own.now.cert.serial_bytes(),
            receiver_serial=self.platform_cert.serial_bytes(),
            sym_alg=ALG_GCM if self.settings.cipher == "gcm" else ALG_CBC,
        )  # fmt: skip

    def pack(self, header: Header, plain: bytes) -> bytes:
        """Return the file of a batch. Raises Unreadable TOO_BIG, also for the gate's limit."""
        receiver, pair = self.platform_cert, self.own.now
        header = replace(header, receiver_serial=receiver.serial_bytes(),
                         sender_serial=pair.cert.serial_bytes())  # fmt: skip
        content = pack(header, plain, pair.key, receiver.public_key, self.entropy)
        if self.settings.carrier.limits().too_big(len(content)):
            raise Unreadable(Reason.TOO_BIG, f"the gate takes no {len(content)} bytes")
        return content

    def name(self, epoch: int, channel: int, seq: int, attempt: int) -> BatchName:
        """Return the name of one of our files."""
        return BatchName(node8(self.node_id), epoch, channel, seq, attempt, self.settings.ext)

    def pause(self, seconds: float) -> Deferred[None]:
        """Fire after `seconds`; zero lets everything that is ready run first."""
        done: Deferred[None] = Deferred()
        self.reactor.callLater(seconds, done.callback, None)
        return done

    def draw(self) -> float:
        """Return a uniform draw in 0 <= draw < 1 for jitter."""
        return self.entropy.below(1 << 30) / (1 << 30)


class Bell:
    """Lets one loop sleep until a time passes or somebody rings; a ring is never lost."""

    def __init__(self, reactor: Timers) -> None:
        self._reactor = reactor
        self._waiting: Deferred[None] | None = None
        self._timer: Timer | None = None
        self._rung = False

    def ring(self) -> None:
        """Wake the loop now, or spare it its next sleep."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            self._rung = True
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        waiting.callback(None)

    def wait(self, seconds: float) -> Deferred[None]:
        """Fire at the next ring, at the latest after `seconds`."""
        assert self._waiting is None, "a bell wakes one loop"
        waiting: Deferred[None] = Deferred()
        self._waiting = waiting
        if self._rung:
            self._rung = False
            seconds = 0.0
        self._timer = self._reactor.callLater(max(0.0, seconds), self.ring)
        return waiting
