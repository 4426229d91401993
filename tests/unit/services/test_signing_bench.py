"""Two signers of a unit: an event that is moved keeps its number and gets one signature, under
the certificate that made it; a passphrase comes as a credential."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import task
from twisted.internet.defer import gatherResults

from fep.crypto import keyfile
from fep.domain.kind import KeyPlace
from fep.env import RealEntropy
from fep.services.queue import Queue
from fep.services.signer_process import FAILED
from fep.services.signing import Moved, SignerFiles, UnitSigner
from fep.services.signing_bench import BACK_S, Bench, make_bench
from fep.sim import sm
from fep.store.certificates import certificate_txn
from tests.harness.storeroom import UNIT
from tests.unit.domain.test_signers import UNIT as PLAIN_UNIT
from tests.unit.services.counter import DEADLINE_S, Counter, HandSigner, Notes, number
from tests.unit.services.line import reactor


@pytest.fixture
def second(counter: Counter) -> HandSigner:
    """A second signer of the unit, under a certificate of its own, not active yet."""
    keys = counter.site / "keys"
    sm.create_identity(keys / "second.key", keys / "second.crt", "second", 78)
    signer = HandSigner(counter.room)
    signer._key = sm.load_private((keys / "second.key").read_bytes())
    held = sm.load_certificate((keys / "second.crt").read_bytes())
    signer.cert_id = counter.room.done(
        counter.room.store.do("certificate", certificate_txn, held.der, held.serial_hex, "CN=x")
    )
    return signer


def _move(counter: Counter, second: HandSigner) -> Any:
    """Hand over as the bench does; return the digest's Deferred at the first signer."""
    active: Any = counter.issue._signers
    active[UNIT] = second
    (_digest, first), counter.signer.asked = counter.signer.asked[0], []
    first.errback(Moved())
    return first


@pytest.mark.parametrize("queued", [False, True])
def test_a_moved_event_is_signed_by_the_other_with_the_number_it_has(
    counter: Counter, second: HandSigner, queued: bool
):
    counter.signer.at_once = False
    answers = counter.call("A", queued=queued)
    counter.turn()
    _move(counter, second)
    counter.turn()

    books = counter.books()
    assert [(number(1), False)] == answers
    assert [second.cert_id] == [row.cert_id for row in books["signature"]]
    assert [] == list(books["burn"])
    assert [] == counter.violations()


def test_an_event_that_is_moved_again_and_again_still_has_its_deadline(
    counter: Counter, second: HandSigner
):
    counter.signer.at_once = second.at_once = False
    answers = counter.call("A")
    counter.turn()
    _move(counter, second)
    counter.wait(2 * DEADLINE_S)
    second.answer(0)  # too late: it is burned, and stays so
    counter.turn()

    assert ["SIG_TIMEOUT"] == answers
    assert {number(1): "burned"} == {row.number: "burned" for row in counter.books()["burn"]}
    assert [] == list(counter.books()["signature"])
    assert [] == counter.violations()


def test_a_key_that_is_pulled_out_costs_no_number_and_queued_events_wait_for_it(
    counter: Counter, tmp_path: Path
):
    sm.create_identity(tmp_path / "k", tmp_path / "c", "unit", 77)
    main = Hand(counter.room.clock, SignerFiles(UNIT, tmp_path / "k", tmp_path / "c", ""))
    bench = Bench(counter.room.clock, Notes())
    bench.add(UNIT, (main,))
    now = main.certificate.not_before
    counter.issue._unsignable = lambda unit: bench.fault(unit, now, lambda _unit, _serial: None)
    nobody: Any = None
    queue = Queue(counter.room.clock, counter.room.store, counter.issue, nobody, Notes())
    queue._draw = SimpleNamespace(event=lambda params: params,
                                  draft=lambda *_: counter.room.draft("Q"))  # fmt: skip
    main.state, main.fault = "removed", "SIG_REMOVED"
    queue.submit(counter.room.draft("Q"))
    counter.turn()

    assert "SIG_REMOVED" == counter.issued("A")
    assert {} == counter.states()
    assert "SIG_REMOVED" == queue.last_refusal
    main.state = "ready"
    queue.wake()
    counter.turn()
    assert {number(1): "sealed"} == counter.states()
    queue.stop()


