"""One device's life as its loop lives it: asks the driver, believes, remembers, pauses.

Owns the driver instance: a driver that crashed is made anew, at most three times in a row.
What the device says of itself is learnt once and then expected at every reconnect, so that a
swapped printer inherits no jobs. Never prints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.task import deferLater

from fep.domain import device
from fep.domain.calendar import local, to_ms
from fep.domain.device import DeviceState, Lease, Life, Refusals, Turn
from fep.domain.faults import refuse
from fep.domain.printing import Outcome
from fep.ports import Clock, Entropy
from fep.services.spool_devices import SpoolPrinter
from fep.settings_device import DeviceSettings
from fep.store import devices as notes
from fep.store.devices import Identity, Note
from fep.store.writer import Store

REST_S = 3600.0  # a device at rest is woken by a person, never by this pause
Make = Callable[[DeviceSettings], SpoolPrinter]


class DeviceLife:
    """State, faults and lease of one device, and its driver."""

    # Twisted's reactor and structlog's logger have no static type that names all they can do.
    def __init__(self, reactor: Any, clock: Clock, entropy: Entropy, store: Store, log: Any,
                 settings: DeviceSettings, make: Make) -> None:  # fmt: skip
        self.settings = settings
        self.printer = make(settings)
        self.life = Life()
        self.note = Note(settings.id)
        self.since = to_ms(clock.wall())
        self.asked_at = float("-inf")
        self._reactor = reactor
        self._clock = clock
        self._entropy = entropy
        self._store = store
        self._log = log
        self._make = make
        self._open = False  # whether the driver may hold the device
        self._torn = False  # whether a sheet may have ended half way
        self._refusals = Refusals()

    # from the spool, before the loop starts
    def remember(self, note: Note) -> None:
        """Take up what was noted before the daemon ended."""
        self.note = note
        self._expect(note.identity)
        if note.disabled and not self.life.resting:
            self.life = device.turned(self.life, Turn.DISABLE)
        if note.lease is not None and not note.lease.over(self._now_ms()):
            self.life = device.leased(self.life, note.lease)

    # from the loop
    @property
    def held(self) -> bool:
        """Say whether somebody holds the device."""
        self._expire()
        return self.life.lease is not None

    @property
    def takes_jobs(self) -> bool:
        """Say whether a job may be begun: fit, and held by nobody."""
        return self.life.fit and not self.held

    @property
    def why_resting(self) -> str:
        """Return the code that says why only a person wakes it."""
        return "DEV_DISABLED" if self.life.state is DeviceState.DISABLED else "DEV_FAILED"

    @property
    def waits(self) -> bool:
        """Say whether it is no use to look for jobs before the device is asked again."""
        return not self.life.fit and self.life.state is not DeviceState.CONFIGURED

    async def look(self) -> bool:
        """Ask the device what it is fit for; a flapping sensor is asked once more."""
        self._show(device.opening(self.life))
        for turn in range(2):
            if turn:
                await deferLater(self._reactor, device.SECOND_LOOK_S)
            try:
                faults = await self.printer.status()
            except Exception as error:
                # A driver may fail in any way; that is its device's fault and nobody else's.
                self.crashed(error)
                return False
            self._open = True
            self.asked_at = self._clock.mono()
            self.learn(faults)
            if not self.life.doubt:
                break
        if self.life.fit and not self.note.identity.known:
            await self._get_to_know()
        return self.life.fit

    def distrust(self) -> None:
        """Take the device's buffer, and the paper in it, for unfinished business."""
        self._torn = True
        self.printer.distrust()

    def ended(self, outcome: Outcome) -> None:
        """Note how a job ended: after an uncertain one the next driver is told, too."""
        if outcome is not Outcome.NOT_PRINTED:
            self._torn = outcome is Outcome.UNCERTAIN

    def learn(self, faults: tuple[str, ...], *, proved: bool = False) -> tuple[str, ...]:
        """Take a reading, or what a job ran into (`proved`); returns the faults by their names."""
        self._open = True
        faults = self._named(faults)
        self._show(device.read(self.life, faults, proved=proved))
        return faults

    def passed_over(self) -> None:
        """A shared device is not asked while it is idle: nothing is held against it."""
        self.asked_at = self._clock.mono()
        self._refusals = Refusals()
        self._show(device.read(self.life, ()))

    def stumbled(self) -> None:
        """The loop itself failed: say so, and let the next look clear it."""
        if not self.life.resting:
            unfit = device.turned(device.opening(self.life), Turn.UNFIT)
            self._show(replace(unfit, faults=("DEV_DRIVER_CRASH",)))

    def crashed(self, error: Exception) -> None:
        """Make the driver anew; after three crashes in a row it waits for a person."""
        self._log.warning("device.crash", device=self.settings.id, error=repr(error))
        self.learn(("DEV_DRIVER_CRASH",))
        self.remake(self.settings)
        # Nobody knows what the one that crashed has left in the device's buffer.
        self.distrust()

    def rest(self) -> None:
        """Give a device back that is switched off."""
        if self._open and self.life.state is DeviceState.DISABLED:
            self.close()

    def close(self) -> None:
        """Give the device back."""
        self._open = False
        try:
            self.printer.close()
        except Exception as error:
            self._log.warning("device.crash", device=self.settings.id, error=repr(error))

    def pause_s(self) -> float:
        """Return how long to leave the device alone, in seconds."""
        if self.life.resting:
            return REST_S
        pause_s = device.pause_s(self.life)
        if pause_s <= device.PERSON_AT_DEVICE_S and self.life.misses == 0:
            return pause_s
        # Twenty per cent either way, so that devices of one switch do not return as one.
        return pause_s * (80 + self._entropy.below(41)) / 100

    def lease_left_s(self, most_s: float) -> float:
        """Return the pause cut to the end of the lease."""
        lease = self.life.lease
        if lease is None or not lease.until:
            return most_s
        return min(most_s, max(0.05, (lease.until - self._now_ms()) / 1000))

    # from a person
    def allow(self, turn: Turn) -> None:
        """Raises Refused when the table does not take the turn now."""
        self._expire()
        state = self.life.state
        if (state, turn) in device.DEVICE_TABLE:
            return
        code = device.DEVICE_REFUSALS.get((state, turn))
        if turn is Turn.ENABLE:
            code = "DEV_NOT_DISABLED"
        if code is not None:
            raise refuse(code, device=self.settings.id)

    def only(self, owner: str) -> None:
        """Raises Refused DEV_CLAIMED when somebody else holds the device."""
        lease = self.life.lease if self.held else None
        if lease is not None and lease.owner != owner:
            until = f"{local(lease.until):%m-%d %H:%M}"
            raise refuse("DEV_CLAIMED", device=self.settings.id, owner=lease.owner,
                         until=until if lease.until else "it is released",
                         until_zh=until if lease.until else "其放开")  # fmt: skip

    def switch(self, turn: Turn) -> None:
        """Switch the device off or on, or open it anew; the note has been stored."""
        self.asked_at = float("-inf")
        self._show(device.turned(replace(self.life, faults=(), misses=0, crashes=0), turn))

    def hold(self, lease: Lease | None) -> None:
        """Let somebody hold the device, or nobody; the note has been stored."""
        self._show(device.leased(self.life, lease))

    def remake(self, settings: DeviceSettings) -> None:
        """Close the driver and make it anew, out of these settings."""
        self.close()
        self.settings = settings
        self.printer = self._make(settings)
        self._expect(self.note.identity)
        if self._torn:
            self.printer.distrust()

    def reset(self, settings: DeviceSettings) -> None:
        """Open the device anew: fresh driver, forgotten identity; the note has been stored."""
        self.note = replace(self.note, identity=Identity())
        self.remake(settings)
        self.switch(Turn.RESET)

    # inside
    def _expire(self) -> None:
        lease = self.life.lease
        if lease is not None and lease.over(self._now_ms()):
            self._log.info("device.lease_over", device=self.settings.id, owner=lease.owner)
            self._show(device.leased(self.life, None))

    def _show(self, life: Life) -> None:
        was, self.life = self.life, life
        if was.gone and life.gone and was.faults == life.faults:
            return  # it is asked again and again, and still gone
        if (was.state, was.faults) != (life.state, life.faults):
            self._log.info("device.changed", device=self.settings.id, state=life.state.value,
                           faults=life.faults)  # fmt: skip
            self.since = self._now_ms()

    def _named(self, faults: tuple[str, ...]) -> tuple[str, ...]:
        """Return a reading in which a refusal that lasts is no longer somebody else's job."""
        if not self.settings.transport.may_be_off:
            return faults
        now_s = self._clock.mono()
        self._refusals = self._refusals.after(faults, now_s)
        return self._refusals.named(faults, now_s, self.settings.refused_max_s)

    def _expect(self, identity: Identity) -> None:
        expect = getattr(self.printer, "expect", None)
        if expect is not None and identity.known:
            expect(identity.model, identity.serial)

    async def _get_to_know(self) -> None:
        """Ask the device who it is, once; one that says nothing stays unknown."""
        identify = getattr(self.printer, "identify", None)
        if identify is None or self.note.identity != Identity():
            return
        try:
            said = await identify()
        except Exception as error:
            # It was fit a moment ago; what is wrong now is told by the next look.
            self._log.info("device.unidentified", device=self.settings.id, error=repr(error))
            return
        identity = Identity(said.maker[:80], said.model[:80], said.serial[:80])
        if not identity.known:
            self.note = replace(self.note, identity=SILENT)
            return
        self.note = replace(self.note, identity=identity)
        await self._store.do("device.learn", notes.learn_txn, self.settings.id, identity)
        self._expect(identity)

    def _now_ms(self) -> int:
        return to_ms(self._clock.wall())


SILENT = Identity("-")  # asked, and it said nothing
