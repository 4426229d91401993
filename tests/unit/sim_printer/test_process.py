"""`fepsim printer` as a process, driven through its sockets and `ctl`."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.unit.sim_printer.bench import CUT, fence, fenced

WAIT_S = 20.0
PROGRAM = [sys.executable, "-c", "from fep.cli.sim_printer import command; command()"]


@contextmanager
def process(paper: Path, *more: str) -> Iterator[dict[str, Any]]:
    command = [*PROGRAM, "--port", "0", "--paper", str(paper), "--control", "0", *more]
    command[command.index("--control") + 1] = str(paper / "c.sock")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            ready = json.loads(child.stdout.readline())
            yield ready
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(WAIT_S)
    assert 0 == child.returncode


def talk(port: int, data: bytes, size: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as line:
        line.sendall(data)
        heard = b""
        while len(heard) < size and (chunk := line.recv(100)):
            heard += chunk
    return heard


def ctl(ready: dict[str, Any], *order: str) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, "ctl", "--control", ready["control"], *order]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S)


def test_a_process_prints_obeys_orders_and_numbers_on(tmp_path):
    with process(tmp_path, "--profile", "clone_no_procid") as ready:
        assert "clone_no_procid" == ready["profile"]
        assert b"\x00" == talk(ready["port"], b"a\n" + CUT + b"\x1dr\x01", 1)
        done = ctl(ready, "cover", "open")
        assert (0, True) == (done.returncode, json.loads(done.stdout)["cover_open"])
        refused = ctl(ready, "cover", "ajar")
        assert (1, True) == (refused.returncode, "unknown order" in refused.stderr)

    with process(tmp_path) as ready:
        assert fenced(b"AAAA") == talk(ready["port"], b"b\n" + CUT + b"c\n" + fence(b"AAAA"), 7)

    sheets = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("sheet-*.json"))]
    assert [(1, True, ["a"]), (2, True, ["b"]), (3, False, ["c"])] == [
        (sheet["sheet"], sheet["cut"], sheet["lines"]) for sheet in sheets
    ]


def test_two_processes_never_print_into_one_directory(tmp_path):
    with process(tmp_path):
        second = subprocess.run(
            [*PROGRAM, "--port", "0", "--paper", str(tmp_path)],
            capture_output=True, text=True, check=False, timeout=WAIT_S,
        )  # fmt: skip

    assert (1, True) == (second.returncode, "another printer" in second.stderr)


def test_a_port_that_is_taken_is_an_error_not_a_silent_printer(tmp_path):
    with process(tmp_path / "a") as ready:
        second = subprocess.run(
            [*PROGRAM, "--port", str(ready["port"]), "--paper", str(tmp_path / "b")],
            capture_output=True, text=True, check=False, timeout=WAIT_S,
        )  # fmt: skip

    assert 1 == second.returncode
