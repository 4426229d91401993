"""The file ferry: batches cross the gate as files in two directories.

Owns link/{out,in,tmp,quarantine}. Rules: a file of ours appears whole under its final name
or not at all; a file of theirs is unlinked only after its content is stored; what cannot be
read is set aside and never deleted. Every call but `open` and `close` blocks on a disk:
worker threads only. Other carriers keep the same directories and move the files themselves.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

from fep.env import fsync_dir, write_durably
from fep.wire.fpb import FILE_MAX_BYTES, read_header
from fep.wire.fpb_name import TRY_MAX, BatchName, node8, parse_name
from fep.wire.fpb_text import TEXT_MAX_BYTES, Form, dress, undress

TRANSPORT_KEPT: Final = 16
ASIDE_NAMES_MAX: Final = 10_000
ASIDE_NAME_CHARS: Final = 60  # a stranger's name may fill the limit of the file system
ARRIVALS_MAX: Final = 10_000


class TooBig(Exception):
    """The file is larger than any batch may be; it was not read."""


class Full(Exception):
    """Too many arrivals wait already; the other side keeps its file and tries again."""


class Ferry:
    """The carrier for a gate that moves files between shared directories."""

    def __init__(self, root: Path, form: Form = "binary") -> None:
        self.fault = ""
        self.out = root / "out"
        self.arrivals = root / "in"
        self.tmp = root / "tmp"
        self.quarantine = root / "quarantine"
        self._form = form

    def prepare(self) -> None:
        """Make the directories. Raises OSError."""
        for path in (self.out, self.arrivals, self.tmp, self.quarantine):
            path.mkdir(mode=0o750, parents=True, exist_ok=True)

    def open(self) -> None:
        """The gate moves the files, there is nothing to start."""

    async def close(self) -> None:
        """There is nothing to end."""

    # arrivals
    def names(self) -> list[str]:
        """Return the names of visible files in the in directory, sorted."""
        return _visible(self.arrivals)

    def read(self, name: str) -> bytes | None:
        """Return the bytes of an arrival, None when it is gone. Raises TooBig, OSError."""
        try:
            with (self.arrivals / name).open("rb") as file:
                raw = file.read(TEXT_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        content = undress(raw)
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

    def accept(self, content: bytes) -> str:
        """Store what came over a wire as an arrival; returns its name.

        The name follows from the header; another content never replaces one that waits.
        Raises Unreadable for what is no complete container, Full, OSError.
        """
        header = read_header(content)
        waiting = set(self.names())
        if len(waiting) >= ARRIVALS_MAX:
            raise Full(f"{len(waiting)} arrivals wait")
        sender = node8(header.sender if header.sender.isascii() else "?")
        for attempt in range(1, TRY_MAX + 1):
            name = BatchName(sender, header.epoch, min(header.channel, 9), header.seq, attempt)
            if name.text() not in waiting:
                write_durably(self.arrivals / name.text(), content, staging=self.tmp)
                return name.text()
            if self.read(name.text()) == content:
                return name.text()
        raise Full(f"{TRY_MAX} contents wait for the place of {header.seq}")

    # departures
    def put(self, name: str, content: bytes) -> None:
        """Write a file durably into the out directory, then drop what it replaces."""
        write_durably(self.out / name, dress(content, self._form), staging=self.tmp)
        parts = parse_name(name)
        if parts is None:
            return
        stem = parts.stem()
        if parts.channel == 0:
            # Acks are cumulative and repeated: the latest few tell all.
            family = stem[: stem.rindex("-") + 1]
            for old in self._waiting(family)[:-TRANSPORT_KEPT]:
                (self.out / old).unlink(missing_ok=True)
        elif parts.attempt > 1:
            for old in self._waiting(f"{stem}-"):
                if old != name:
                    (self.out / old).unlink(missing_ok=True)

    def recall(self, stems: Collection[str]) -> None:
        """Remove files of answered batches that nothing fetched."""
        for name in self._waiting("f1-"):
            if name.rpartition("-")[0] in stems:
                (self.out / name).unlink(missing_ok=True)

    def departures(self) -> list[str]:
        """Return what waits to leave: newest control first, then the oldest receipts."""
        return sorted(_visible(self.out), key=_urgency)

    def departing(self, name: str) -> bytes | None:
        """Return the container of a file that waits to leave, None when it is gone."""
        try:
            return undress((self.out / name).read_bytes())
        except FileNotFoundError:
            return None

    def departed(self, name: str) -> None:
        """Drop a file that the other side holds durably."""
        (self.out / name).unlink(missing_ok=True)

    def _waiting(self, prefix: str) -> list[str]:
        with os.scandir(self.out) as entries:
            return sorted(entry.name for entry in entries if entry.name.startswith(prefix))


def _visible(directory: Path) -> list[str]:
    with os.scandir(directory) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)
        )


def _urgency(name: str) -> tuple[int, int, str]:
    """Return the order of departure: answers (newest first), control, the rest by age."""
    parts = parse_name(name)
    if parts is None:
        return 9, 0, name
    newest_first = -parts.seq if parts.channel == 0 else parts.seq
    return {0: 0, 2: 1, 3: 2}.get(parts.channel, 3), newest_first, name
