"""Files of callers as the command line writes them: callers/APPID.toml and its key.

Rules: only files that the command line made are changed; each is written whole, 0600, for the
owner of the site; what was there comes back when the daemon refuses the new one. No key is in
a TOML file, and none is left unencrypted.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fep.cli.common_reach import Site, of
from fep.domain.faults import refuse
from fep.env import write_durably

ROOM, KEYS = "callers", "keys"
HEAD = (
    "# 由 fepctl callers 建立；修改请用 fepctl callers change。\n"
    "# Made by fepctl callers; change it with fepctl callers change.\n"
)


def file_of(site: Site, appid: str) -> Path:
    """Return the file of a caller."""
    return site.root / ROOM / f"{appid}.toml"


def key_of(site: Site, appid: str, part: str = "") -> Path:
    """Return where the command line keeps a caller's key; `part` names a second one."""
    return site.root / KEYS / f"caller-{appid}{part}.key"


def read(path: Path) -> dict[str, Any]:
    """Return a caller's file as it stands. Raises CliFault CALLER_WRITE."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise of(refuse("CALLER_WRITE", path=path, why=_why(error))) from error


def text_of(caller: Mapping[str, Any]) -> str:
    """Return the TOML of a caller; a table of tables goes no deeper than [his.points]."""
    lines = [HEAD.rstrip("\n")]
    tables: list[tuple[str, Mapping[str, Any]]] = []
    _members(caller, "", lines, tables)
    for name, members in tables:
        lines.append(f"\n[{name}]")
        inner: list[tuple[str, Mapping[str, Any]]] = []
        _members(members, f"{name}.", lines, inner)
        tables.extend(inner)
    return "\n".join(lines) + "\n"


def _members(members: Mapping[str, Any], above: str, lines: list[str],
             tables: list[tuple[str, Mapping[str, Any]]]) -> None:  # fmt: skip
    for name, value in members.items():
        if isinstance(value, Mapping):
            tables.append((f"{above}{name}", value))
        else:
            # A JSON scalar or list of them is one of TOML; names may hold anything, so quote.
            key = name if name.isidentifier() and name.isascii() else json.dumps(name)
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")


@contextmanager
def kept(site: Site, *paths: Path) -> Iterator[None]:
    """Put files back as they were when what follows fails.

    Raises CliFault CALLER_WRITE.
    """
    before: dict[Path, bytes | None] = {}
    for path in paths:
        try:
            before[path] = path.read_bytes() if path.exists() else None
        except OSError as error:
            raise of(refuse("CALLER_WRITE", path=path, why=_why(error))) from error
    try:
        yield
    except BaseException:
        for path, content in before.items():
            if content is not None:
                write(site, path, content)
            elif path.exists():
                path.unlink()
        raise


def write(site: Site, path: Path, content: bytes) -> None:
    """Write a file of the site, for its owner only. Raises CliFault CALLER_WRITE."""
    try:
        owner = site.config.stat()
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700)
            _give(path.parent, owner)
        write_durably(path, content, mode=0o600)
        path.chmod(0o600)
        _give(path, owner)
    except OSError as error:
        raise of(refuse("CALLER_WRITE", path=path, why=_why(error))) from error


def _give(path: Path, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)[:200]
