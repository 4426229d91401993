"""A gate out of a nightmare: it loses, repeats, delays by a day, truncates and renames."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Ills:
    """What the gate does to a file. Probabilities are 0 to 1."""

    lose: float = 0.3
    repeat: float = 0.3
    truncate: float = 0.1
    rename: float = 0.1
    late: float = 0.1
    late_s: float = DAY_S
    delay_s: float = 600.0


HEALTHY = Ills(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Gate:
    """Takes what lies in one side's out, and lays it into the other's in, some day."""

    def __init__(self, dice: random.Random, ills: Ills) -> None:
        self.ills = ills
        self._dice = dice
        self._under_way: list[tuple[float, int, Path, str, bytes]] = []
        self._order = itertools.count()
        self.did: Counter[str] = Counter()

    def fetch(self, source: Path, target: Path, now: float) -> None:
        """Take every visible file in hand."""
        for path in sorted(source.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            content = path.read_bytes()
            path.unlink()
            self._throw(path.name, content, target, now)

    def deliver(self, now: float, *, flush: bool = False) -> None:
        """Lay down what is due, everything when the gate is flushed."""
        while self._under_way and (flush or self._under_way[0][0] <= now):
            _, _, target, name, content = heapq.heappop(self._under_way)
            if (target / name).exists():
                name = f"{name}({next(self._order)}).fpb"
            (target / name).write_bytes(content)

    def _throw(self, name: str, content: bytes, target: Path, now: float) -> None:
        ills, dice = self.ills, self._dice
        if dice.random() < ills.lose:
            self.did["lost"] += 1
            return
        for copy in range(2 if dice.random() < ills.repeat else 1):
            self.did["repeated"] += copy
            late = dice.random() < ills.late
            self.did["late"] += late
            due = now + dice.random() * (ills.late_s if late else ills.delay_s)
            said, given = name, content
            if dice.random() < ills.truncate:
                given = content[: dice.randrange(len(content))]
                self.did["truncated"] += 1
            if dice.random() < ills.rename:
                said = f"copy of {dice.randrange(100)} {name.upper()}"
                self.did["renamed"] += 1
            heapq.heappush(self._under_way, (due, next(self._order), target, said, given))
