"""The file ferry: batches cross the gate as files in two directories.

Owns link/{out,in,tmp,quarantine}. Rules: a file of ours appears whole under its final name
or not at all; a file of theirs is unlinked only after its content is stored; what cannot be
read is set aside and never deleted. Every call blocks on a disk: worker threads only.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final, Protocol

from fep.env import fsync_dir, write_durably
from fep.wire.fpb import FILE_MAX_BYTES
from fep.wire.fpb_name import BatchName

TRANSPORT_KEPT: Final = 16
ASIDE_NAMES_MAX: Final = 10_000
ASIDE_NAME_CHARS: Final = 60  # a stranger's name may fill the limit of the file system


class TooBig(Exception):
    """The file is larger than any batch may be; it was not read."""


class Carrier(Protocol):
    """Brings files across; the bytes are the same whatever carries them."""

    def names(self) -> list[str]:
        """Return the names of arrivals, transport first within a sender."""

    def read(self, name: str) -> bytes | None:
        """Return an arrival's bytes, None when it is gone. Raises TooBig, OSError."""

    def taken(self, name: str) -> None:
        """Forget an arrival whose content is stored."""

    def aside(self, name: str, why: str) -> None:
        """Set an arrival aside for a person; never deletes."""

    def put(self, name: BatchName, content: bytes) -> None:
        """Send a file; earlier writings of the same batch need not travel any more."""

    def recall(self, stems: Collection[str]) -> None:
        """Take back what still waits of batches that are answered."""


class Ferry:
    """The carrier for a gate that moves files between shared directories."""

    def __init__(self, root: Path) -> None:
        self.out = root / "out"
        self.arrivals = root / "in"
        self.tmp = root / "tmp"
        self.quarantine = root / "quarantine"

    def prepare(self) -> None:
        """Make the directories. Raises OSError."""
        for path in (self.out, self.arrivals, self.tmp, self.quarantine):
            path.mkdir(mode=0o750, parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """Return the names of visible files in the in directory, sorted."""
        with os.scandir(self.arrivals) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)
            )

    def read(self, name: str) -> bytes | None:
        """Return the bytes of an arrival, None when it is gone. Raises TooBig, OSError."""
        try:
            with (self.arrivals / name).open("rb") as file:
                content = file.read(FILE_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(content) > FILE_MAX_BYTES:
            raise TooBig(name)
        return content

    def taken(self, name: str) -> None:
        """Unlink an arrival; a crash before this only costs reading it again."""
        (self.arrivals / name).unlink(missing_ok=True)

    def aside(self, name: str, why: str) -> None:
        """Move an arrival to quarantine under a name that is free there."""
        source = self.arrivals / name
        for copy in range(ASIDE_NAMES_MAX):
            target = self.quarantine / f"{name[:ASIDE_NAME_CHARS]}.{why}.{copy}"
            # A rename would silently replace what is kept there; nobody else writes here.
            if target.exists():
                continue
            try:
                source.rename(target)
            except FileNotFoundError:
                return
            fsync_dir(self.quarantine)
            return
        raise FileExistsError(f"quarantine holds {ASIDE_NAMES_MAX} files named {name}")

    def put(self, name: BatchName, content: bytes) -> None:
        """Write a file durably into the out directory, then drop what it replaces."""
        text = name.text()
        write_durably(self.out / text, content, staging=self.tmp)
        stem = name.stem()
        if name.channel == 0:
            # Acks are cumulative and repeated: the latest few tell all.
            family = stem[: stem.rindex("-") + 1]
            for old in self._waiting(family)[:-TRANSPORT_KEPT]:
                (self.out / old).unlink(missing_ok=True)
        elif name.attempt > 1:
            for old in self._waiting(f"{stem}-"):
                if old != text:
                    (self.out / old).unlink(missing_ok=True)

    def recall(self, stems: Collection[str]) -> None:
        """Remove files of answered batches that nothing fetched."""
        for name in self._waiting("f1-"):
            if name.rpartition("-")[0] in stems:
                (self.out / name).unlink(missing_ok=True)

    def _waiting(self, prefix: str) -> list[str]:
        with os.scandir(self.out) as entries:
            return sorted(entry.name for entry in entries if entry.name.startswith(prefix))
