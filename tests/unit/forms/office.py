"""A window with a form printer: real documents, real store and spool, a printer in the hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.python.failure import Failure

from fep.domain.faults import Refused
from fep.domain.printing import Outcome, PrintResult
from fep.services.callers import Caller
from fep.services.forms import Forms
from fep.services.forms_press import FormPress
from fep.services.paper import Paper
from fep.services.spool import Spool
from fep.settings_device import DeviceSettings, TransportSettings
from fep.store.sheets import SheetGrant, import_txn
from tests.golden.draw_forms import sheets
from tests.harness.storeroom import UNIT
from tests.unit.life.site_of import parts
from tests.unit.life.test_life_window import HIS, Desk
from tests.unit.printing.world import NoDice, ToldPrinter, view_of
from tests.unit.services.counter import HandClock

POINT = "001"
ACCEPTED = PrintResult(Outcome.ACCEPTED, "", "no proof")
TORN = PrintResult(Outcome.UNCERTAIN, "DEV_LOST", "after the first byte")
OFF = PrintResult(Outcome.NOT_PRINTED, "DEV_UNREACHABLE")


class Office(Desk):
    """A desk whose paper is printed in this room."""

    def __init__(self, site: Path, devices: tuple[str, ...] = ("lq1",)) -> None:
        super().__init__(site)
        self.group = next(iter(parts()[0].values())).points[0].device_group
        self.devices = devices
        self.printers = {id_: ToldPrinter() for id_ in devices}
        for printer in self.printers.values():
            printer.takes = "form"
        self._room = self.counter.room
        self._room.done(self._room.store.do(
            "sheets", import_txn, SheetGrant(UNIT, POINT, "042126", "0001", "0199", "批准")
        ))  # fmt: skip
        self.forms = sheets()
        self.numbers = {f"{number:04d}" for number in range(1, 200)}
        self.open()

    @property
    def printer(self) -> ToldPrinter:
        """Return the first printer."""
        return self.printers[self.devices[0]]

    def open(self) -> None:
        """Build the spool and the calls: what a start of the daemon does."""
        room = self._room
        units, kinds, provinces = parts()
        settings = SimpleNamespace(units=units, kinds=kinds, provinces=provinces)

        async def read(fn: Any, *args: Any) -> Any:
            return room.store.read(fn, *args)

        context: Any = SimpleNamespace(settings=settings, read=read)
        press = FormPress(lambda: context, self.forms)
        self.spool = Spool(
            room.clock, HandClock(room.clock), NoDice(), room.store,
            tuple(DeviceSettings(id_, self.group, TransportSettings(host="h"), driver="escp")
                  for id_ in self.devices),
            view_of, None, self.counter.notes,
            make=lambda reactor, clock, settings, rasteriser: self.printers[settings.id],
            press=press,
        )  # fmt: skip
        forms = Forms(room.store, self.spool, press, units)
        self.methods = {
            **self.methods, **Paper(room.store, self.spool, units, forms).methods(),
            **forms.methods(),
        }  # fmt: skip
        ensureDeferred(self.spool.start())
        self.turn()

    def reopen(self) -> None:
        """Stop in good order and come up again."""
        ensureDeferred(self.spool.stop())
        self.turn()
        self.open()

    def turn(self, seconds: float = 0.2) -> None:
        """Let time pass in small steps."""
        for _ in range(10):
            self._room.clock.advance(seconds / 10)
            self._room.wall_ms += round(seconds * 100)
            for _ in range(10):
                self._room.clock.advance(0)

    def call(self, method: str, caller: Caller = HIS, **params: Any) -> Any:
        """Call a method; a refusal is its code."""
        answers: list[Any] = []
        done: Deferred[Any] = maybeDeferred(self.methods[method].call, caller, params)
        done.addBoth(answers.append)
        self.counter.turn()
        self.turn()
        (answer,) = answers
        if not isinstance(answer, Failure):
            return answer
        if not isinstance(answer.value, Refused):
            answer.raiseException()
        return answer.value.code

    # what people do
    def exchanged(self, key: str = "OP1", **more: Any) -> Any:
        """Issue a receipt and exchange it, to be printed."""
        receipt = self.issued(key=key)
        return self.call("paper.exchange", unit=UNIT, point=POINT, code=receipt["code"],
                         number=receipt["number"], print=True, **more)  # fmt: skip

    def confirm(self, job: int, sheet: str, **more: Any) -> Any:
        """Compare the sheet in the tractor."""
        return self.call("paper.confirm", job=job, sheet=sheet, **more)

    def state(self, job: int) -> str:
        """Return where a job is."""
        from fep.store import forms

        return str(self._room.store.read(forms.need, job).state)

    def rows(self, table: str) -> list[Any]:
        """Return the rows of a table."""
        return list(self.counter.books()[table])
