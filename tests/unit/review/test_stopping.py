"""Stopping and failing in order: no new call, the technician gets in, a full disk ends us."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import ensureDeferred

from fep.domain.faults import Refused
from fep.services.connection import Bounds
from fep.services.intake import DoorSettings, Intake, _DoorFactory
from fep.services.node import Node


def _intake(connections_max: int = 1) -> Intake:
    called: Any = SimpleNamespace(call=lambda caller, method, params: "answer")
    nobody: Any = None
    callers: Any = SimpleNamespace(trace=SimpleNamespace(watching=False))
    return Intake(
        nobody, nobody, callers, called, Bounds(1000, 4), nobody, version="1",
        connections_max=connections_max,
    )  # fmt: skip


def test_a_call_that_comes_after_the_doors_closed_is_refused():
    intake = _intake()
    request: Any = SimpleNamespace(method="event.submit", params={})
    caller: Any = None
    assert "answer" == intake.call(caller, request)

    ensureDeferred(intake.close_doors())

    with pytest.raises(Refused) as refused:
        intake.call(caller, request)
    assert "STOPPING" == refused.value.code


def test_leaked_connections_do_not_lock_the_technician_out():
    intake = _intake(connections_max=1)
    intake.connections.add(cast(Any, object()))
    peer = IPv4Address("TCP", "127.0.0.1", 1)

    business = _DoorFactory(intake, DoorSettings("tcp:1", False, False, True))
    control = _DoorFactory(intake, DoorSettings("control.sock", True, False, False))

    assert business.buildProtocol(peer) is None
    assert control.buildProtocol(peer) is not None


def test_a_disk_too_full_for_the_stop_note_still_ends_the_daemon():
    said: list[str] = []

    def full(_why: str) -> None:
        raise OSError(28, "No space left on device")

    log = SimpleNamespace(critical=lambda *a, **k: None, error=lambda *a, **k: said.append(a[0]))
    node: Any = SimpleNamespace(_log=log, _note_stop=full, on_fatal=said.append)

    Node._fatal(node, "disk I/O error")

    assert ["store.dead_note", "disk I/O error"] == said
