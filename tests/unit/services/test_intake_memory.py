"""Unfinished lines of all callers together are bounded; who sends too much comes again."""

from __future__ import annotations

from typing import Any

from twisted.internet import task
from twisted.internet.testing import StringTransport

from fep.services.callers import Caller
from fep.services.connection import Bounds, Connection

EVERY = frozenset({"*"})


class _Door:
    """A door of a machine with very little memory."""

    frame_mac = False
    version = "0"
    bounds = Bounds(1 << 20, 8)

    def __init__(self, room: int) -> None:
        self.held, self.room = 0, room

    def challenge(self) -> str:
        return "00"

    def greet(self, _connection: Connection) -> Caller:
        return Caller("his", frozenset(), EVERY, EVERY)

    def call(self, _caller: Caller, _request: Any) -> str:
        return "done"

    def reference(self) -> str:
        return "ref"

    def lost(self, _connection: Connection) -> None:
        pass

    def hold(self, more: int) -> bool:
        self.held += more
        return more <= 0 or self.held <= self.room


def _connected(door: _Door) -> tuple[Connection, StringTransport]:
    connection, transport = Connection(task.Clock(), door, None), StringTransport()
    connection.makeConnection(transport)
    transport.clear()
    return connection, transport


def test_a_caller_that_fills_the_memory_is_told_busy_and_its_connection_lives():
    door = _Door(room=100)
    connection, transport = _connected(door)

    connection.dataReceived(b"x" * 200)

    assert b'"fault":"BUSY"' in transport.value()
    assert 0 == door.held
    transport.clear()
    connection.dataReceived(b'x\n{"jsonrpc":"2.0","id":7,"method":"m"}\n')
    assert b'"REQ_TOO_BIG"' in transport.value()
    assert b'"id":7,"result":"done"' in transport.value()


def test_what_a_lost_connection_held_is_free_again():
    door = _Door(room=1000)
    connection, _ = _connected(door)
    connection.dataReceived(b"x" * 400)
    assert 400 == door.held

    connection.connectionLost()

    assert 0 == door.held
