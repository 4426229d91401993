"""A private cupsd with one raw queue, as the peer that `bench print` is measured against.

Its spool, socket and logs are below one directory; nothing of the machine's own CUPS is
touched. Jobs are queued while the queue is stopped, so that submitting costs it nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.harness.processes import Child, Fleet, wait_until

QUEUE = "bench"
_CUPSD = """Listen {place}/state/cups.sock
LogLevel error
MaxJobs 0
PreserveJobHistory No
Browsing No
WebInterface No
<Location />
Order allow,deny
Allow all
</Location>
<Location /admin>
Order allow,deny
Allow all
</Location>
<Policy default>
<Limit All>
Order deny,allow
</Limit>
</Policy>
"""
_FILES = """ServerRoot {place}/server
RequestRoot {place}/spool
CacheDir {place}/cache
StateDir {place}/state
TempDir {place}/tmp
AccessLog {place}/log/access
ErrorLog {place}/log/error
PageLog {place}/log/page
SystemGroup root
"""


def missing() -> str:
    """Return what CUPS lacks on this machine, empty when it can run."""
    lacks = [name for name in ("cupsd", "lpadmin", "lp", "cupsenable") if _program(name) is None]
    if not Path("/usr/lib/cups/backend/socket").exists():
        lacks.append("the socket backend (apt-get install --no-install-recommends cups)")
    if os.geteuid() != 0:
        lacks.append("being run by the superuser")
    return ", ".join(lacks)


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


class Cups:
    """One cupsd. Start it in a directory whose parents anybody may enter."""

    def __init__(self, place: Path, fleet: Fleet, port: int) -> None:
        for name in ("spool", "cache", "state", "server", "log", "tmp"):
            (place / name).mkdir(parents=True)
        place.chmod(0o755)  # its backend runs as another user
        self.place = place
        self.job = place / "job.bin"
        (place / "server" / "cupsd.conf").write_text(_CUPSD.format(place=place), "utf-8")
        (place / "server" / "cups-files.conf").write_text(_FILES.format(place=place), "utf-8")
        socket = place / "state" / "cups.sock"
        self._environment = {**os.environ, "CUPS_SERVER": str(socket)}
        self.child: Child = fleet.start(
            "cupsd",
            [
                _program("cupsd") or "cupsd", "-f", "-c", str(place / "server" / "cupsd.conf"),
                "-s", str(place / "server" / "cups-files.conf"),
            ],
        )  # fmt: skip
        wait_until(socket.exists, "cupsd listens", timeout_s=20, children=[self.child])
        # Asking for supplies by SNMP would only slow it down here.
        self._run(
            "lpadmin", "-p", QUEUE, "-E", "-v", f"socket://127.0.0.1:{port}/?snmp=false",
            "-o", "printer-error-policy=retry-current-job",
        )  # fmt: skip

    def fill(self, count: int) -> None:
        """Queue the file `job` so many times; nothing is printed yet."""
        self._run("cupsdisable", QUEUE)
        for _ in range(count):
            self._run("lp", "-d", QUEUE, "-o", "raw", str(self.job))

    def release(self) -> None:
        """Begin to print."""
        self._run("cupsenable", QUEUE)

    def _run(self, name: str, *words: str) -> None:
        subprocess.run(
            [_program(name) or name, *words], env=self._environment, check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=30,
        )  # fmt: skip
