"""Page printers against ippeveprinter, an IPP printer that is not ours."""

from __future__ import annotations

import io
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor as _reactor
from twisted.internet.protocol import Factory, Protocol

from drivers import ipp
from drivers.ipp import codec, reasons
from fep.domain.printing import Outcome, Page, Slip
from fep.env import RealClock
from fep.render.trial_page import trial_page
from tests.device.ipp_peer import Peer, free_port

reactor: Any = _reactor
QUICK = ipp.Profile(answer_s=3.0, job_s=6.0, poll_s=0.05)
SHORT = ipp.Profile(answer_s=3.0, job_s=0.5, poll_s=0.05)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """One printer for the module."""
    found = Peer(tmp_path_factory.mktemp("ipp"))
    yield found
    found.close()


def driver(port: int, profile: ipp.Profile = QUICK, model: str = "") -> ipp.IppPrinter:
    """Return a driver for a port."""
    options = ipp.Options("127.0.0.1", port, expect_model=model)
    return ipp.create(reactor, RealClock(), options, None, profile)


@pytest.fixture(scope="module")
def page() -> Page:
    """A page."""
    return Page(trial_page("p1", "2026-07-01 09:00:00"), "42060126-0000000001")


@pytest_twisted.ensureDeferred
async def test_a_page_is_printed_once_whole_on_a5_without_scaling(peer: Peer, page: Page):
    before = len(peer.pages())

    result = await driver(peer.port).print(page, "aa01")

    assert (Outcome.PRINTED, "ipp_job") == (result.outcome, result.detail)
    assert [page.pdf] == peer.pages()[before:]
    assert "iso_a5_148x210mm" == peer.tell()["IPP_MEDIA"]
    assert "42060126-0000000001 aa01" == peer.tell()["IPP_JOB_NAME"]


@pytest_twisted.ensureDeferred
async def test_a_printer_without_paper_is_reported_and_nothing_is_called_printed(
    tmp_path: Path, page: Page
):
    (tmp_path / "empty").touch()
    peer = Peer(tmp_path)
    try:
        aborted = await driver(peer.port).print(page, "aa02")
        waiting = await driver(peer.port, SHORT).print(page, "aa03")  # until paper is loaded
        pages = peer.pages()
    finally:
        peer.close()

    assert [] == pages
    assert aborted.outcome in (Outcome.NOT_PRINTED, Outcome.UNCERTAIN)
    assert "PRN_PAPER_END" == aborted.fault
    assert "job-state 8" in aborted.detail
    assert waiting.outcome in (Outcome.NOT_PRINTED, Outcome.UNCERTAIN)


@pytest_twisted.ensureDeferred
async def test_a_job_whose_answer_never_came_is_found_by_name_sent_once_and_left_to_a_person(
    peer: Peer, page: Page
):
    before = len(peer.pages())
    cutter = Cutter(peer.port)
    door = reactor.listenTCP(0, cutter, interface="127.0.0.1")

    result = await driver(door.getHost().port).print(page, "aa03")
    await door.stopListening()

    # A printer completes a document that was cut off, too: only a look at the page tells.
    assert Outcome.UNCERTAIN is result.outcome
    assert "by its name" in result.detail
    assert before + 1 == len(peer.pages())
    assert 1 == cutter.cut


@pytest_twisted.ensureDeferred
async def test_nobody_there_is_not_printed_and_a_swapped_printer_is_refused(peer: Peer, page: Page):
    gone = await driver(free_port()).print(page, "aa04")
    swapped = await driver(peer.port, model="HP LaserJet").print(page, "aa05")

    assert (Outcome.NOT_PRINTED, "DEV_UNREACHABLE") == (gone.outcome, gone.fault)
    assert (Outcome.NOT_PRINTED, "DEV_IDENTITY") == (swapped.outcome, swapped.fault)


@pytest_twisted.ensureDeferred
async def test_a_slip_is_no_page():
    result = await driver(9).print(Slip(()), "aa06")

    assert (Outcome.NOT_PRINTED, "DEV_CONFIG") == (result.outcome, result.fault)


