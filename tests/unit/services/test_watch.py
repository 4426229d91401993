"""What the daemon tells systemd, on a real datagram socket and a fake clock."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from fep.services.watch import Watch


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket that hears notifications."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def _heard(listener: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(listener.recv(4096).decode())
        except BlockingIOError:
            return found


def test_ready_stopping_and_status_are_told(systemd: socket.socket):
    watch = Watch(Clock(), {"NOTIFY_SOCKET": systemd.getsockname()}, lambda: True)

    watch.ready("fep 1")
    watch.status("store failed")
    watch.stopping()

    ready = f"READY=1\nSTATUS=fep 1\nMAINPID={os.getpid()}"
    assert [ready, "STATUS=store failed", "STOPPING=1"] == _heard(systemd)


def test_pings_go_out_twice_a_period_while_the_store_lives_and_not_after(systemd: socket.socket):
    clock, alive = Clock(), [True]
    environment = {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "30000000"}
    watch = Watch(clock, environment, lambda: alive[0])
    watch.ready("up")
    _heard(systemd)

    clock.pump([15.0, 15.0])
    assert ["WATCHDOG=1"] * 2 == _heard(systemd)

    alive[0] = False
    clock.pump([15.0, 15.0])
    assert [] == _heard(systemd)

    watch.stopping()
    assert [] == clock.getDelayedCalls()


def test_nobody_listening_is_no_fault(tmp_path: Path):
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        watch = Watch(Clock(), environment, lambda: True)
        watch.ready("up")
        watch.stopping()
