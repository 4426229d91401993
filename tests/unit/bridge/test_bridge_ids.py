"""An id is one piece of work for ever: what was done under it is told, nothing else is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fep import bridge

INI = """[bridge]
id = pc-1
server = 127.0.0.1:7600
key_file = bridge.key
[port paper]
kind = spool
queue = XP-80
"""


def test_an_id_that_comes_with_another_content_is_a_conflict_and_begins_nothing(
    tmp_path: Path, monkeypatch: Any
):
    (tmp_path / "bridge.key").write_text("0123456789abcdef" * 4, "ascii")
    (tmp_path / "bridge.ini").write_text(INI, "utf-8")
    printed: list[bytes] = []
    monkeypatch.setattr(bridge, "spool", lambda _queue, _name, body: printed.append(body))
    pc = bridge.Bridge(bridge.read_settings(tmp_path / "bridge.ini"))
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(pc, "_told", lambda id_, _name, state, *_rest: told.append((id_, state)))
    monkeypatch.setattr(pc, "_aside", lambda work, *arguments: work(*arguments))

    for body in (b"one", b"two", b"one"):
        pc._begin("job", "d1-1", "paper", 1, body)

    assert [b"one"] == printed
    assert [("d1-1", "done"), ("d1-1", "conflict"), ("d1-1", "done")] == told
