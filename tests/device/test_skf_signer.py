"""A UKEY in the signer process: pulled out and put back, refused PINs, wrong signatures, hangs,
and another signer of the unit that takes over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as untyped
from twisted.internet import task
from twisted.internet.defer import gatherResults

from fep.domain.faults import Refused
from fep.services import signing, signing_bench
from fep.services.signing import Moved, SignerFiles, UnitSigner, signer_fault
from fep.services.signing_bench import Bench
from fep.sim import sm
from tests.device.skf import PIN, UKeyRig
from tests.unit.services.counter import Notes

reactor: Any = untyped
UNIT = "H001"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One key and certificate for all tests of the module."""
    place = tmp_path_factory.mktemp("identity")
    sm.create_identity(place / "token.key", place / "token.crt", "unit", 77)
    return place


def signer_of(rig: UKeyRig, pin: str = PIN, role: str = "main") -> UnitSigner:
    files = SignerFiles(
        UNIT, rig.key, rig.cert, pin, role, rig.config(), rig.place / "mark"
    )  # fmt: skip
    return UnitSigner(reactor, files, Notes())


@asynccontextmanager
async def running(
    place: Path, identity: Path, pin: str = PIN, *, present: bool = True
) -> AsyncIterator[tuple[UKeyRig, UnitSigner]]:
    rig = UKeyRig(reactor, place, identity=identity)
    rig.token.present = present
    signer = signer_of(rig, pin)
    signer.start()
    try:
        yield rig, signer
    finally:
        await signer.stop()
        await rig.slot.close()


async def until(signer: UnitSigner, *states: str) -> None:
    for _ in range(1000):
        if signer.state in states:
            return
        await task.deferLater(reactor, 0.01)
    raise AssertionError(f"{signer.state} {signer.why}")


async def signed(signer: UnitSigner, message: bytes = b"m") -> bool:
    der = await signer.sign(signer.digest_of(message))
    return signer.certificate.public_key.verify(message, der)


def code_of(signer: UnitSigner) -> str:
    fault = signer_fault(signer)
    return fault.code if fault is not None else ""


@pytest_twisted.ensureDeferred
async def test_a_key_pulled_out_is_told_within_a_poll_and_comes_back_by_itself(
    tmp_path: Path, identity: Path
):
    async with running(tmp_path, identity) as (rig, signer):
        await until(signer, "ready")
        rig.token.pull()
        await until(signer, "removed")
        fault = signer_fault(signer)
        waiting = signer.sign(signer.digest_of(b"frozen"))
        rig.token.put_in()
        await until(signer, "ready")
        der = await waiting

        assert fault is not None
        assert ("SIG_REMOVED", True) == (fault.code, fault.fault.retryable)
        assert signer.certificate.public_key.verify(b"frozen", der)
        assert "" == code_of(signer)
        assert "SIM0001" in signer.backend


@pytest_twisted.ensureDeferred
async def test_pulled_out_in_the_middle_of_signatures_none_is_lost_or_answered_wrongly(
    tmp_path: Path, identity: Path
):
    async with running(tmp_path, identity) as (rig, signer):
        await until(signer, "ready")
        rig.token.knobs.removed_signs = 1
        messages = [f"{n}".encode() for n in range(40)]
        work = gatherResults([signer.sign(signer.digest_of(m)) for m in messages])
        await until(signer, "removed")
        rig.token.put_in()
        ders = await work

        public = signer.certificate.public_key
        assert all(public.verify(m, der) for m, der in zip(messages, ders, strict=True))


@pytest_twisted.ensureDeferred
async def test_a_key_that_is_not_there_at_the_start_is_waited_for(tmp_path: Path, identity: Path):
    async with running(tmp_path, identity, present=False) as (rig, signer):
        await until(signer, "removed")
        rig.token.put_in()

        assert await signed(signer)


@pytest_twisted.ensureDeferred
async def test_a_slot_that_was_away_for_a_moment_is_opened_again_unnoticed(
    tmp_path: Path, identity: Path
):
    async with running(tmp_path, identity) as (rig, signer):
        await until(signer, "ready")
        states = []
        signer.on_change = lambda: states.append(signer.state)
        rig.token.pull()
        rig.token.put_in()

        assert await signed(signer)
        assert "removed" not in states


