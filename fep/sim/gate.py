"""The gate between two networks: files go from one side's out to the other side's in.

Two rules: a file leaves its source only after it lies whole on the other side, so that
nothing is lost unless a drop was asked for; a cut gate moves nothing, not even the second
half of a file. It never reads what it carries.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fep.env import fsync_dir, write_durably
from fep.sim.dice import Dice
from fep.sim.ports import Clock

REORDER_MS = 500  # least spread of arrivals when a gate reorders


@dataclass(frozen=True, slots=True)
class Knobs:
    """How bad this gate is. Probabilities are 0 to 1."""

    delay_ms: tuple[int, int] = (0, 0)
    duplicate: float = 0.0
    reorder: bool = False
    half_visible: float = 0.0
    half_ms: int = 300
    drop: float = 0.0
    rename_on_clash: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """One direction."""

    name: str
    source: Path
    target: Path


@dataclass(slots=True)
class Counts:
    """What a lane did since the gate was started."""

    moved: int = 0
    duplicated: int = 0
    halved: int = 0
    dropped: int = 0
    renamed: int = 0


@dataclass(frozen=True, slots=True)
class _Passage:
    """The plan for one file: `copies` still to deliver, the next one at `due` (seconds)."""

    due: float
    order: int
    copies: int
    drop: bool
    halve: bool
    half_until: float = 0.0  # the first half is visible on the other side until then
    as_name: str = ""


@dataclass(slots=True)
class _Road:
    lane: Lane
    dice: Dice
    counts: Counts = field(default_factory=Counts)
    plans: dict[tuple[str, int], _Passage] = field(default_factory=dict)
    last_due: float = 0.0


class Gate:
    """Moves files along its lanes; `step()` is one look at all of them."""

    def __init__(self, state: Path, lanes: list[Lane], clock: Clock, knobs: Knobs) -> None:
        self._state = state
        self._clock = clock
        self._knobs = knobs
        self._roads = [_Road(lane, Dice(knobs.seed, lane.name)) for lane in lanes]
        state.mkdir(parents=True, exist_ok=True)
        for lane in lanes:
            lane.source.mkdir(parents=True, exist_ok=True)
            (lane.target / ".gate").mkdir(parents=True, exist_ok=True)

    def step(self) -> int:
        """Move what is due; return how many files changed sides."""
        if is_cut(self._state):
            self._tell(cut=True)
            return 0
        now = self._clock.mono()
        moved = sum(self._drive(road, now) for road in self._roads)
        self._tell(cut=False)
        return moved

    def _drive(self, road: _Road, now: float) -> int:
        waiting = {}
        for key in _files(road.lane.source):
            waiting[key] = road.plans.get(key) or self._plan(road, now)
        road.plans = waiting
        due = [key for key, plan in waiting.items() if plan.due <= now]
        due.sort(key=lambda key: (waiting[key].due, waiting[key].order))
        moved = 0
        for key in due:
            try:
                moved += self._carry(road, key, now)
            except FileNotFoundError:
                # The sender took its file back; whoever sends may do that.
                del road.plans[key]
        return moved

    def _plan(self, road: _Road, now: float) -> _Passage:
        """Throw the dice for a file seen for the first time, in a fixed order of throws."""
        low, high = self._knobs.delay_ms
        if self._knobs.reorder:
            high = max(high, low + REORDER_MS)
        due = now + road.dice.between(low, high) / 1000
        order = road.dice.between(0, 1 << 30) if self._knobs.reorder else 0
        twice = road.dice.chance(self._knobs.duplicate)
        halve = road.dice.chance(self._knobs.half_visible)
        drop = road.dice.chance(self._knobs.drop)
        if not self._knobs.reorder:
            due = road.last_due = max(due, road.last_due)
        return _Passage(due, order, 2 if twice else 1, drop, halve)

    def _carry(self, road: _Road, key: tuple[str, int], now: float) -> int:
        plan, source = road.plans[key], road.lane.source / key[0]
        if plan.drop:
            source.unlink()
            road.counts.dropped += 1
            return 0
        if plan.half_until:
            return self._finish_half(road, key, plan, now)
        name = self._free_name(road, key[0])
        if name is None:
            return 0
        content = source.read_bytes()
        if plan.halve and len(content) > 1:
            (road.lane.target / ".gate" / f"half-{name}").touch()
            (road.lane.target / name).write_bytes(content[: len(content) // 2])
            road.counts.halved += 1
            road.plans[key] = replace(
                plan, half_until=now + self._knobs.half_ms / 1000, as_name=name
            )
            return 0
        _lay(road.lane.target, name, content)
        return self._delivered(road, key, plan, now)

    def _finish_half(self, road: _Road, key: tuple[str, int], plan: _Passage, now: float) -> int:
        if now < plan.half_until:
            return 0
        _lay(road.lane.target, plan.as_name, (road.lane.source / key[0]).read_bytes())
        return self._delivered(road, key, replace(plan, half_until=0.0, halve=False), now)

    def _delivered(self, road: _Road, key: tuple[str, int], plan: _Passage, now: float) -> int:
        if plan.copies > 1:
            again = now + max(0.05, self._knobs.delay_ms[1] / 1000)
            road.plans[key] = replace(plan, copies=plan.copies - 1, due=again)
            road.counts.duplicated += 1
            return 1
        (road.lane.source / key[0]).unlink()
        fsync_dir(road.lane.source)
        road.counts.moved += 1
        return 1

    def _free_name(self, road: _Road, name: str) -> str | None:
        """Return the name to use on the other side; None to wait until it is free."""
        target = road.lane.target
        # A half left by a gate that was stopped in between is our own to complete.
        if not (target / name).exists() or (target / ".gate" / f"half-{name}").exists():
            return name
        if not self._knobs.rename_on_clash:
            return None
        stem, dot, suffix = name.rpartition(".")
        number = 1
        while (target / f"{stem}({number}){dot}{suffix}").exists():
            number += 1
        road.counts.renamed += 1
        return f"{stem}({number}){dot}{suffix}"

    def _tell(self, *, cut: bool) -> None:
        lanes = {
            road.lane.name: {"waiting": len(road.plans), **asdict(road.counts)}
            for road in self._roads
        }
        text = json.dumps({"cut": cut, "lanes": lanes})
        path = self._state / "status.json"
        if not path.exists() or path.read_text() != text:
            staged = self._state / ".status.json"
            staged.write_text(text)
            staged.rename(path)


def cut(state: Path) -> None:
    """Cut the gate of that state directory, running or not."""
    state.mkdir(parents=True, exist_ok=True)
    write_durably(state / "cut", b"cut\n")


def heal(state: Path) -> None:
    """Let the gate move files again."""
    (state / "cut").unlink(missing_ok=True)


def is_cut(state: Path) -> bool:
    """Return whether the gate is cut."""
    return (state / "cut").exists()


def status(state: Path) -> dict[str, object]:
    """Return what the gate last said of itself, and whether it is cut now."""
    path = state / "status.json"
    told: dict[str, object] = json.loads(path.read_text()) if path.exists() else {"lanes": {}}
    return {**told, "cut": is_cut(state)}


def _lay(target: Path, name: str, content: bytes) -> None:
    """Make the whole file appear, over a half if there is one."""
    write_durably(target / name, content, staging=target / ".gate")
    (target / ".gate" / f"half-{name}").unlink(missing_ok=True)


def _files(directory: Path) -> list[tuple[str, int]]:
    """Return name and inode of the visible files, by name."""
    with os.scandir(directory) as entries:
        return sorted(
            (entry.name, entry.inode())
            for entry in entries
            if not entry.name.startswith(".") and entry.is_file()
        )
