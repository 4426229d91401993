"""The signer process: a key of its own, restarted when it dies, told apart when it is wrong."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import task
from twisted.internet.defer import Deferred, gatherResults

from fep.crypto import certs, keyfile
from fep.crypto.errors import WrongPassphrase
from fep.domain.faults import Refused
from fep.env import RealEntropy
from fep.services import signer_process, signing
from fep.services.signing import SignerFiles, UnitSigner, signer_fault
from fep.sim import sm
from tests.unit.services.counter import Notes
from tests.unit.services.line import reactor


@pytest.fixture
def files(tmp_path: Path) -> SignerFiles:
    """A unit's key and certificate."""
    sm.create_identity(tmp_path / "k", tmp_path / "c", "unit", 77)
    return SignerFiles("H001", tmp_path / "k", tmp_path / "c", "")


async def _until(signer: UnitSigner, *states: str) -> None:
    for _ in range(1000):
        if signer.state in states:
            return
        await task.deferLater(reactor, 0.01)
    raise AssertionError(signer.state)


def _pid(signer: UnitSigner) -> int:
    child: Any = signer._child
    return int(child.transport.pid)


@pytest_twisted.ensureDeferred
async def test_a_killed_signer_comes_again_and_signs_what_was_under_way(files: SignerFiles):
    signer = UnitSigner(reactor, files, Notes())
    signer.start()
    await _until(signer, "ready")
    first = _pid(signer)
    os.kill(first, signal.SIGSTOP)  # it takes requests and answers none
    messages = [f"{n}".encode() for n in range(20)]
    work = gatherResults([signer.sign(signer.digest_of(m)) for m in messages])

    os.kill(first, signal.SIGKILL)
    ders = await work

    public = signer.certificate.public_key
    assert all(public.verify(m, der) for m, der in zip(messages, ders, strict=True))
    assert first != _pid(signer)
    assert "ready" == signer.state
    await signer.stop()


