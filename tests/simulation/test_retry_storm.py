"""Retry storms: callers that lose their lines at any moment and ask again, on a real daemon.

2,000 events are each sent 1 to 5 times over 32 connections that are cut at random points: in
the middle of a request, before its answer, in the middle of the answer, or right behind it.
Exactly 2,000 receipts exist afterwards and every answer to a key was the same one.
"""

from __future__ import annotations

import json
import queue
import random
import socket
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fep.sim import sm
from tests.harness.books import ask
from tests.harness.counter_town import CounterTown, counter_town
from tests.harness.processes import Fleet

EVENTS = 2000
LINES = 32
SENDS_MAX = 5
SEED = 20261121
TIMEOUT_S = 20.0
Answer = tuple[str, str, str, str]  # code, number, check code, amount


@dataclass
class Storm:
    """What is to be sent, and what was told; shared by the threads."""

    town: CounterTown
    work: queue.SimpleQueue[tuple[int, bool]] = field(default_factory=queue.SimpleQueue)
    told: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    cuts: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def _event(town: CounterTown, number: int) -> dict[str, Any]:
    amount = f"{10 + number % 90}.{number % 100:02d}"
    return {
        "key": f"ST-{number:05d}", "unit": town.unit, "point": town.point, "kind": town.kind,
        "payer": {"name": f"病人{number}", "type": "1"}, "total": amount,
        "items": [{"code": "0101", "name": "诊察费", "amount": amount}],
        "channels": [{"code": "02", "amount": amount}],
    }  # fmt: skip


class Line:
    """One connection of a caller; `cut` leaves the daemon with a dead peer."""

    def __init__(self, town: CounterTown) -> None:
        self._socket = socket.create_connection(("127.0.0.1", town.port), TIMEOUT_S)
        self._rest = b""
        challenge = self.hear()["params"]["challenge"]
        mac = sm.hmac_sm3(town.key("his"), f"fep1|his|{challenge}".encode()).hex()
        self.send(_call(0, "system.auth", {"appid": "his", "alg": "hmac-sm3", "mac": mac}))
        assert "result" in self.hear()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def hear(self) -> dict[str, Any]:
        while b"\n" not in self._rest:
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionError("closed")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def peek(self) -> None:
        """Read some of the answer, not all of it."""
        self._socket.recv(7)

    def cut(self) -> None:
        # A reset, not an orderly end, half of the time.
        if random.random() < 0.5:
            linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()


def _call(number: int, method: str, params: dict[str, Any]) -> bytes:
    line = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _window(storm: Storm, dice: random.Random) -> None:
    """One of the 32: takes sends off the queue; its line is cut again and again."""
    line = Line(storm.town)
    while True:
        try:
            number, last = storm.work.get_nowait()
        except queue.Empty:
            line.cut()
            return
        data = _call(number, "receipt.issue", _event(storm.town, number))
        where = "none" if last else dice.choice(("none", "none", "half", "sent", "answer"))
        try:
            if where == "half":
                line.send(data[: dice.randrange(1, len(data))])
            else:
                line.send(data)
            if where == "answer":
                line.peek()
            if where != "none":
                with storm.lock:
                    storm.cuts += 1
                line.cut()
                line = Line(storm.town)
                continue
            _keep(storm, number, line.hear())
        except OSError as error:
            storm.wrong.append(f"{number}: {error}")
            return


def _keep(storm: Storm, number: int, answer: dict[str, Any]) -> None:
    if "error" in answer:
        storm.wrong.append(f"{number}: {answer['error']['message']}")
        return
    told = answer["result"]["receipt"]
    with storm.lock:
        storm.told[told["key"]].append(
            (told["code"], told["number"], told["check_code"], told["amount"])
        )


def _sends(dice: random.Random) -> list[tuple[int, bool]]:
    """Return every send, shuffled, each event's last one uncut and in the second half."""
    early = [(n, False) for n in range(EVENTS) for _ in range(dice.randrange(0, SENDS_MAX))]
    dice.shuffle(early)
    # Some last sends meet the first ones still under way.
    sends = early + [(n, True) for n in range(EVENTS)]
    cut = len(early) // 2
    tail = sends[cut:]
    dice.shuffle(tail)
    return sends[:cut] + tail


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_2000_events_sent_again_and_again_over_broken_lines_are_2000_receipts(tmp_path: Path):
    dice = random.Random(SEED)
    with Fleet(tmp_path / "world" / "logs") as fleet:
        storm = Storm(counter_town(tmp_path, fleet))
        sends = _sends(dice)
        for send in sends:
            storm.work.put(send)
        windows = [
            threading.Thread(target=_window, args=(storm, random.Random(SEED + n)), daemon=True)
            for n in range(LINES)
        ]
        began = time.monotonic()
        for window in windows:
            window.start()
        for window in windows:
            window.join(max(180 - (time.monotonic() - began), 1))
        took_s = time.monotonic() - began
        finals = _finals(storm)
        assert 0 == fleet.children[0].stop()

    receipts = ask(
        storm.town.store,
        "SELECT e.key, r.code, r.number, r.check_code FROM receipt r"
        " JOIN event e ON e.id = r.event_id WHERE r.state = 'sealed'",
    )
    stored = {key: (code, number, check) for key, code, number, check in receipts}
    print(f"{len(sends)} sends, {storm.cuts} cuts, {took_s:.1f} s")
    assert [] == storm.wrong
    assert storm.cuts > EVENTS / 2
    assert EVENTS == len(receipts) == len(stored)
    assert EVENTS == len({row[1:3] for row in receipts})
    assert [] == [key for key, answers in storm.told.items() if len(set(answers)) != 1]
    assert stored == {key: answers[0][:3] for key, answers in storm.told.items()}
    assert stored == {key: answer[:3] for key, answer in finals.items()}


def _finals(storm: Storm) -> dict[str, Answer]:
    """Ask once more for every key on one quiet line, pipelined by fifty."""
    line, found = Line(storm.town), {}
    for first in range(0, EVENTS, 50):
        numbers = range(first, min(first + 50, EVENTS))
        line.send(b"".join(_call(n, "receipt.issue", _event(storm.town, n)) for n in numbers))
        for _ in numbers:
            told = line.hear()["result"]
            assert told["repeated"] is True
            one = told["receipt"]
            found[one["key"]] = (one["code"], one["number"], one["check_code"], one["amount"])
    line.cut()
    return found
