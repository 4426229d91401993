"""Names of batch files: `f1-<node8>-<epoch4h>-<ch>-<seq010d>-<try2>.<ext>` (fpb1.md, 2).

A name is a hint for people, gates and NACKs; identity comes from the signed header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fep.crypto import sm3

TRY_MAX: Final = 99
_NAME: Final = re.compile(
    r"f1-([0-9a-f]{8})-([0-9a-f]{4})-([0-9])-([0-9]{10})-([0-9]{2})\.([a-z0-9]{1,8})"
)


@dataclass(frozen=True, slots=True)
class BatchName:
    """The parts of a name; `attempt` counts the writings from 1."""

    node8: str
    epoch: int
    channel: int
    seq: int
    attempt: int
    ext: str = "fpb"

    def text(self) -> str:
        """Return the file name, lower-case ASCII."""
        attempt = min(self.attempt, TRY_MAX)
        return f"{self.stem()}-{attempt:02d}.{self.ext}"

    def stem(self) -> str:
        """Return the part that all writings of a batch share."""
        return f"f1-{self.node8}-{self.epoch:04x}-{self.channel}-{self.seq:010d}"


def node8(party: str) -> str:
    """Return the 8 hex digits that stand for a sender in names."""
    return sm3.digest(party.encode("ascii"))[:4].hex()


def parse_name(text: str) -> BatchName | None:
    """Return the parts of a name, None when a gate has renamed the file beyond use."""
    match = _NAME.fullmatch(text.lower())
    if match is None:
        return None
    node, epoch, channel, seq, attempt, ext = match.groups()
    return BatchName(node, int(epoch, 16), int(channel), int(seq), int(attempt), ext)