@pytest_twisted.ensureDeferred
async def test_a_signer_that_keeps_dying_is_tried_at_growing_pauses(
    files: SignerFiles, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(signing, "RESTART_S", (0.01, 0.05))
    files.key.write_text("no key")
    signer = UnitSigner(reactor, files, Notes())
    signer.start()

    for _ in range(3):
        await _until(signer, "failed")
        signer.state = "looked at"

    assert signer._failures >= 2
    await signer.stop()


@pytest_twisted.ensureDeferred
async def test_a_key_that_is_put_right_is_taken_without_a_restart_of_the_daemon(
    files: SignerFiles, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(signing, "RESTART_S", (0.05,))
    good = files.key.read_bytes()
    files.key.write_text("no key")
    signer = UnitSigner(reactor, files, Notes())
    signer.start()
    waiting = signer.sign(signer.digest_of(b"m"))
    await _until(signer, "failed")

    files.key.write_bytes(good)

    assert signer.certificate.public_key.verify(b"m", await waiting)
    assert None is signer_fault(signer)
    await signer.stop()


@pytest_twisted.ensureDeferred
async def test_a_key_of_another_certificate_is_told(files: SignerFiles, tmp_path: Path):
    sm.create_identity(tmp_path / "k2", tmp_path / "c2", "unit", 78)
    signer = UnitSigner(
        reactor, SignerFiles("H001", tmp_path / "k2", files.cert, ""), Notes()
    )  # fmt: skip
    signer.start()
    await _until(signer, "failed")

    assert "does not belong to the certificate" in signer.why
    told = signer_fault(signer)
    assert told is not None
    assert "SIG_KEY" == told.code
    assert "does not belong" in told.en
    await signer.stop()


def _encrypt(files: SignerFiles, passphrase: bytes) -> None:
    key = keyfile.load_private(files.key.read_bytes(), None, entropy=RealEntropy())
    files.key.write_bytes(keyfile.save_private(key, passphrase))


@pytest_twisted.ensureDeferred
async def test_an_encrypted_key_opens_with_its_passphrase_only(files: SignerFiles):
    _encrypt(files, b"geheim")
    told: dict[str, tuple[str, bool]] = {}
    for passphrase in ("geheim", "wrong", ""):
        notes = Notes()
        each = SignerFiles(files.unit, files.key, files.cert, passphrase)
        signer = UnitSigner(reactor, each, notes)
        signer.start()
        await _until(signer, "ready", "failed")
        told[passphrase] = (signer.state, "geheim" in signer.why)
        await signer.stop()

    assert {
        "geheim": ("ready", False), "wrong": ("failed", False), "": ("failed", False),
    } == told  # fmt: skip


@pytest_twisted.ensureDeferred
async def test_the_signals_that_stop_the_daemon_do_not_stop_its_signer(files: SignerFiles):
    signer = UnitSigner(reactor, files, Notes())
    signer.start()
    await _until(signer, "ready")
    pid = _pid(signer)

    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)
    der = await signer.sign(signer.digest_of(b"m"))

    assert signer.certificate.public_key.verify(b"m", der)
    assert pid == _pid(signer)
    await signer.stop()


@pytest_twisted.ensureDeferred
async def test_the_passphrase_is_not_in_the_command_line_or_environment_of_the_signer(
    files: SignerFiles,
):
    _encrypt(files, b"a secret")
    signer = UnitSigner(reactor, SignerFiles("H001", files.key, files.cert, "a secret"), Notes())
    signer.start()
    await _until(signer, "ready")
    place = Path(f"/proc/{_pid(signer)}")
    shown = b"".join((place / name).read_bytes() for name in ("cmdline", "environ"))
    await signer.stop()

    assert b"signer_process" in shown
    assert b"a secret" not in shown


@pytest_twisted.ensureDeferred
async def test_a_stop_during_the_pause_before_a_restart_fails_what_waits(files: SignerFiles):
    files.key.write_text("no key")
    signer = UnitSigner(reactor, files, Notes())
    signer.start()
    waiting: Deferred[Any] = signer.sign(bytes(32))
    for _ in range(1000):
        if signer._restart is not None:
            break
        await task.deferLater(reactor, 0.01)

    await signer.stop()

    with pytest.raises(Refused) as refused:
        await waiting.addTimeout(5, reactor)
    assert "SIG_DOWN" == refused.value.code
    assert "stopped" == signer.state


@pytest_twisted.ensureDeferred
async def test_a_hung_signer_is_replaced_and_what_it_held_is_signed(
    files: SignerFiles, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(signing, "HUNG_S", 0.1)
    signer = UnitSigner(reactor, files, Notes())
    signer.start()
    await _until(signer, "ready")
    os.kill(_pid(signer), signal.SIGSTOP)

    der = await signer.sign(signer.digest_of(b"frozen"))

    assert signer.certificate.public_key.verify(b"frozen", der)
    await signer.stop()


@pytest_twisted.ensureDeferred
async def test_a_stop_does_not_wait_for_a_hung_signer(
    files: SignerFiles, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(signing, "HUNG_S", 0.1)
    signer = UnitSigner(reactor, files, Notes())
    signer.start()
    await _until(signer, "ready")
    os.kill(_pid(signer), signal.SIGSTOP)

    await signer.stop()

    assert "stopped" == signer.state


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command")
@pytest.mark.parametrize(
    "made",
    [
        "pkcs8 -topk8 -in k -v2 aes-256-cbc",
        "pkcs8 -topk8 -in k -v2 sm4-cbc",
        "pkcs8 -topk8 -in k -v2 aes-256-cbc -outform DER",
        "pkcs12 -export -inkey k -in c",
        "pkcs12 -export -inkey k -in c -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1",
        "pkcs12 -export -inkey k -in c -keypbe SM4-CBC -certpbe SM4-CBC -macalg sm3",
    ],
)  # fmt: skip
def test_the_signer_opens_every_form_of_encrypted_key_with_its_certificate(
    files: SignerFiles, made: str
):
    place = files.key.parent
    command = ["openssl", *made.split(), "-passout", "pass:geheim", "-out", "s"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    config = {"key": str(place / "s"), "cert": str(files.cert), "passphrase": "geheim"}

    key = signer_process._open(config)

    public = certs.parse(files.cert.read_bytes()).public_key
    assert public.verify_digest(bytes(32), key.sign_digest(bytes(32)))
    with pytest.raises(WrongPassphrase):
        signer_process._open(config | {"passphrase": "wrong"})
