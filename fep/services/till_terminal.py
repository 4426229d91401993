"""Terminals as the till meets them: made by the name in their settings, and never trusted.

Rules: a driver that raises, or that stays away longer than it may, proves nothing of the money;
a driver that cannot be made is a fault of its device alone. What a driver said is logged by type
and place only, for its words might name a card.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from fep.domain.device import Refusals
from fep.domain.faults import fault
from fep.domain.payment import Order, PayReply, Totals, Verdict
from fep.plug import load_driver
from fep.ports import Clock, PaymentTerminal
from fep.settings_device import DeviceSettings

T = TypeVar("T")
RUN_S, ASK_S, SETTLE_S = 900.0, 120.0, 900.0
"""Longer than any driver's own bounds: they end what a driver forgot to end."""

FAULTS = {
    "DEV_UNREACHABLE": "POS_OFFLINE", "DEV_LOST": "POS_OFFLINE", "DEV_BUSY": "POS_LINE_BUSY",
    "DEV_REFUSED": "POS_REFUSED",
    "DEV_TIMEOUT": "POS_SILENT", "DEV_PROTOCOL": "POS_PROTOCOL", "DEV_IDENTITY": "POS_IDENTITY",
    "DEV_CONFIG": "POS_CONFIG", "DEV_DRIVER_CRASH": "POS_DRIVER",
}  # fmt: skip
"""What a cashier is told where a driver says what is wrong with a device."""

MakeTerminal = Callable[[Any, Clock, DeviceSettings], PaymentTerminal]


def make_terminal(reactor: Any, clock: Clock, settings: DeviceSettings) -> PaymentTerminal:
    """Return the driver named in the settings. Raises whatever a plug-in may raise."""
    driver: Any = load_driver(settings.driver)
    options = driver.parse_options(msgspec.to_builtins(settings))
    terminal: PaymentTerminal = driver.create(
        reactor, clock, options, None, driver.load(settings.profile)
    )
    return terminal


class Guarded:
    """A terminal behind a fence: no call of it raises or stays for ever."""

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, clock: Clock, settings: DeviceSettings, make: MakeTerminal,
                 log: Any) -> None:  # fmt: skip
        self._reactor = reactor
        self._log = log
        self._id = settings.id
        self._settings = settings
        self._refusals = Refusals()
        self._terminal: PaymentTerminal | None = None
        try:
            self._terminal = make(reactor, clock, settings)
        except Exception as error:
            # A plug-in may fail in any way; what it said is shown with the device.
            log.error("terminal.config", terminal=settings.id,
                      why=f"{type(error).__name__}: {error}"[:200])  # fmt: skip

    @property
    def can_inquire(self) -> bool:
        """Say whether it can be asked for a record."""
        return self._terminal is not None and self._terminal.can_inquire

    @property
    def batch(self) -> str:
        """Return the number of its open batch as last seen, empty where it tells none."""
        return "" if self._terminal is None else self._terminal.batch

    def listen(self, shown: Callable[[str], None]) -> None:
        """Hear what it shows the payer."""
        if self._terminal is not None:
            self._terminal.on_shown = shown

    async def prepare(self) -> str:
        """Reach it; returns a fault code or empty."""
        if self._terminal is None:
            return FAULTS["DEV_CONFIG"]
        return await self._fenced(self._terminal.prepare, ASK_S, _plain)

    async def run(self, order: Order, on_ack: Callable[[], None]) -> PayReply:
        """Carry a command out; a driver that breaks is silence."""
        terminal = self._terminal
        if terminal is None:
            return PayReply(Verdict.NOT_SENT, FAULTS["DEV_CONFIG"])
        return await self._fenced(lambda: terminal.run(order, on_ack), RUN_S, _silent)

    async def inquire(self, order: Order) -> PayReply:
        """Ask for a record; a driver that breaks is silence."""
        terminal = self._terminal
        if terminal is None:
            return _silent("DEV_CONFIG")
        return await self._fenced(lambda: terminal.inquire(order), ASK_S, _silent)

    async def settle(self) -> Totals | str:
        """Close the batch; returns its totals or a fault code."""
        if self._terminal is None:
            return FAULTS["DEV_CONFIG"]
        return await self._fenced(self._terminal.settle, SETTLE_S, _plain)

    async def last_settled(self) -> Totals | str:
        """Return the totals of the last batch it closed, or a fault code."""
        if self._terminal is None:
            return FAULTS["DEV_CONFIG"]
        return await self._fenced(self._terminal.last_settled, ASK_S, _plain)

    async def reprint(self, serial: str) -> str:
        """Print its slip again; returns a fault code or empty."""
        terminal = self._terminal
        if terminal is None:
            return FAULTS["DEV_CONFIG"]
        return await self._fenced(lambda: terminal.reprint(serial), ASK_S, _plain)

    def cancel(self) -> None:
        """Ask it to let the payer go."""
        if self._terminal is not None:
            try:
                self._terminal.cancel()
            except Exception as error:
                self._broke(error)

    def close(self) -> None:
        """Give it back."""
        if self._terminal is not None:
            try:
                self._terminal.close()
            except Exception as error:
                self._broke(error)

    async def _fenced(self, work: Callable[[], Awaitable[T]], within_s: float,
                      broken: Callable[[str], T]) -> T:  # fmt: skip
        async def called() -> T:
            return await work()

        coroutine: Coroutine[Any, Any, T] = called()
        done: Deferred[T] = Deferred.fromCoroutine(coroutine)
        done.addTimeout(within_s, self._reactor)
        try:
            return self._spoken(await done)
        except (TimeoutError, CancelledError):
            self._log.error("terminal.away", terminal=self._id, seconds=within_s)
            return broken("DEV_TIMEOUT")
        except Exception as error:
            self._broke(error)
            return broken("DEV_DRIVER_CRASH")

    def _spoken(self, said: T) -> T:
        """Return what a terminal said in the till's own words."""
        told: Any = said
        if isinstance(said, PayReply):
            told = replace(said, fault=_fault(self._named(said.fault)))
        elif isinstance(said, str):
            told = _fault(self._named(said))
        else:
            self._named("")
        return told  # type: ignore[no-any-return]  # of the type that came in

    def _named(self, fault: str) -> str:
        """Return a driver's code, or DEV_REFUSED for a refusal that has lasted."""
        if not self._settings.transport.may_be_off:
            return fault
        now_s = self._reactor.seconds()
        self._refusals = self._refusals.after((fault,), now_s)
        return self._refusals.named((fault,), now_s, self._settings.refused_max_s)[0]

    def _broke(self, error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        self._log.error("terminal.broke", terminal=self._id, error=type(error).__name__,
                        at=f"{Path(last.filename).name}:{last.lineno}")  # fmt: skip


def _plain(fault: str) -> str:
    return FAULTS[fault]


def _silent(fault: str) -> PayReply:
    return PayReply(Verdict.SILENT, FAULTS[fault])


def _fault(code: str) -> str:
    """Return a driver's code as the till says it; one that nobody knows is a wrong answer."""
    told = FAULTS.get(code, code)
    try:
        return fault(told).code if told else ""
    except KeyError:
        return FAULTS["DEV_PROTOCOL"]
