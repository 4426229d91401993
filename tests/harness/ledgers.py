"""The witnesses outside the store: what the HIS was told, the province holds, paper shows.

Read-only. Each reader accepts a ledger that a crash has cut short in its last line.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CODE = re.compile(r"票据代码\D{0,4}(\d{8})(?!\d)")
_NUMBER = re.compile(r"票据号码\D{0,4}(\d{10})(?!\d)")
_REPRINT = re.compile(r"补打\D{0,4}(\d+)")


@dataclass(frozen=True, slots=True)
class Acked:
    """One acknowledgement the HIS wrote down."""

    key: str
    unit: str
    code: str
    number: str
    check_code: str
    amount_fen: int
    payer: str
    kind: str
    acked_at: int
    repeated: bool
    phase: str = ""

    @property
    def ref(self) -> str:
        """Return code-number."""
        return f"{self.code}-{self.number}"


@dataclass(frozen=True, slots=True)
class Effect:
    """One receipt that took effect at the province."""

    code: str
    number: str
    event_key: str
    amount_fen: int
    kind: str
    unit_signature_ok: bool
    applied_at: int

    @property
    def ref(self) -> str:
        """Return code-number."""
        return f"{self.code}-{self.number}"


@dataclass(frozen=True, slots=True)
class Province:
    """The report of the simulated province."""

    granted: tuple[tuple[str, int, int], ...]
    receipts: tuple[Effect, ...]
    rejected: tuple[tuple[str, str], ...]
    conflicts: int
    duplicate_records: int
    bad_signatures: int
    gaps: tuple[str, ...]
    money_fen: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of paper; `ref` is empty when it is no receipt (a test page)."""

    name: str
    ref: str
    cut: bool
    reprint: int
    text: str
    qr: tuple[str, ...]


def his(path: Path) -> list[Acked]:
    """Return what the HIS was told, in order."""
    names = set(Acked.__dataclass_fields__)
    return [
        Acked(**{name: value for name, value in entry.items() if name in names})
        for entry in _lines(path)
    ]


def refused(path: Path) -> list[dict[str, Any]]:
    """Return the calls that ended without a receipt: `path` is the HIS file itself."""
    return _lines(path.with_name(path.name + ".refused"))


def province(report: dict[str, Any]) -> Province:
    """Return the report of `fepsim province report --json` as a value."""
    names = set(Effect.__dataclass_fields__)
    return Province(
        granted=tuple((g["code"], int(g["first"]), int(g["last"])) for g in report["granted"]),
        receipts=tuple(
            Effect(**{name: value for name, value in entry.items() if name in names})
            for entry in report["receipts"]
        ),
        rejected=tuple((f"{r['code']}-{r['number']}", r["reason"]) for r in report["rejected"]),
        conflicts=int(report["conflicts"]),
        duplicate_records=int(report["duplicate_records"]),
        bad_signatures=int(report["bad_signatures"]),
        gaps=tuple(f"{gap['code']}-{gap['number']}" for gap in report["gaps"]),
        money_fen=int(report["money_fen"]),
    )


def acquirer(path: Path) -> list[dict[str, Any]]:
    """Return the movements of money at the simulated acquirer, oldest first."""
    return _lines(path)


def paper(directory: Path) -> list[Sheet]:
    """Return every sheet that came out, in order; cut or torn."""
    return [_sheet(path) for path in sorted(directory.glob("sheet-*.json"))]


def _sheet(path: Path) -> Sheet:
    entry = json.loads(path.read_text("utf-8"))
    text = "\n".join(entry["lines"])
    code, number = _CODE.search(text), _NUMBER.search(text)
    reprint = _REPRINT.search(text)
    return Sheet(
        name=path.stem,
        ref=f"{code.group(1)}-{number.group(1)}" if code and number else "",
        cut=bool(entry["cut"]),
        reprint=int(reprint.group(1)) if reprint else 0,
        text=text,
        qr=tuple(entry["qr"]),
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    text = path.read_text("utf-8")
    whole = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines() if line.strip()]
