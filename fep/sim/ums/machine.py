"""The terminal behind the library, and its acquirer's ledger: what is asked twice is paid twice.

The ledger is a file of JSON lines, durable before the cashier hears of it; batch and newest slip
are told by it, so that a restart forgets nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from fep.sim.knobs import Turned
from fep.sim.ums.record import Answer, Asked, parse

ANSWERS = ("approve", "decline", "cancel", "unsure")
CRASHES = ("", "before_host", "after_host")
_MOVES = {"00": "pay", "08": "pay", "01": "void", "02": "refund"}


@dataclass(slots=True)
class Knobs(Turned):
    """What can be turned. `crash` and the counts strike once each; seconds otherwise."""

    WORDS: ClassVar[Mapping[str, tuple[str, ...]]] = {"answer": ANSWERS, "crash": CRASHES}

    card_s: float = 0.0
    answer: str = "approve"
    crash: str = ""
    hang: bool = False
    wrong_nonces: int = 0
    wrong_amounts: int = 0
    short_replies: int = 0


class Machine:
    """Answers one record at a time."""

    def __init__(self, ledger: Path, now: Callable[[], datetime], knobs: Knobs) -> None:
        self.knobs = knobs
        self._path = ledger
        self._now = now
        self.lines: list[dict[str, Any]] = []
        if ledger.exists():
            self.lines = [json.loads(line) for line in ledger.read_bytes().split(b"\n")[:-1]]

    @property
    def batch(self) -> int:
        """Return the number of the open batch."""
        return 1 + len([line for line in self.lines if line["op"] == "settle"])

    def answer(self, raw: bytes) -> bytes | None:
        """Return the reply, None for a library that dies before it could say anything."""
        try:
            asked = parse(raw)
        except ValueError as error:
            return Answer("PR", "   ", text=str(error)).build()
        move = _MOVES.get(asked.type)
        if move is not None:
            return self._moved(asked, move)
        if asked.type == "05":
            return self._told(asked, "00", "签到成功").build()
        if asked.type == "04":
            return self._newest(asked).build()
        if asked.type in ("06", "07"):
            return self._settled(asked).build()
        return self._told(asked, "PR", "不支持").build()

    def _moved(self, asked: Asked, move: str) -> bytes | None:
        knobs = self.knobs
        crash, knobs.crash = knobs.crash, ""
        if crash == "before_host":
            return None
        words = {"decline": ("51", "余额不足"), "cancel": ("XC", "持卡人取消"),
                 "unsure": ("98", "超时")}  # fmt: skip
        if knobs.answer in words:
            if knobs.answer == "unsure":
                self._book(asked, move)
            return self._told(asked, *words[knobs.answer]).build()
        if move != "pay" and not self._original(asked, move):
            return self._told(asked, "25", "原交易不存在").build()
        line = self._book(asked, move)
        if crash == "after_host":
            return None
        nonce = "000" if asked.nonce != "000" else "111"
        amount = int(asked.amount) + int(knobs.strikes("wrong_amounts"))
        told = self._slip(
            line, nonce if knobs.strikes("wrong_nonces") else asked.nonce, amount
        ).build()
        return told[:100] if knobs.strikes("short_replies") else told

    def _book(self, asked: Asked, move: str) -> dict[str, Any]:
        trace = 1 + sum(line["op"] != "settle" for line in self.lines)
        line = {
            "op": move, "fen": int(asked.amount), "trace": f"{trace:06d}", "ref": f"{trace:012d}",
            "of": asked.trace or asked.ref, "batch": self.batch, "nonce": asked.nonce,
            "at": f"{self._now():%m%d%H%M%S}",
        }  # fmt: skip
        self._write(line)
        return line

    def _write(self, line: dict[str, Any]) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            os.write(handle, json.dumps(line).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        self.lines.append(line)

    def _original(self, asked: Asked, move: str) -> bool:
        name, value = ("trace", asked.trace) if move == "void" else ("ref", asked.ref)
        return any(
            line["op"] == "pay" and line[name] == value
            and (move == "refund" or line["batch"] == self.batch)
            for line in self.lines
        )  # fmt: skip

    def _slip(self, line: dict[str, Any], nonce: str, amount: int) -> Answer:
        return Answer(
            "00", nonce, amount, "621700*********1234", line["trace"], "交易成功",
            f"{line['batch']:06d}", line["at"], line["ref"], "A00001",
            f"签购单 凭证号 {line['trace']} 金额 {_yuan(amount)}",
        )  # fmt: skip

    def _told(self, asked: Asked, code: str, text: str, slip: str = "") -> Answer:
        return Answer(code, asked.nonce, text=text, batch=f"{self.batch:06d}",
                      at=f"{self._now():%m%d%H%M%S}", slip=slip)  # fmt: skip

    def _newest(self, asked: Asked) -> Answer:
        paid = [line for line in self.lines if line["op"] != "settle"]
        if not paid:
            return self._told(asked, "25", "无交易")
        return self._slip(paid[-1], asked.nonce, int(paid[-1]["fen"]))

    def _settled(self, asked: Asked) -> Answer:
        batch = self.batch - (asked.type == "07")
        moved = [line for line in self.lines if line["batch"] == batch and line["op"] != "settle"]
        count = {op: [x["fen"] for x in moved if x["op"] == op] for op in ("pay", "void", "refund")}
        sold = len(count["pay"]) - len(count["void"])
        sold_fen = sum(count["pay"]) - sum(count["void"])
        slip = (
            f"结算单 批次 {batch:06d}\n消费 {sold} {_yuan(sold_fen)}\n"
            f"退货 {len(count['refund'])} {_yuan(sum(count['refund']))}\n"
        )
        if asked.type == "07" and batch < 1:
            return self._told(asked, "25", "无结算")
        answer = Answer("00", asked.nonce, text="结算成功", batch=f"{batch:06d}",
                        at=f"{self._now():%m%d%H%M%S}", slip=slip)  # fmt: skip
        if asked.type == "06":
            self._write({"op": "settle", "batch": batch})
        return answer

    async def obey(self, words: Sequence[str]) -> dict[str, object]:
        """Carry an order of the control socket out. Raises ValueError."""
        if words[0] == "set" and len(words) == 2 and "=" in words[1]:
            name, _, value = words[1].partition("=")
            self.knobs.turn(name, value)
        elif words != ["state"]:
            raise ValueError("set KNOB=VALUE or state")
        return {"batch": self.batch, "lines": len(self.lines)}


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
