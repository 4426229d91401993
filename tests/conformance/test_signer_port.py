"""The signer port: one suite over the signer process with a key file, with a UKEY, and over its
stand-in in the simulation, with each implementation of SM2 that can verify."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as untyped
from twisted.internet import task
from twisted.internet.defer import Deferred, gatherResults

from fep.crypto import certs, gm
from fep.domain.faults import Refused
from fep.services.signing import PENDING_MAX, SignerFiles, UnitSigner
from fep.sim import sm
from tests.device.skf import PIN, UKeyRig
from tests.simulation.net import Hub, Reactor
from tests.unit.services.counter import Notes

reactor: Any = untyped
MESSAGE = "<EInvoice>欧阳䶮</EInvoice>".encode()
Making = Callable[[Path], AbstractAsyncContextManager[UnitSigner]]


def _files(place: Path) -> SignerFiles:
    if not (place / "k").exists():
        sm.create_identity(place / "k", place / "c", "unit", 77)
    return SignerFiles("H001", place / "k", place / "c", "")


@asynccontextmanager
async def _process(place: Path) -> AsyncIterator[UnitSigner]:
    signer = UnitSigner(reactor, _files(place), Notes())
    signer.start()
    try:
        yield signer
    finally:
        await signer.stop()


@asynccontextmanager
async def _stand_in(place: Path) -> AsyncIterator[UnitSigner]:
    hub = Hub()
    ticking = task.LoopingCall(lambda: hub.advance(0.01))
    ticking.start(0.001)
    signer = UnitSigner(Reactor(hub), _files(place), Notes())
    signer.start()
    try:
        yield signer
    finally:
        await signer.stop()
        ticking.stop()


@asynccontextmanager
async def _ukey(place: Path) -> AsyncIterator[UnitSigner]:
    files = _files(place)
    (place / "slot").mkdir()
    (place / "slot" / "token.key").symlink_to(files.key)
    (place / "slot" / "token.crt").symlink_to(files.cert)
    rig = UKeyRig(reactor, place / "slot")
    signer = UnitSigner(
        reactor, replace(files, passphrase=PIN, skf=rig.config(), mark=rig.place / "mark"), Notes()
    )
    signer.start()
    try:
        yield signer
    finally:
        await signer.stop()
        await rig.slot.close()


MAKINGS = pytest.mark.parametrize("making", [_process, _ukey, _stand_in])
PROCESSES = pytest.mark.parametrize("making", [_process, _ukey])


@MAKINGS
@pytest_twisted.ensureDeferred
async def test_a_signature_verifies_under_the_certificate_with_every_implementation(
    making: Making, tmp_path: Path
):
    async with making(tmp_path) as signer:
        der = await signer.sign(signer.digest_of(MESSAGE))

    der_of_certificate = (tmp_path / "c").read_bytes()
    public = certs.parse(der_of_certificate).public_key
    assert public.verify(MESSAGE, der)
    assert public.on(gm.NAME).verify(MESSAGE, der)
    assert sm.load_certificate(der_of_certificate).public_key.verify(MESSAGE, der)
    assert not public.verify(MESSAGE + b" ", der)
    assert not public.verify(MESSAGE, der[:-1] + bytes([der[-1] ^ 1]))


@MAKINGS
@pytest_twisted.ensureDeferred
async def test_many_at_once_are_each_answered_with_their_own_signature(
    making: Making, tmp_path: Path
):
    messages = [f"receipt {n}".encode() for n in range(300)]
    async with making(tmp_path) as signer:
        ders = await gatherResults([signer.sign(signer.digest_of(m)) for m in messages])

    public = signer.certificate.public_key
    assert [True] * 300 == [public.verify(m, der) for m, der in zip(messages, ders, strict=True)]
    assert 300 == len(set(ders))


@MAKINGS
@pytest_twisted.ensureDeferred
async def test_digests_given_before_the_signer_is_ready_are_signed_when_it_is(
    making: Making, tmp_path: Path
):
    async with making(tmp_path) as signer:
        assert "starting" == signer.state
        der = await signer.sign(signer.digest_of(MESSAGE))
        assert ("ready", "") == (signer.state, signer.why)
        assert signer.backend

    assert signer.certificate.public_key.verify(MESSAGE, der)


@MAKINGS
@pytest_twisted.ensureDeferred
async def test_the_same_bytes_may_be_signed_twice(making: Making, tmp_path: Path):
    async with making(tmp_path) as signer:
        ders = [await signer.sign(signer.digest_of(MESSAGE)) for _ in range(2)]

    assert ders[0] != ders[1]
    assert all(signer.certificate.public_key.verify(MESSAGE, der) for der in ders)


@MAKINGS
@pytest_twisted.ensureDeferred
async def test_more_than_the_bound_waiting_is_busy(making: Making, tmp_path: Path):
    async with making(tmp_path) as signer:
        waiting = [signer.sign(bytes(32)) for _ in range(PENDING_MAX)]
        with pytest.raises(Refused) as refused:
            await signer.sign(bytes(32))
        for done in waiting:
            done.addErrback(lambda failure: failure.trap(Refused))

    assert "BUSY" == refused.value.code


@MAKINGS
@pytest_twisted.ensureDeferred
async def test_a_stopped_signer_fails_what_waits_and_takes_nothing_more(
    making: Making, tmp_path: Path
):
    async with making(tmp_path) as signer:
        stopped = signer.stop()
        with pytest.raises(Refused) as refused:
            await signer.sign(bytes(32))
        await stopped

    assert ("SIG_DOWN", "stopped") == (refused.value.code, signer.state)


@MAKINGS
@pytest_twisted.ensureDeferred
async def test_the_serial_is_that_of_the_certificate(making: Making, tmp_path: Path):
    async with making(tmp_path) as signer:
        assert sm.load_certificate((tmp_path / "c").read_bytes()).serial_hex == signer.cert_serial


@MAKINGS
@pytest_twisted.ensureDeferred
async def test_four_callers_at_once_each_get_their_own(making: Making, tmp_path: Path):
    async def caller(signer: UnitSigner, name: int) -> list[bool]:
        public = signer.certificate.public_key
        good = []
        for turn in range(10):
            message = f"{name}-{turn}".encode()
            good.append(public.verify(message, await signer.sign(signer.digest_of(message))))
        return good

    async with making(tmp_path) as signer:
        callers = [Deferred.fromCoroutine(caller(signer, name)) for name in range(4)]
        answers = await gatherResults(callers)

    assert [[True] * 10] * 4 == answers


@PROCESSES
@pytest_twisted.ensureDeferred
async def test_a_child_that_crashes_is_followed_by_one_that_signs_what_it_left(
    making: Making, tmp_path: Path
):
    async with making(tmp_path) as signer:
        await signer.sign(signer.digest_of(b"first"))
        child: Any = signer._child
        first = int(child.transport.pid)
        os.kill(first, signal.SIGSTOP)
        waiting = signer.sign(signer.digest_of(MESSAGE))
        os.kill(first, signal.SIGKILL)
        der = await waiting
        child = signer._child
        second = int(child.transport.pid)

    assert signer.certificate.public_key.verify(MESSAGE, der)
    assert first != second
