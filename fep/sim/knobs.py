"""Knobs of a simulated device: fields of a dataclass that are turned by words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(slots=True)
class Turned:
    """Base of a simulator's knobs; `WORDS` are the values a knob may have, where they are few."""

    WORDS: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def turn(self, name: str, text: str) -> None:
        """Set a knob from text. Raises ValueError for a name or value that is none."""
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        if name not in kinds:
            raise ValueError(f"no knob {name}; there are {', '.join(kinds)}")
        value: Any = text in ("1", "true", "on") if kinds[name] is bool else kinds[name](text)
        words = self.WORDS.get(name)
        if words is not None and value not in words:
            raise ValueError(f"{name}: {', '.join(words)}")
        setattr(self, name, value)

    def strikes(self, name: str) -> bool:
        """Say whether a counted fault strikes now, and use it up."""
        left: int = getattr(self, name)
        if left:
            setattr(self, name, left - 1)
        return left > 0
