"""Files carried by hand: several at a time, directories, and one that is not fit."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from fep.cli.common import CliFault
from fep.cli.ctl_link_batches import brought


class Desk:
    """Takes what begins with FPB1; `lost` is a daemon that went away."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.lost = False

    def call(self, method: str, *, content: str, reason: str, ack: bool) -> dict[str, Any]:
        assert ("link.import", "USB", False) == (method, reason, ack)
        raw = base64.b64decode(content)
        if self.lost:
            raise CliFault("CTL_LOST", "走了", "gone")
        if not raw.startswith(b"FPB1"):
            raise CliFault("LINK_FILE", "不能带入", "cannot")
        self.taken.append(raw)
        return {"name": "f1", "kind": "ACK", "channel": 0, "seq": 1}


def _bring(desk: Desk, *paths: Path) -> list[dict[str, Any]]:
    return brought(desk, paths, "USB", ack=False)  # type: ignore[arg-type]  # has all it asks of one


def test_one_file_that_is_not_fit_keeps_no_other_of_the_stick_out(tmp_path: Path):
    for name, content in (("a.fpb", b"FPB1a"), ("b.txt", b"notes"), ("c.fpb", b"FPB1c")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    desk = Desk()

    told = _bring(desk, tmp_path, tmp_path / "none.fpb")

    assert [b"FPB1a", b"FPB1c"] == desk.taken
    assert [("a.fpb", None), ("b.txt", "LINK_FILE"), ("c.fpb", None), ("none.fpb", "CTL_FILE")] == [
        (Path(row["path"]).name, row.get("code")) for row in told
    ]


def test_a_single_file_that_is_not_fit_and_a_daemon_that_went_are_refusals(tmp_path: Path):
    (tmp_path / "a.fpb").write_bytes(b"notes")
    (tmp_path / "b.fpb").write_bytes(b"FPB1b")
    desk = Desk()

    with pytest.raises(CliFault, match="LINK_FILE"):
        _bring(desk, tmp_path / "a.fpb")
    desk.lost = True
    with pytest.raises(CliFault, match="CTL_LOST"):
        _bring(desk, tmp_path)
