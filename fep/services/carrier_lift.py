"""The carrier for a ferry gate with hours, a rate or a largest file.

What is to leave waits in link/ready; the belt moves it to link/out when the gate lets it.
Rules: a file is in exactly one of both; what the gate has in its hands (link/out) is bounded
by its rate only, and taken back when it is answered.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from fep.domain.link_pace import Limits
from fep.env import fsync_dir
from fep.services.carrier_belt import Belt, Tools
from fep.services.ferry import Ferry
from fep.settings_link import CarrierSettings


class Lift(Ferry):
    """A ferry whose departures pass a belt."""

    def __init__(self, root: Path, tools: Tools, settings: CarrierSettings, limits: Limits) -> None:
        super().__init__(root, settings.form)
        self._gate = self.out
        self.out = root / "ready"
        self._work: Any = tools.work
        self._limits = limits
        self._belt = Belt(
            tools, self, limits, self._deliver, poll_s=settings.poll_s, retry_s=settings.retry_s
        )

    def prepare(self) -> None:
        """Make the directories. Raises OSError."""
        super().prepare()
        self._gate.mkdir(mode=0o750, parents=True, exist_ok=True)

    def open(self) -> None:
        """Begin to hand files to the gate."""
        self._belt.open()

    async def close(self) -> None:
        """End."""
        await self._belt.close()

    def recall(self, stems: Collection[str]) -> None:
        """Take back what waits here and what the gate has not fetched."""
        super().recall(stems)
        with os.scandir(self._gate) as entries:
            old = [entry.name for entry in entries if entry.name.rpartition("-")[0] in stems]
        for name in old:
            (self._gate / name).unlink(missing_ok=True)

    def departed(self, name: str) -> None:
        """The belt has moved it already."""

    async def _deliver(self, name: str, content: bytes) -> bool:
        if self._limits.too_big(len(content)):
            return False
        await self._work(self._hand_over, name)
        return True

    def _hand_over(self, name: str) -> None:
        try:
            (self.out / name).rename(self._gate / name)
        except FileNotFoundError:
            return
        fsync_dir(self._gate)