def test_our_requests_are_what_ipptool_reads_and_its_own_are_read_by_us(peer: Peer, page: Page):
    """ipptool checks the answers to the same operations on the same printer."""
    uri = f"ipp://localhost:{peer.port}/ipp/print"
    done = subprocess.run(
        ["ipptool", "-q", "-f", "/dev/null", uri, "get-printer-attributes.test"],
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout


class Cutter(Factory):
    """Passes everything on to the printer, and hangs up instead of the answer to Print-Job."""

    noisy = False

    def __init__(self, port: int) -> None:
        self.port = port
        self.cut = 0

    def buildProtocol(self, addr: Any) -> Protocol:
        return _Through(self)


class _Through(Protocol):
    def __init__(self, owner: Cutter) -> None:
        self._owner = owner
        self._data = b""
        self._far: socket.socket | None = None

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        length = next(int(line.split(b":")[1]) for line in head.splitlines()
                      if line.lower().startswith(b"content-length"))  # fmt: skip
        if len(body) < length:
            return
        with socket.create_connection(("127.0.0.1", self._owner.port), timeout=5) as far:
            far.sendall(head.replace(b"close", b"close") + b"\r\n\r\n" + body)
            answer = b""
            while part := far.recv(65536):
                answer += part
                if _whole(answer):
                    break
        if body[2:4] == b"\x00\x02" and not self._owner.cut:
            self._owner.cut += 1
            self.transport.abortConnection()
            return
        self.transport.write(answer)
        self.transport.loseConnection()


def _whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    for line in head.lower().splitlines():
        if line.startswith(b"content-length"):
            return bool(end) and len(body) >= int(line.split(b":")[1])
    return body.endswith(b"0\r\n\r\n")


@given(st.binary(max_size=300))
def test_no_answer_of_any_printer_is_more_than_an_error(data: bytes):
    try:
        codec.answer(b"\x02\x00\x00\x00\x00\x00\x00\x01" + data)
    except codec.NotIpp:
        pass


def test_a_request_is_laid_out_as_rfc_8010_says():
    made = codec.request(
        codec.Op.GET_JOB, 7, "ipp://h/p", [(codec.INTEGER, "job-id", (5,))],
        [(codec.KEYWORD, "media", ("a", "b"))], b"PDF",
    )  # fmt: skip

    assert made == (
        b"\x02\x00\x00\x09\x00\x00\x00\x07\x01"
        b"\x47\x00\x12attributes-charset\x00\x05utf-8"
        b"\x48\x00\x1battributes-natural-language\x00\x02en"
        b"\x45\x00\x0bprinter-uri\x00\x09ipp://h/p"
        b"\x21\x00\x06job-id\x00\x04\x00\x00\x00\x05"
        b"\x02\x44\x00\x05media\x00\x01a\x44\x00\x00\x00\x01b"
        b"\x03PDF"
    )


@pytest.mark.parametrize(
    ("told", "faults"),
    [
        (("none",), ()),
        (("media-empty-error", "media-low-report"), ("PRN_PAPER_END", "PRN_PAPER_NEAR_END")),
        (("media-empty-report",), ()),
        (("toner-low-warning",), ("PRN_TONER_LOW",)),
        (("cover-open", "paused"), ("PRN_COVER_OPEN", "PRN_PAUSED")),
    ],
)
def test_reasons_are_told_as_faults(told: tuple[str, ...], faults: tuple[str, ...]):
    assert faults == reasons.faults(told)


def test_the_test_page_is_an_a5_sheet_with_its_text_in_place():
    pdf = trial_page("p1", "2026-07-01 09:00:00")

    assert pdf.startswith(b"%PDF")
    done = subprocess.run(["pdfinfo", "-"], input=pdf, capture_output=True, check=True)
    size = next(line for line in done.stdout.decode().splitlines() if "Page size" in line)
    width, height = (float(word) for word in size.split() if word[0].isdigit())
    assert abs(width / 72 * 25.4 - 148) < 1
    assert abs(height / 72 * 25.4 - 210) < 1
    assert io.BytesIO(pdf).getbuffer().nbytes < 400_000
