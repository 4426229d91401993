"""The fonts of receipt pages, and which characters they have.

Reads the character maps straight out of the font files (OpenType cmap, format 12): a page
with an empty box instead of a name is never made, the character is named instead. The files
are mapped, not read: 90 MB of fonts cost nothing.
"""

from __future__ import annotations

import mmap
import struct
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

# Debian's fonts-noto-cjk; WenQuanYi and Hanazono help out where they are installed.
DIRECTORIES: tuple[str, ...] = (
    "/usr/share/fonts/opentype/noto",
    "/usr/share/fonts/truetype/wqy",
    "/usr/share/fonts/truetype/hanazono",
)
SUFFIXES = (".ttc", ".otf", ".ttf")
MAX_FILES = 64
MAX_FACES = 64
_FORMAT_12 = 12
_GROUP = struct.Struct(">III")
# Shown by nothing of their own: variation selectors and joiners change their neighbour.
_SILENT = ("\ufe00", "\ufe0f", "\U000e0100", "\U000e01ef")


def directories(wanted: Sequence[str] = DIRECTORIES) -> list[str]:
    """Return the directories that exist."""
    return [path for path in wanted if Path(path).is_dir()]


def files(rooms: Iterable[str]) -> list[Path]:
    """Return the font files of directories, regular faces first: they answer soonest."""
    found = [path for room in rooms for path in Path(room).iterdir() if path.suffix in SUFFIXES]
    return sorted(found, key=lambda path: ("Regular" not in path.name, path.name))[:MAX_FILES]


def missing(text: str, fonts: Iterable[Path]) -> str:
    """Return the characters of `text` that none of the fonts has, each once, sorted."""
    wanted = {char for char in text if not _silent(char)}
    for path in fonts:
        if not wanted:
            break
        wanted -= _found(path, wanted)
    return "".join(sorted(wanted))


def _silent(char: str) -> bool:
    if char.isspace() or unicodedata.category(char) == "Cf":
        return True
    return _SILENT[0] <= char <= _SILENT[1] or _SILENT[2] <= char <= _SILENT[3]


def _found(path: Path, wanted: set[str]) -> set[str]:
    """Return those of `wanted` that a face of the file maps to a glyph."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            maps = {at for face in _faces(data) for at in _maps(data, face)}
            return {char for char in wanted if any(_has(data, at, ord(char)) for at in maps)}
        except (struct.error, IndexError):
            return set()  # a damaged file has no glyph to offer


def _faces(data: mmap.mmap) -> list[int]:
    if data[:4] != b"ttcf":
        return [0]
    (count,) = struct.unpack_from(">I", data, 8)
    return list(struct.unpack_from(f">{min(count, MAX_FACES)}I", data, 12))


def _maps(data: mmap.mmap, face: int) -> list[int]:
    """Return the offsets of the format 12 subtables of a face."""
    (tables,) = struct.unpack_from(">H", data, face + 4)
    for index in range(tables):
        tag, _, cmap, _ = struct.unpack_from(">4sIII", data, face + 12 + 16 * index)
        if tag == b"cmap":
            break
    else:
        return []
    (count,) = struct.unpack_from(">H", data, cmap + 2)
    found = [
        cmap + struct.unpack_from(">HHI", data, cmap + 4 + 8 * index)[2] for index in range(count)
    ]
    return [at for at in found if struct.unpack_from(">H", data, at)[0] == _FORMAT_12]


def _has(data: mmap.mmap, at: int, point: int) -> bool:
    """Look `point` up in the sorted groups (first, last, glyph) of a subtable."""
    (count,) = struct.unpack_from(">I", data, at + 12)
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        first, last, glyph = _GROUP.unpack_from(data, at + 16 + _GROUP.size * middle)
        if point < first:
            high = middle
        elif point > last:
            low = middle + 1
        else:
            return bool(glyph + point - first)
    return False
