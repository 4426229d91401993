"""ippeveprinter, an IPP printer that is not ours, as a process in a directory of its own."""

from __future__ import annotations

import fcntl
import shutil
import socket
import subprocess
import time
from pathlib import Path

WAIT_S = 20

# What ippeveprinter runs for a job: takes the file, or fails as a printer without paper does.
COMMAND = """#!/bin/sh
cd "$(dirname "$0")"
env | grep ^IPP_ > "env-$IPP_JOB_ID"
if [ -e empty ]; then
    echo "STATE: +media-empty-error" >&2
    exit 1
fi
if [ -e slow ]; then sleep 2; fi
cp "$1" "page-$IPP_JOB_ID.pdf"
"""


class Peer:
    """A running ippeveprinter and its directory."""

    def __init__(self, place: Path) -> None:
        self.place = place
        command = place / "take"
        command.write_text(COMMAND)
        command.chmod(0o755)
        self.port = free_port()
        self._log = (place / "log").open("wb")
        _bus()
        words = ["ippeveprinter", "-r", "off", "-p", str(self.port), "-n", "localhost",
                 "-s", "20,20", "-f", "application/pdf,image/pwg-raster", "-c", str(command), "-k",
                 "-d", str(place), "fep test"]  # fmt: skip
        self._process = subprocess.Popen(words, stderr=self._log, stdout=self._log)
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            assert self._process.poll() is None, (self.place / "log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("ippeveprinter does not listen")

    def pages(self) -> list[bytes]:
        """Return what was printed."""
        return [path.read_bytes() for path in sorted(self.place.glob("page-*.pdf"))]

    def tell(self) -> dict[str, str]:
        """Return what the last job asked for."""
        last = max(self.place.glob("env-*"), key=lambda path: path.stat().st_mtime)
        return dict(line.split("=", 1) for line in last.read_text().splitlines())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._log.close()


def free_port() -> int:
    """Return a port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _bus() -> None:
    """ippeveprinter will not start without a name service, even when it is told not to use it.

    A machine that lost its power or was copied keeps the bus's socket and pid file without a bus
    behind them, so what counts is whether the socket answers.
    """
    run = Path("/run/dbus")
    run.mkdir(parents=True, exist_ok=True)
    with (run / "fep-test.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(run / "system_bus_socket")):
                for stale in ("pid", "system_bus_socket"):
                    (run / stale).unlink(missing_ok=True)
                subprocess.run(["dbus-daemon", "--system", "--fork"], check=True)
        if subprocess.run(["pgrep", "avahi-daemon"], capture_output=True, check=False).returncode:
            daemon = shutil.which("avahi-daemon") or "/usr/sbin/avahi-daemon"
            words = [daemon, "-D", "--no-drop-root", "--no-chroot", "--no-rlimits"]
            subprocess.run(words, check=True)