class Hand(UnitSigner):
    """A signer whose state is the test's."""

    def __init__(self, clock: Any, files: Any) -> None:
        super().__init__(clock, files, Notes())
        self.state = "ready"

    def become(self, state: str) -> None:
        self.state = state
        self.on_change()


def test_the_main_signer_comes_back_only_after_it_was_well_for_a_while(tmp_path: Path):
    clock = task.Clock()
    sm.create_identity(tmp_path / "k", tmp_path / "c", "unit", 77)
    files = SignerFiles(UNIT, tmp_path / "k", tmp_path / "c", "")
    main, standby = Hand(clock, files), Hand(clock, replace(files, role="standby"))
    bench = Bench(clock, Notes())
    bench.add(UNIT, (main, standby))
    seen = []
    for state, seconds in (("removed", 1), ("ready", BACK_S - 1), ("removed", 1),
                           ("ready", BACK_S - 1), ("ready", 2)):  # fmt: skip
        main.become(state)
        clock.advance(seconds)
        seen.append(bench.active[UNIT] is main)
    standby.become("failed")

    assert [False, False, False, False, True] == seen
    assert main is bench.active[UNIT]
    assert [] == clock.getDelayedCalls()


def test_a_second_signer_that_is_broken_does_not_keep_the_daemon_from_starting(tmp_path: Path):
    sm.create_identity(tmp_path / "unit.key", tmp_path / "unit.crt", "unit", 77)
    (tmp_path / "bad.crt").write_text("no certificate")
    main = KeyPlace("file", "unit.key", "unit.crt")
    for broken in (replace(main, cert="bad.crt"), replace(main, passphrase="file:none"),
                   KeyPlace("skf", cert="unit.crt", library="x.so", profile="none")):  # fmt: skip
        notes = Notes()
        unit = replace(PLAIN_UNIT, signers=(main, broken))

        bench = make_bench(None, {"H001": unit}, tmp_path, tmp_path, notes)

        assert (1, ["signer.unusable"]) == (len(bench.chain("H001")), notes.said)


@pytest_twisted.ensureDeferred
async def test_a_passphrase_comes_as_a_credential_of_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sm.create_identity(tmp_path / "unit.key", tmp_path / "unit.crt", "unit", 77)
    plain = keyfile.load_private((tmp_path / "unit.key").read_bytes(), entropy=RealEntropy())
    (tmp_path / "unit.key").write_bytes(keyfile.save_private(plain, "geheim", cipher="sm4-cbc"))
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "unit-passphrase").write_text("geheim\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    unit = replace(PLAIN_UNIT, signer_passphrase="credential:unit-passphrase")

    bench = make_bench(reactor, {"H001": unit}, tmp_path, tmp_path, Notes())
    signer = bench.active["H001"]
    signer.start()
    der = await signer.sign(signer.digest_of(b"m"))
    await signer.stop()

    assert signer.certificate.public_key.verify(b"m", der)


@pytest_twisted.ensureDeferred
async def test_a_key_file_that_fails_to_sign_gives_way_to_the_other(tmp_path: Path):
    sm.create_identity(tmp_path / "unit.key", tmp_path / "unit.crt", "unit", 77)
    place = KeyPlace("file", "unit.key", "unit.crt")
    unit = replace(PLAIN_UNIT, signers=(place, place))
    bench = make_bench(reactor, {"H001": unit}, tmp_path, tmp_path, Notes())
    main, standby = bench.chain("H001")
    for signer in bench.all():
        signer.start()
    while not all(signer.state == "ready" for signer in bench.all()):
        await task.deferLater(reactor, 0.01)

    child: Any = main._child
    os.kill(child.transport.pid, signal.SIGSTOP)
    waiting = main.sign(main.digest_of(b"m"))
    main.unsigned(999, FAILED)  # the child's word on another digest
    with pytest.raises(Moved):
        await waiting.addTimeout(5, reactor)
    der = await bench.active["H001"].sign(standby.digest_of(b"m"))
    await gatherResults(bench.stop())

    assert standby is bench.active["H001"]
    assert standby.certificate.public_key.verify(b"m", der)
