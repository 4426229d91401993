"""The printer port: one suite over every implementation, real drivers and stand-ins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_twisted

from fep.domain.faults import fault
from fep.domain.printing import Columns, Feed, Form, FormText, Outcome, Paper, Qr, Rule, Slip, Text
from fep.services.spool_devices import Broken, SpoolPrinter, make_printer
from fep.settings_device import DeviceSettings, TransportSettings
from tests.device.bench import FAST, FakeRasteriser, bench, slower
from tests.device.form_rig import form_rig
from tests.unit.printing.world import ToldPrinter

ONE_FORM = Form("f", 190.0, 25.4, (FormText("欧阳䶮 20.00", 10.0, 5.0, bold=True),))


def _wanted(printer: SpoolPrinter, slip: Slip) -> Paper:
    """Return a document of the kind a printer takes."""
    return ONE_FORM if printer.takes == "form" else slip


EVERYTHING = Slip(
    (
        Text("标题", "center", bold=True, size=2),
        Text("倍高", "right", tall=True),
        Rule("="),
        Columns((("诊察费", 24, "left"), ("20.00", 24, "right")), bold=True),
        Feed(2),
        Qr("https://a.example/1"),
        Text("欧阳䶮"),
    )
)


@asynccontextmanager
async def _escpos(**abilities: bool) -> AsyncIterator[SpoolPrinter]:
    async with bench(slower(FAST, gs_r=abilities.get("gs_r", True)), **abilities) as b:
        yield b.printer


@asynccontextmanager
async def _escp() -> AsyncIterator[SpoolPrinter]:
    with TemporaryDirectory() as place:
        async with form_rig(Path(place)) as r:
            yield r.printer


@asynccontextmanager
async def _nobody() -> AsyncIterator[SpoolPrinter]:
    async with bench() as b:
        port, reactor = b.port, b.reactor
    settings = DeviceSettings(
        "p", "g", TransportSettings(host="127.0.0.1", port=port, connect_tries=1)
    )
    printer = make_printer(reactor, _Clock(reactor), settings, FakeRasteriser())
    yield printer
    printer.close()


class _Clock:
    def __init__(self, reactor):
        self.mono = reactor.seconds


@asynccontextmanager
async def _just(printer: SpoolPrinter) -> AsyncIterator[SpoolPrinter]:
    yield printer


IMPLEMENTATIONS: dict[str, Callable[[], AbstractAsyncContextManager[SpoolPrinter]]] = {
    "escpos-process-id": lambda: _escpos(process_id=True),
    "escpos-fence": lambda: _escpos(process_id=False),
    "escpos-no-proof": lambda: _escpos(process_id=False, gs_r=False),
    "escpos-nobody-there": _nobody,
    "escp": _escp,
    "broken": lambda: _just(Broken("no driver")),
    "fake": lambda: _just(ToldPrinter()),
}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def opened(request):
    """Return what opens one implementation."""
    return IMPLEMENTATIONS[request.param]


@pytest_twisted.ensureDeferred
async def test_print_answers_with_an_outcome_and_a_known_fault(opened):
    async with opened() as printer:
        for mark in ("aa01", "aa02"):
            result = await printer.print(_wanted(printer, EVERYTHING), mark)

            assert isinstance(result.outcome, Outcome)
            assert result.fault == "" or fault(result.fault)
            proved = result.outcome in (Outcome.PRINTED, Outcome.ACCEPTED)
            assert proved == (result.fault == "")


@pytest_twisted.ensureDeferred
async def test_status_is_a_tuple_of_known_codes_and_tells_whether_print_is_refused(opened):
    async with opened() as printer:
        codes = await printer.status()
        result = await printer.print(_wanted(printer, Slip((Text("一"),))), "aa01")

        assert all(fault(code) for code in codes)
        assert bool(codes) == (result.outcome is Outcome.NOT_PRINTED)


@pytest_twisted.ensureDeferred
async def test_an_empty_slip_and_a_distrusted_buffer_are_no_accident(opened):
    async with opened() as printer:
        printer.distrust()

        result = await printer.print(Slip(()), "aa01")

        assert result.outcome is not Outcome.UNCERTAIN


@pytest_twisted.ensureDeferred
async def test_a_closed_printer_opens_itself_again(opened):
    async with opened() as printer:
        first = await printer.print(_wanted(printer, EVERYTHING), "aa01")
        printer.close()
        printer.close()

        again = await printer.print(_wanted(printer, EVERYTHING), "aa02")

        assert first.outcome == again.outcome


@pytest.mark.parametrize(
    "settings",
    [
        DeviceSettings("p", "g", TransportSettings(host="h"), driver="nonesuch"),
        DeviceSettings("p", "g", TransportSettings(host="h"), driver="transports"),
        DeviceSettings("p", "g", TransportSettings(host="h"), profile="nobody-80"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_driver_that_does_not_load_is_a_fault_of_its_device(settings):
    printer = make_printer(None, None, settings, FakeRasteriser())

    result = await printer.print(EVERYTHING, "aa01")

    assert ("DEV_CONFIG",) == await printer.status()
    assert (Outcome.NOT_PRINTED, "DEV_CONFIG") == (result.outcome, result.fault)
