"""The witness file: one line a commit, written before its answers leave, outside the data.

`write(2)` at every commit (it survives SIGKILL), `fdatasync` at most once a second, at a grant
and at a stop. Segments are bounded; each begins with a full line, and the one before it is
kept. A line that cannot be written is reported: nothing may be issued unseen. It never reads
while it writes, and never repairs: what was torn stays torn.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fep.domain.numbers import Block
from fep.domain.witness import Line, Span, Testimony, encode, merged, testimony
from fep.env import fsync_dir
from fep.store.tx import Heads

SEGMENT_BYTES = 4 * 1024**2
_NAME = re.compile(r"witness-(\d{8})\.log")


def segments(directory: Path) -> list[Path]:
    """Return the segments, oldest first. Raises OSError."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))


def read(directory: Path) -> Testimony | None:
    """Return what the witness says, None when there is none. Raises OSError.

    A new segment whose first line was torn leaves the word to the one before it.
    """
    for path in reversed(segments(directory)):
        told = testimony(path.read_bytes().splitlines())
        if told is not None:
            return told
    return None


@dataclass(slots=True)
class Seen:
    """The blocks as last written: what a change is measured against."""

    groups: dict[tuple[str, str], tuple[Block, ...]] = field(default_factory=dict)
    spans: dict[tuple[str, str, int], Span] = field(default_factory=dict)

    def changes(self, heads: Heads) -> list[Span]:
        """Return the blocks that have moved, and take them as seen."""
        moved: list[Span] = []
        for key, blocks in heads.blocks.items():
            before = self.groups.get(key, ())
            if blocks is not before:
                moved += _moved(before, blocks)
        for key, before in self.groups.items():
            if key not in heads.blocks:
                moved += _moved(before, ())
        self.groups = heads.blocks
        self.spans.update((span.key, span) for span in moved)
        return moved


def span_of(block: Block) -> Span:
    """Return an open block as the witness tells it."""
    return Span(block.unit, block.code, block.first, block.last, block.next, block.id)


def _moved(before: tuple[Block, ...], after: tuple[Block, ...]) -> Iterable[Span]:
    same = set(before)
    stays = {block.id for block in after}
    for block in before:
        if block.id not in stays:
            yield Span(block.unit, block.code, block.first, block.last, block.last + 1, block.id)
    for block in after:
        if block not in same:
            yield span_of(block)


class Witness:
    """Writes the witness of one store."""

    def __init__(self, directory: Path, now_ms: Callable[[], int]) -> None:
        self.directory = directory
        self._now_ms = now_ms
        self._fd = -1
        self._size = 0
        self._number = 0
        self._dirty = False
        self._seen = Seen()
        self._instance, self._epoch = "", 0
        self.seq = 0
        self.on_lost: Callable[[OSError], None] = lambda error: None

    @property
    def open(self) -> bool:
        """Say whether lines are being written."""
        return self._fd >= 0

    # from Fence
    def begin(self, instance: str, epoch: int, heads: Heads, spans: Iterable[Span]) -> None:
        """Start a segment with a full line; from now on every commit is told. Raises OSError."""
        self._instance, self._epoch = instance, epoch
        self._seen = Seen(heads.blocks, {span.key: span for span in merged(spans)})
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._segment(heads)

    # from the store, after every commit and before its answers
    def committed(self, heads: Heads) -> None:
        """Tell what a commit has changed; what cannot be told is reported to `on_lost`."""
        if self._fd < 0 or (heads.journal_seq == self.seq and heads.blocks == self._seen.groups):
            return
        known = len(self._seen.spans)
        try:
            self._write(self._line(heads, tuple(self._seen.changes(heads)), full=False))
            if len(self._seen.spans) != known:
                self.sync()  # a block nobody outside has seen yet
            if self._size > SEGMENT_BYTES:
                self._segment(heads)
        except OSError as error:
            self.close()
            self.on_lost(error)

    # from the clockwork
    def sync(self) -> None:
        """Make what was written durable. Raises OSError."""
        if self._dirty and self._fd >= 0:
            os.fdatasync(self._fd)
            self._dirty = False

    def syncer(self) -> Callable[[], None]:
        """Return what makes everything written so far durable, to be run in any thread."""
        if not self._dirty or self._fd < 0:
            return lambda: None
        self._dirty = False
        fd = os.dup(self._fd)

        def run() -> None:
            try:
                os.fdatasync(fd)
            finally:
                os.close(fd)

        return run

    def close(self) -> None:
        """Write no more lines."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            # Whoever needs it durable has called sync and was told; here nothing is lost.
            with suppress(OSError):
                if self._dirty:
                    os.fdatasync(fd)
            with suppress(OSError):
                os.close(fd)

    # writing
    def _line(self, heads: Heads, spans: tuple[Span, ...], *, full: bool) -> bytes:
        self.seq = heads.journal_seq
        return encode(
            Line(self._instance, self._epoch, heads.journal_seq, heads.journal_hash,
                 self._now_ms(), spans, full)
        )  # fmt: skip

    def _write(self, raw: bytes) -> None:
        self._size += len(raw)
        self._dirty = True
        if os.write(self._fd, raw) != len(raw):
            raise OSError("the witness took only a part of a line")

    def _segment(self, heads: Heads) -> None:
        """Begin a segment; the one before stays, older ones go."""
        old = segments(self.directory)
        last = _NAME.fullmatch(old[-1].name) if old else None
        self._number = max(self._number, int(last[1]) if last else 0) + 1
        path = self.directory / f"witness-{self._number:08d}.log"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        before, self._fd = self._fd, os.open(path, flags, 0o600)
        if before >= 0:
            os.close(before)
        self._size = 0
        spans = merged(self._seen.spans.values())
        self._seen.spans = {span.key: span for span in spans}
        self._write(self._line(heads, spans, full=True))
        self.sync()
        fsync_dir(self.directory)
        for path in old[:-1]:
            path.unlink()
