"""What differs between makes of form printers and is only a number or a flag.

Read from the *.toml beside this file; an unknown key is an error. No device code here.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from importlib import resources

CHARSETS = ("gb2312", "gbk", "gb18030")


class BadProfile(Exception):
    """The profile does not exist or holds a key or value that is not known."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Geometry, abilities and timeouts of one make of form printer."""

    # Geometry: from the first to the last column the head reaches.
    width_mm: float = 345.4
    # Abilities. `units`: ESC ( U and ESC ( C; without it positions are 1/60 and 1/180 inch.
    units: bool = True
    unit_d: int = 10
    # ESC ( V; without it the paper is advanced by ESC J.
    absolute_vertical: bool = True
    # FS S 0 0: no space around Han glyphs.
    han_spacing: bool = True
    # Every glyph gets its own position, whatever the pitch of the fonts is.
    place_each: bool = True
    charset: str = "gbk"
    # After a torn job: zero bytes end an image that still waits for its dots.
    flush: bool = True
    # Time: seconds, and the slowest throughput to be expected.
    bytes_per_s: int = 500
    margin_s: float = 20.0
    settle_s: float = 0.3


def parse(text: str, name: str) -> Profile:
    """Return the profile written in `text` (TOML).

    Raises:
        BadProfile: An unknown key or a value out of its range.
    """
    known = {field.name: field.default for field in fields(Profile)}
    values = tomllib.loads(text)
    for key, value in values.items():
        if key not in known:
            raise BadProfile(f"{name}: unknown key {key}")
        if type(value) is not type(known[key]):
            raise BadProfile(f"{name}: {key} must be {type(known[key]).__name__}")
    profile = Profile(**values)
    if profile.charset not in CHARSETS:
        raise BadProfile(f"{name}: charset must be one of {', '.join(CHARSETS)}")
    if profile.unit_d not in (10, 20, 30, 40, 50, 60):
        raise BadProfile(f"{name}: unit_d must be 10, 20, 30, 40, 50 or 60")
    return profile


def load(name: str) -> Profile:
    """Return the shipped profile `name`, for example `lq-generic`.

    Raises:
        BadProfile: There is no such profile.
    """
    file = resources.files("drivers.escp").joinpath(f"{name}.toml")
    if not name.replace("-", "").isalnum() or not file.is_file():
        raise BadProfile(f"no profile {name!r}; known: {', '.join(names())}")
    return parse(file.read_text("utf-8"), name)


def names() -> tuple[str, ...]:
    """Return the names of all shipped profiles, sorted."""
    folder = resources.files("drivers.escp")
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".toml")))
