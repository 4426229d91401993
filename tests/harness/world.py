"""What a checker looks at, and how it says what it found."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.books import Books, read
from tests.harness.ledgers import Acked, Province, Sheet, acquirer, his, paper, province, refused


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise; `invariant` is I1 … I14 of the design."""

    invariant: str
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.detail}"


@dataclass
class World:
    """The store and its independent witnesses at one moment.

    `quiescent`: nothing is under way any more, so nothing may be half-way either.
    `outages` are (from_ms, to_ms) during which the store had failed (I14).
    A witness that was not there is None and is not held against anybody. `tests` are the
    units whose receipts are 样票: they never leave the machine.
    """

    books: Books
    certificates: list[bytes] = field(default_factory=list)
    his: list[Acked] | None = None
    refused: list[dict[str, Any]] = field(default_factory=list)
    province: Province | None = None
    paper: list[Sheet] | None = None
    money: list[dict[str, Any]] | None = None  # movements at the acquirer
    quiescent: bool = True
    outages: tuple[tuple[int, int], ...] = ()
    tests: frozenset[str] = frozenset()


def yuan(fen: int) -> str:
    """Return an amount as documents write it; a red receipt's is negative."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def look(
    site: Path,
    his_ledger: Path | None,
    province_report: dict[str, Any] | None,
    paper_directory: Path | None,
    *,
    quiescent: bool = True,
    outages: tuple[tuple[int, int], ...] = (),
    money: Sequence[Path] = (),
) -> World:
    """Read everything there is to see of a site."""
    return World(
        books=read(site / "data" / "fep.db"),
        certificates=[path.read_bytes() for path in sorted((site / "keys").glob("*.crt"))],
        his=None if his_ledger is None else his(his_ledger),
        refused=[] if his_ledger is None else refused(his_ledger),
        province=None if province_report is None else province(province_report),
        paper=None if paper_directory is None else paper(paper_directory),
        money=[line for path in money for line in acquirer(path)] if money else None,
        quiescent=quiescent,
        outages=outages,
        tests=frozenset(_test_units(site)),
    )


def _test_units(site: Path) -> Iterator[str]:
    for file in sorted((site / "units").glob("*.toml")):
        unit = tomllib.loads(file.read_text("utf-8"))
        if unit.get("test", False):
            yield unit["code"]
