"""The platform's book, asked over channel 3 of FPB/1 (manual: fpb1.md, record RECON).

A question is a letter: carried, repeated and answered like everything on the link, so a gate
that is closed for the night only delays it. The answer arrives as records on channel 3 and is
looked for in the store; after `patience_s` it counts as silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred

from fep.domain.faults import refuse
from fep.domain.reconcile import Line, Total, with_state
from fep.domain.reconcile_check import CHUNK, Findings, findings_of, rows_of, there
from fep.store.link import RECONCILIATION
from fep.store.link_letters import letter_q, letter_txn
from fep.store.reconcile_answers import OP, answer_q, read_txn
from fep.store.writer import Store
from fep.wire.fpb_record import idem

LOOK_S: Final = 1.0


class LinkBook:
    """The platform's book behind the gate."""

    def __init__(
        self, reactor: Any, store: Store, dest: str, *, now_ms: Callable[[], int],
        wake: Callable[[], None], patience_s: float, look_s: float = LOOK_S,
    ) -> None:  # fmt: skip
        self._reactor = reactor
        self._store = store
        self._dest = dest
        self._now_ms = now_ms
        self._wake = wake
        self._patience_s = patience_s
        self._look_s = look_s
        self._asked = 0
        self._stopped = False
        self._waiting: tuple[Any, Deferred[None]] | None = None

    async def totals(self, day: str) -> Sequence[Total]:
        """Return what the platform holds of a day of issue. Raises Refused REC_*."""
        parts = await self._ask({"what": "totals", "day": day})
        return [_total(row) for part in parts for row in _rows(part, "totals")]

    async def lines(self, day: str, code: str, kind: str) -> Sequence[Line]:
        """Return the platform's receipts of a code and kind. Raises Refused REC_*."""
        parts = await self._ask({"what": "lines", "day": day, "code": code, "kind": kind})
        return [_line(code, kind, row) for part in parts for row in _rows(part, "lines")]

    async def check(self, lines: Sequence[Line]) -> Sequence[Line]:
        """Return those of some receipts that the platform holds. Raises Refused REC_*.

        For a province whose dialect knows single receipts only; each question is answered in
        its acknowledgement.
        """
        asked = []
        for unit in sorted({line.unit for line in lines}):
            rows = [line for line in lines if line.unit == unit]
            for start in range(0, len(rows), CHUNK):
                chunk = rows[start : start + CHUNK]
                question: dict[str, object] = {
                    "what": "check", "unit": unit, "receipts": rows_of(chunk),
                }  # fmt: skip
                asked.append((chunk, (await self._post(question))[1]))
        self._wake()
        found: list[Line] = []
        for chunk, identity in asked:
            told = await self._detail(identity)
            if told.doubt:
                raise refuse("REC_UNABLE", why=f"{len(told.doubt)} receipts in doubt")
            found += there(chunk, told)
        return found

    async def _detail(self, identity: str) -> Findings:
        """Return the answer that stands in the acknowledgement of a question."""
        waited_s = 0.0
        while waited_s <= self._patience_s and not self._stopped:
            fate = self._store.read(letter_q, self._dest, RECONCILIATION, identity)
            if fate is not None and fate.state == "applied":
                try:
                    return findings_of(fate.detail)
                except ValueError as error:
                    raise refuse("REC_UNABLE", why=f"check: {error}"[:200]) from error
            if fate is not None and fate.state in ("rejected", "conflict"):
                raise refuse("REC_UNABLE", why=f"{fate.result} {fate.detail}"[:200])
            await self._pause()
            waited_s += self._look_s
        raise refuse("REC_SILENT", minutes=int(self._patience_s // 60))

    def stop(self) -> None:
        """Wait for nothing more."""
        self._stopped = True
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            timer, done = waiting
            timer.cancel()
            done.callback(None)

    async def _post(self, question: dict[str, object]) -> tuple[str, str]:
        """Write a question; returns its name and its identity."""
        self._asked += 1
        ask = f"{self._now_ms()}.{self._asked}"
        identity = idem("", ask, OP, "0")
        body = {"ask": ask, "at": self._now_ms(), "number": ask, **question}
        await self._store.do(
            "reconcile.ask", letter_txn, self._dest, RECONCILIATION, OP, identity, body
        )
        return ask, identity

    async def _ask(self, question: dict[str, object]) -> list[dict[str, Any]]:
        ask, identity = await self._post(question)
        self._wake()
        waited_s = 0.0
        while waited_s <= self._patience_s and not self._stopped:
            found = self._store.read(answer_q, self._dest, ask)
            if found is not None:
                await self._store.do("reconcile.read", read_txn, self._dest, ask)
                return _willing(found)
            fate = self._store.read(letter_q, self._dest, RECONCILIATION, identity)
            if fate is not None and fate.state in ("rejected", "conflict"):
                raise refuse("REC_UNABLE", why=f"{fate.result} {fate.detail}"[:200])
            await self._pause()
            waited_s += self._look_s
        raise refuse("REC_SILENT", minutes=int(self._patience_s // 60))

    def _pause(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()

        def over() -> None:
            self._waiting = None
            done.callback(None)

        self._waiting = (self._reactor.callLater(self._look_s, over), done)
        return done


def _willing(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts. Raises Refused REC_UNABLE when the platform says that it cannot."""
    refused = parts[0].get("refused")
    if refused:
        raise refuse("REC_UNABLE", why=str(refused)[:200])
    return parts


def _rows(part: dict[str, Any], name: str) -> list[Any]:
    rows = part.get(name)
    if not isinstance(rows, list):
        raise refuse("REC_UNABLE", why=f"{name}?")
    return rows


_FIGURES = ("blue", "blue_fen", "red", "red_fen", "reversed", "written_off", "booked")


def _total(row: Any) -> Total:  # a JSON value of a stranger
    try:
        blue, blue_fen, red, red_fen, turned, off, booked = (int(row[name]) for name in _FIGURES)
        return Total(str(row["code"]), str(row["kind"]), blue, blue_fen, red, red_fen, turned,
                     off, booked, str(row.get("digest", "")))  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise refuse("REC_UNABLE", why=f"totals: {error!r}"[:200]) from error


def _line(code: str, kind: str, row: Any) -> Line:  # a JSON value of a stranger
    try:
        number, fen, state = row
        return with_state(Line(code, str(number)[:10], kind, int(fen)), str(state))
    except (TypeError, ValueError) as error:
        raise refuse("REC_UNABLE", why=f"lines: {error!r}"[:200]) from error
