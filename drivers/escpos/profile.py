"""What differs between makes and is only a number or a flag.

Read from `drivers/profiles/*.toml`; an unknown key is an error. No device code here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib import resources
from typing import Any


class BadProfile(Exception):
    """The profile does not exist or holds a key or value that is not known."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Geometry, abilities and timeouts of one make of receipt printer."""

    # Geometry: printable dots, ASCII columns in font A, feed of one line in dots.
    width_dots: int = 576
    columns: int = 48
    line_dots: int = 32
    # Abilities.
    gb18030: bool = False
    qr_native: bool = True
    cutter: bool = True
    realtime_status: bool = True
    asb: bool = True
    gs_r: bool = True
    probe_process_id: bool = True
    clear_dc4: bool = True
    flush_raster: bool = False
    han_size_by_fs: bool = False
    # Cutting: `GS V m [n]`; m of 65 and above feeds n dots itself.
    cut_m: int = 66
    cut_n: int = 0
    feed_before_cut: int = 0
    raster_rows: int = 128
    # Time: seconds, and the slowest throughput to be expected.
    bytes_per_s: int = 2000
    status_timeout_s: float = 0.5
    status_tries: int = 3
    probe_timeout_s: float = 1.0
    fence_margin_s: float = 10.0
    fence_min_s: float = 15.0
    settle_s: float = 2.0
    # Between two looks at a device that works on a job and says nothing by itself.
    poll_s: float = 1.0


def parse(text: str, name: str) -> Profile:
    """Return the profile written in `text` (TOML).

    Raises:
        BadProfile: An unknown key or a value of the wrong type.
    """
    return amended(Profile(), tomllib.loads(text), name)


def amended(profile: Profile, values: Mapping[str, Any], name: str) -> Profile:
    """Return the profile with other values: a make's, or the quirks of one device.

    Raises:
        BadProfile: An unknown key or a value of the wrong type.
    """
    known = {field.name: field.default for field in fields(Profile)}
    for key, value in values.items():
        if key not in known:
            raise BadProfile(f"{name}: unknown key {key}")
        whole = type(value) is int and type(known[key]) is float
        if type(value) is not type(known[key]) and not whole:
            raise BadProfile(f"{name}: {key} must be {type(known[key]).__name__}")
    return replace(profile, **values)


def load(name: str) -> Profile:
    """Return the shipped profile `name`, for example `xprinter-80`.

    Raises:
        BadProfile: There is no such profile.
    """
    if not name.replace("-", "").isalnum():
        raise BadProfile(f"no profile {name!r}")
    file = resources.files("drivers").joinpath("profiles", f"{name}.toml")
    if not file.is_file():
        raise BadProfile(f"no profile {name!r}; known: {', '.join(names())}")
    return parse(file.read_text("utf-8"), name)


def names() -> tuple[str, ...]:
    """Return the names of all shipped profiles, sorted."""
    folder = resources.files("drivers").joinpath("profiles")
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".toml")))
