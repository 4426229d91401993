"""What becomes of receipts later, as a hospital does it: refunds, paper, prints.

Two rules: of ten receipts one is reversed and one exchanged for paper; a refusal is counted by
its fault and never retried with other content. Reversals go into the ledger as receipts.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

from fep.env import RealClock
from fep.sim.his_ledger import Ledger
from fep.sim.his_line import Line, connect
from fep.sim.ports import wall_ms

REVERSED, EXCHANGED, REPRINTED = 3, 6, 9  # of ten receipts, which one
VOID_EVERY, AGAIN_EVERY = 4, 5  # of the exchanges


class _Life:
    """One run over receipts that were issued."""

    def __init__(self, line: Line, point: str, ledger: Ledger | None) -> None:
        self._line = line
        self._point = point
        self._ledger = ledger
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    async def of(self, place: int, entry: dict[str, Any]) -> None:
        """Let the receipt in that place live on."""
        turn = (place + place // 40) % 10  # so that every kind has its turn
        if turn == REVERSED:
            await self._reverse(entry)
        elif turn == EXCHANGED:
            await self._exchange(entry, place // 10)
        elif turn == REPRINTED and place // 10 % 2:
            told = await self._ask(
                "print.again", code=entry["code"], number=entry["number"], reason="票据遗失"
            )
            self.done["reprinted"] += told is not None

    async def _reverse(self, entry: dict[str, Any]) -> None:
        wish = {
            "unit": entry["unit"], "key": f"RED{entry['key']}"[:50], "code": entry["code"],
            "number": entry["number"], "reason": "患者退费", "operator": "王芳",
        }  # fmt: skip
        told = await self._ask("receipt.reverse", **wish)
        again = await self._ask("receipt.reverse", **wish)
        if told is None or again is None:
            return
        red = told["receipt"]
        if (again["receipt"]["number"], again["repeated"]) != (red["number"], True):
            self.refused["SIM_ANSWER"] += 1
            return
        self.done["reversed"] += 1
        if self._ledger is not None:
            self._ledger.acked({
                **entry, "key": wish["key"], "code": red["code"], "number": red["number"],
                "check_code": red["check_code"], "amount_fen": -entry["amount_fen"],
                "acked_at": wall_ms(RealClock()), "repeated": False, "phase": "reverse",
            })  # fmt: skip

    async def _exchange(self, entry: dict[str, Any], place: int) -> None:
        at = {"unit": entry["unit"], "point": self._point}
        if place % VOID_EVERY == 0:
            blank = await self._ask("paper.next", **at)
            if blank is not None:
                sheet = blank["sheet"]
                told = await self._ask(
                    "paper.void", **at, first=sheet, last=sheet, reason="卡纸损坏"
                )
                self.done["voided"] += told is not None
        wish = {**at, "code": entry["code"], "number": entry["number"]}
        told = await self._ask("paper.exchange", **wish)
        self.done["exchanged"] += told is not None
        if told is not None and place % AGAIN_EVERY == 0:
            again = await self._ask("paper.reexchange", **wish, reason="打印错位")
            self.done["exchanged_again"] += again is not None

    async def _ask(self, method: str, **params: Any) -> Any:
        answer = await self._line.call(method, json.dumps(params, ensure_ascii=False).encode())
        error = answer.get("error")
        if error is None:
            return answer["result"]
        self.refused[str((error.get("data") or {}).get("fault") or error.get("code"))] += 1
        return None


def run_life(connect_to: str, appid: str, key: bytes, *, ledger: Path, phase: str,
             point: str) -> dict[str, Any]:  # fmt: skip
    """Let the receipts of a phase in the ledger live on; return what was done and refused."""
    entries = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
    issued = {
        (entry["code"], entry["number"]): entry
        for entry in entries
        if entry["phase"] == phase and entry["amount_fen"] > 0 and entry["code"]
    }
    return asyncio.run(_run(connect_to, appid, key, list(issued.values()), ledger, point))


async def _run(connect_to: str, appid: str, key: bytes, issued: list[dict[str, Any]],
               path: Path, point: str) -> dict[str, Any]:  # fmt: skip
    ledger = Ledger(path, lambda n: None)
    line = await connect(connect_to, appid, key)
    life = _Life(line, point, ledger)
    try:
        for place, entry in enumerate(issued):
            await life.of(place, entry)
    finally:
        line.abort()
        await asyncio.get_running_loop().run_in_executor(None, ledger.close)
    return {"done": dict(life.done), "refused": dict(life.refused)}
