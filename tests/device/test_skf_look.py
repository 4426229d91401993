"""`fepctl keys look`: what is in a UKEY, told without its PIN, whatever the library does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor as untyped
from twisted.internet.threads import deferToThread

from fep.sim import sm
from tests.device.skf import UKeyRig
from tests.harness.town import program

reactor: Any = untyped


def fepctl(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run([program("fepctl"), *words], capture_output=True, text=True, timeout=60)


@pytest_twisted.ensureDeferred
async def test_names_and_certificates_are_shown_and_saved_without_a_pin(tmp_path: Path):
    rig = UKeyRig(reactor, tmp_path)
    (tmp_path / "out").mkdir()
    words = ("keys", "look", str(rig.library), "--cert-dir", str(tmp_path / "out"))
    done = await deferToThread(fepctl, *words, "--json")
    rig.token.knobs.fails, rig.token.knobs.fails_at = 1, "OpenContainer"
    broken = await deferToThread(fepctl, "keys", "look", str(rig.library))
    rig.token.pull()
    empty = await deferToThread(fepctl, "keys", "look", str(rig.library), "--lang", "en")
    await rig.slot.close()

    (device,) = json.loads(done.stdout)["devices"]
    (application,) = device["applications"]
    (container,) = application["containers"]
    saved = (tmp_path / "out" / "4d.crt").read_bytes()
    assert ("SIM0001", "FEP", "unit") == (device["serial"], application["name"], container["name"])
    assert sm.load_certificate(rig.cert.read_bytes()).der == saved
    assert "OpenContainer: 0x0A000001 FAIL" in broken.stdout
    assert "no UKEY is plugged in" in empty.stdout
    assert "VerifyPIN" not in rig.token.calls
    assert not rig.token._handles


def test_what_is_no_library_and_what_is_no_profile_are_told(tmp_path: Path):
    (tmp_path / "none.so").write_text("x")

    library = fepctl("keys", "look", str(tmp_path / "none.so"), "--lang", "en")
    profile = fepctl("keys", "look", str(tmp_path / "none.so"), "--profile", "x", "--lang", "en")

    assert (1, 1) == (library.returncode, profile.returncode)
    assert "cannot be loaded" in library.stderr
    assert "there is no profile x" in profile.stderr
