"""Two directories in memory, as a carrier."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass
class MemoryFerry:
    """Two directories in memory; `fault` makes every call fail."""

    out: dict[str, bytes] = field(default_factory=dict)
    arrivals: dict[str, bytes] = field(default_factory=dict)
    quarantine: dict[str, bytes] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    fault: str = ""

    def names(self) -> list[str]:
        self._check()
        return sorted(self.arrivals)

    def read(self, name: str) -> bytes | None:
        self._check()
        return self.arrivals.get(name)

    def taken(self, name: str) -> None:
        self.arrivals.pop(name, None)

    def aside(self, name: str, why: str) -> None:
        self.quarantine[f"{name}.{why}"] = self.arrivals.pop(name)

    def put(self, name: str, content: bytes) -> None:
        self._check()
        self.puts.append(name)
        self.out[name] = content

    def recall(self, stems: Collection[str]) -> None:
        for name in [name for name in self.out if name.rpartition("-")[0] in stems]:
            del self.out[name]

    def accept(self, content: bytes) -> str:
        name = f"hand-{len(self.arrivals)}"
        self.arrivals[name] = content
        return name

    def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    def _check(self) -> None:
        if self.fault:
            raise OSError(self.fault)
