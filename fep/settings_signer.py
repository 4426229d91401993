"""[signer] of a unit: a key file or a UKEY, and a second one that stands by; SKF profiles.

Owns what these tables are called and hold. Rules: a PIN or passphrase comes by reference; a
profile of the site's own `skf/` goes before the shipped one of that name. No key is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fep.domain.kind import KeyPlace
from fep.settings_places import resolved, template_dir
from fep.settings_read import read
from fep.settings_toml import Problem, SettingsError, read_toml
from fep.settings_types import Name, Secret

SKF_ROOM = "skf"
Part = Annotated[str, Meta(max_length=64)]
Code = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]


class KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A signer: `kind` file has `key` and `passphrase`; skf has `library`, `pin` and names."""

    kind: Literal["", "file", "skf"] = ""
    key: str = ""
    cert: str = ""
    passphrase: Secret = ""
    library: str = ""
    device: Part = ""
    application: Part = ""
    container: Part = ""
    pin: Secret = ""
    profile: Name = "standard"

    def __post_init__(self) -> None:
        if self.kind == "skf" and not (self.library and self.pin and self.cert):
            raise ValueError("kind = skf: library, pin, cert")
        if self.kind == "file" and not (self.key and self.cert):
            raise ValueError("kind = file: key, cert")
        if not self.kind and (self.key or self.cert or self.library):
            raise ValueError("kind = file | skf")

    def secret(self) -> tuple[str, str]:
        """Return the name and the reference of what opens the key."""
        return ("pin", self.pin) if self.kind == "skf" else ("passphrase", self.passphrase)


class SignerFile(KeyFile, frozen=True, kw_only=True):
    """[signer]: the unit's receipt key; [signer.standby] signs while that one cannot."""

    kind: Literal["", "file", "skf"] = "file"
    key: str = "keys/unit.key"
    cert: str = "keys/unit.crt"
    standby: KeyFile = KeyFile()

    def all(self) -> tuple[tuple[tuple[str, ...], KeyFile], ...]:
        """Return the signers there are, each with the place of its table."""
        there = ((("signer",), self), (("signer", "standby"), self.standby))
        return tuple((trail, each) for trail, each in there if each.kind)

    def places(self, key: Callable[[str], Path], root: Path) -> tuple[KeyPlace, ...]:
        """Return the domain values, paths and references absolute."""
        return tuple(
            KeyPlace(
                kind=each.kind, key=str(key(each.key)) if each.kind == "file" else "",
                cert=str(key(each.cert)), passphrase=resolved(each.secret()[1], root),
                library=str(root / each.library) if each.library else "", device=each.device,
                application=each.application, container=each.container, profile=each.profile,
            )
            for _trail, each in self.all()
        )  # fmt: skip


class SkfFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """skf/*.toml: what is only numbers about one vendor's library."""

    tried: str = ""
    ulong_bytes: Literal[4, 8] = 4
    packed: bool = False
    align: Literal["right", "left"] = "right"
    encoding: Literal["utf-8", "gbk"] = "utf-8"
    lock_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0
    busy: tuple[Code, ...] = ()
    lost: tuple[Code, ...] = ()
    sm2_algorithms: tuple[Code, ...] = ()
    ecc_container: Code = 2
    poll_s: Annotated[float, Meta(ge=0.05, le=5.0)] = 2.0  # the signer's sign of life, too

    def numbers(self) -> dict[str, Any]:
        """Return the members of fep.crypto.skf.Profile."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return {name: value for name, value in told.items() if name not in ("tried", "poll_s")}


def profiles(root: Path) -> dict[str, Path]:
    """Return the profiles that a site knows, each with its file."""
    rooms = (template_dir() / SKF_ROOM, root / SKF_ROOM)
    return {path.stem: path for room in rooms for path in sorted(room.glob("*.toml"))}


def skf_profile(root: Path, name: str) -> SkfFile:
    """Return a profile. Raises SettingsError with everything that is wrong with it."""
    known = profiles(root)
    if name not in known:
        told = " | ".join(sorted(known))
        raise SettingsError([Problem(str(root / SKF_ROOM), 0, name, f"没有参数文件 {name}",
                                     f"there is no profile {name}", told)])  # fmt: skip
    problems: list[Problem] = []
    source = read_toml(known[name], problems)
    found = read(SkfFile, source.values, source) if source is not None else None
    if found is None or problems:
        raise SettingsError(problems)
    return found
