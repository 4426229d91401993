"""The units are what systemd takes, and a sandbox that holds."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[3] / "systemd"
SERVICES = ("fep.service", "fep-doctor.service")
THRESHOLD = 15  # tenths: exposure 1.5
ANALYZE = shutil.which("systemd-analyze")
PR_SET_MDWE = 65
PR_MDWE_REFUSE_EXEC_GAIN = 1

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return the units with a program that exists, as verification wants it."""
    for file in (*UNITS.glob("*.service"), *UNITS.glob("*.timer")):
        text = re.sub(r"/opt/fep/venv/bin/\w+", sys.executable, file.read_text("utf-8"))
        (tmp_path / file.name).write_text(text, "utf-8")
    return tmp_path


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    return subprocess.run(
        [ANALYZE or "", *words], capture_output=True, text=True, check=False, timeout=60
    )


@needs_systemd
@pytest.mark.parametrize("name", [*SERVICES, "fep-doctor.timer"])
def test_systemd_finds_nothing_to_say_about_a_unit(installed: Path, name: str):
    done = analyze("verify", "--man=no", str(installed / name))

    assert (0, "") == (done.returncode, done.stdout + done.stderr)


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_the_exposure_of_a_service_is_below_the_threshold(installed: Path, name: str):
    done = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", str(installed / name))

    assert 0 == done.returncode, done.stdout[-300:]


@needs_systemd
def test_the_threshold_is_one_that_can_fail(installed: Path):
    bare = installed / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")

    done = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", str(bare))

    assert 0 != done.returncode


def directives(name: str) -> dict[str, str]:
    """Return the settings of a unit; the last of a name wins."""
    lines = (UNITS / name).read_text("utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return {name: value for name, _sign, value in pairs}


def test_the_daemon_is_watched_and_restarted_within_limits():
    found = directives("fep.service")

    assert {
        "Type": "notify", "Restart": "on-failure", "StateDirectory": "fep fep-witness",
        "UMask": "0077",
        "LimitCORE": "0", "User": "fep",
        "ExecStart": "/opt/fep/venv/bin/fepd run -c /etc/fep/fep.toml",
    }.items() <= found.items()  # fmt: skip
    assert int(found["WatchdogSec"]) > 0
    assert int(found["StartLimitBurst"]) > 0


def test_systemd_waits_longer_than_the_daemon_drains():
    from fep.services.process import STOP_WITHIN_S

    assert int(directives("fep.service")["TimeoutStopSec"]) > STOP_WITHIN_S


def test_the_directories_of_the_service_are_private():
    entries = [
        line.split()
        for line in (UNITS / "fep.tmpfiles").read_text("utf-8").splitlines()
        if line.startswith("d ")
    ]

    assert {"/etc/fep": "0750", "/etc/fep/keys": "0700", "/var/lib/fep": "0700"} == {
        entry[1]: entry[2] for entry in entries
    }


def _refuse_executable_memory() -> None:
    ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)


def _kernel_refuses() -> bool:
    code = "import mmap; mmap.mmap(-1, 4096, prot=7)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False,
        preexec_fn=_refuse_executable_memory,
    )  # fmt: skip
    return done.returncode != 0


def test_cryptography_and_glyphs_work_without_writable_executable_memory(tmp_path: Path):
    """MemoryDenyWriteExecute=yes, tried through the kernel's own switch (Linux 6.3)."""
    if not _kernel_refuses():
        pytest.skip("this kernel has no PR_SET_MDWE")
    code = (
        "from pathlib import Path; import sys\n"
        "from fep.crypto import selftest\n"
        "bad = [check for check in selftest.run() if not check.ok]\n"
        "assert not bad, bad\n"
        "from fep.cli.fepctl import run\n"
        "assert run(['init', sys.argv[1]]) == 0\n"
        "from PIL import Image, ImageDraw\n"
        "ImageDraw.Draw(Image.new('1', (40, 24))).text((0, 0), 'x')\n"
        "import sqlalchemy, twisted.internet.reactor, structlog, apscheduler, segno\n"
        "import fep.services.node\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "site")], capture_output=True, text=True,
        check=False, timeout=120, preexec_fn=_refuse_executable_memory,
    )  # fmt: skip

    assert (0, "") == (done.returncode, done.stderr)
