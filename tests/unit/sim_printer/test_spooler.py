"""The print server before the printer: only whole jobs come out, as RFC 1179 words them."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from fep.sim.printer.build import make_printer
from fep.sim.printer.knobs import Knobs
from fep.sim.printer.spooler import Spooler
from tests.unit.sim_printer.bench import CUT

CONTROL = b"Hfep\nPfep\nldfA001fep\nUdfA001fep\n"


@pytest.fixture
def spooler(tmp_path):
    printer = make_printer(Clock(), tmp_path, knobs=Knobs(cut_s=0.0), png=False)
    return Spooler(None, printer)


def visit(spooler):
    made = spooler.buildProtocol(None)
    made.makeConnection(StringTransport())
    return made


def job(body, queue=b"lp"):
    files = ((2, b"cfA001fep", CONTROL), (3, b"dfA001fep", body))
    told = b"".join(b"%c%d %s\n%s\0" % (kind, len(file), name, file) for kind, name, file in files)
    return b"\x02" + queue + b"\n" + told


def sheets(tmp_path):
    return len(list(tmp_path.glob("sheet-*.json")))


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_whole_job_is_acknowledged_five_times_and_comes_out_once(spooler, tmp_path, step):
    client, sent = visit(spooler), job(b"receipt\n" + CUT)
    for at in range(0, len(sent), step):
        client.dataReceived(sent[at : at + step])

    assert (b"\0" * 5, 1) == (client.transport.value(), sheets(tmp_path))


def test_a_job_without_its_last_byte_never_comes_out(spooler, tmp_path):
    client = visit(spooler)
    client.dataReceived(job(b"receipt\n" + CUT)[:-1])
    client.connectionLost()

    assert (b"\0" * 4, 0) == (client.transport.value(), sheets(tmp_path))


@pytest.mark.parametrize(
    "sent",
    [job(b"x", b"other"), b"\x03lp\n", b"\x02lp\n\x03much dfA\n", b"\x02lp\n\x039999999 dfA\n",
     b"\x02lp\n\x032 dfA\nabc", b"\x02" + b"l" * 2000],
)  # fmt: skip
def test_what_is_no_job_is_refused_and_the_line_closed(spooler, tmp_path, sent):
    client = visit(spooler)
    client.dataReceived(sent)

    assert client.transport.value().endswith(b"\1")
    assert client.transport.disconnecting
    assert 0 == sheets(tmp_path)


def test_what_a_stopped_printer_does_not_take_waits_for_it(spooler, tmp_path):
    printer = spooler._printer
    printer.end_paper()
    visit(spooler).dataReceived(job(b"receipt\n" * 4000 + CUT))
    assert 0 == sheets(tmp_path)

    printer.load_paper(1_000_000)

    assert 1 == sheets(tmp_path)