@pytest_twisted.ensureDeferred
async def test_a_wrong_pin_is_tried_once_over_restarts_until_an_operator_acts(
    tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(signing, "RESTART_S", (0.01,))
    async with running(tmp_path, identity, "11111111") as (rig, signer):
        await until(signer, "failed")
        first = (code_of(signer), signer.left)
        child: Any = signer._child
        child.kill()
        await until(signer, "starting")
        await until(signer, "failed")
        again = signer_of(rig)  # a new daemon, even with the right PIN
        again.start()
        await until(again, "failed")
        await again.stop()
        tried = rig.token.calls.count("VerifyPIN")
        sentence = getattr(signer_fault(signer), "zh", "")
        signer.reset(PIN)
        await until(signer, "ready")

        assert ("SIG_PIN_WRONG", 5) == first
        assert ("SIG_PIN_WRONG", 5) == (again.fault, again.left)
        assert 1 == tried
        assert "剩余 5 次" in sentence
        assert await signed(signer)


@pytest.mark.parametrize(("pin", "tried", "end"), [(PIN, 2, "ready"), ("11111111", 1, "failed")])
@pytest_twisted.ensureDeferred
async def test_a_process_killed_in_the_middle_of_a_login_tries_again_only_if_it_cost_nothing(
    tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch, pin: str, tried: int, end: str
):
    monkeypatch.setattr(signing, "OPEN_S", 1.0)
    monkeypatch.setattr(signing, "RESTART_S", (0.01,))
    rig = UKeyRig(reactor, tmp_path, identity=identity)
    rig.token.knobs.loses, rig.token.knobs.fails_at = 1, "VerifyPIN"
    signer = signer_of(rig, pin)
    signer.start()
    await until(signer, "ready", "failed")
    await signer.stop()
    await rig.slot.close()

    assert (tried, end) == (rig.token.calls.count("VerifyPIN"), signer_end(signer))


def signer_end(signer: UnitSigner) -> str:
    return "failed" if signer.fault == "SIG_PIN_WRONG" else "ready"


@pytest_twisted.ensureDeferred
async def test_a_locked_pin_is_failed_until_reset(tmp_path: Path, identity: Path):
    rig = UKeyRig(reactor, tmp_path, identity=identity)
    rig.token.tries_left = 0
    signer = signer_of(rig)
    signer.start()
    await until(signer, "failed")
    locked = code_of(signer)
    rig.token.unlock()
    signer.reset(PIN)
    await until(signer, "ready")
    await signer.stop()
    await rig.slot.close()

    assert "SIG_PIN_LOCKED" == locked


@pytest_twisted.ensureDeferred
async def test_wrong_signatures_never_leave_and_stop_issuing_until_they_are_right(
    tmp_path: Path, identity: Path
):
    async with running(tmp_path, identity) as (rig, signer):
        await until(signer, "ready")
        rig.token.knobs.wrong_signatures = 4  # three of the call, one of the first self-test
        with pytest.raises(Refused) as refused:
            await signer.sign(signer.digest_of(b"m"))
        failing = (signer.state, code_of(signer))
        await until(signer, "ready")

        assert ("SIG_FAIL", ("failing", "SIG_FAIL")) == (refused.value.code, failing)
        assert await signed(signer)


@pytest_twisted.ensureDeferred
async def test_a_library_that_hangs_is_left_with_its_process(
    tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(signing, "HUNG_S", 0.3)
    async with running(tmp_path, identity) as (rig, signer):
        await until(signer, "ready")
        rig.token.knobs.hangs = 1

        assert await signed(signer)


@pytest.mark.parametrize("present", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_library_that_hangs_while_nobody_asks_is_left_too(
    tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch, present: bool
):
    monkeypatch.setattr(signing, "HUNG_S", 0.3)
    async with running(tmp_path, identity, present=present) as (rig, signer):
        await until(signer, "ready" if present else "removed")
        rig.token.knobs.hangs = 1
        await until(signer, "down", "starting")
        rig.token.put_in()

        assert await signed(signer)


@pytest_twisted.ensureDeferred
async def test_a_slow_key_is_no_hung_one(
    tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(signing, "HUNG_S", 0.3)
    async with running(tmp_path, identity) as (rig, signer):
        await until(signer, "ready")
        rig.token.knobs.sign_s = 0.1
        good = await gatherResults([signer.sign(signer.digest_of(b"m")) for _ in range(6)])

        assert 6 == len(good)
        assert 1 == rig.token.calls.count("VerifyPIN")


@pytest_twisted.ensureDeferred
async def test_what_a_vendors_library_prints_is_no_answer(tmp_path: Path, identity: Path):
    async with running(tmp_path, identity) as (_rig, signer):  # the stub prints at each signature
        assert all([await signed(signer, f"{n}".encode()) for n in range(20)])


@pytest_twisted.ensureDeferred
async def test_a_library_that_is_not_there_is_told(tmp_path: Path, identity: Path):
    async with running(tmp_path, identity) as (rig, _signer):
        files = SignerFiles(UNIT, rig.key, rig.cert, PIN, "main",
                            rig.config(library=str(tmp_path / "none.so")))  # fmt: skip
        other = UnitSigner(reactor, files, Notes())
        other.start()
        await until(other, "failed")
        why = getattr(signer_fault(other), "en", "")
        await other.stop()

    assert "cannot be loaded" in why


@asynccontextmanager
async def pair(tmp_path: Path, identity: Path) -> AsyncIterator[tuple[UKeyRig, Bench]]:
    """A UKEY, and a key file with a certificate of its own that stands by."""
    rig = UKeyRig(reactor, tmp_path / "slot", identity=identity)
    sm.create_identity(tmp_path / "k", tmp_path / "c", "unit", 78)
    standby = UnitSigner(
        reactor, SignerFiles(UNIT, tmp_path / "k", tmp_path / "c", "", "standby"), Notes()
    )
    bench = Bench(reactor, Notes())
    bench.add(UNIT, (signer_of(rig), standby))
    for signer in bench.all():
        signer.start()
    try:
        await gatherResults([task.deferLater(reactor, 0)])
        for signer in bench.all():
            await until(signer, "ready")
        yield rig, bench
    finally:
        await gatherResults(bench.stop())
        await rig.slot.close()


@pytest_twisted.ensureDeferred
async def test_the_standby_signs_what_the_pulled_key_had_and_the_main_one_comes_back(
    tmp_path: Path, identity: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(signing_bench, "BACK_S", 0.1)
    async with pair(tmp_path, identity) as (rig, bench):
        main, standby = bench.chain(UNIT)
        assert main is bench.active[UNIT]
        rig.token.knobs.removed_signs = 1
        waiting = [main.sign(main.digest_of(b"m")) for _ in range(3)]
        for work in waiting:
            with pytest.raises(Moved):
                await work.addTimeout(5, reactor)
        assert standby is bench.active[UNIT]
        assert await signed(standby)
        rig.token.put_in()
        for _ in range(500):
            if bench.active[UNIT] is main:
                break
            await task.deferLater(reactor, 0.01)

        assert main is bench.active[UNIT]
        assert await signed(main)


@pytest_twisted.ensureDeferred
async def test_a_revoked_or_expired_certificate_gives_way_to_the_other(
    tmp_path: Path, identity: Path
):
    now = datetime.now(UTC) + timedelta(days=1)  # the certificates are made in a moment

    def nobody(_unit: str, _serial: str) -> None:
        return None

    def of_main(_unit: str, serial: str) -> Any:
        return "revoked" if serial == main.cert_serial else None

    async with pair(tmp_path, identity) as (_rig, bench):
        main, standby = bench.chain(UNIT)
        assert None is bench.fault(UNIT, now, nobody)
        assert None is bench.fault(UNIT, now, of_main)
        assert standby is bench.active[UNIT]
        late = bench.fault(UNIT, now.replace(year=now.year + 40), nobody)

    assert late is not None
    assert "SIG_CERT_EXPIRED" == late.code
