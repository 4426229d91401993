"""Whom the site lets in, from its files: read at start, and again when a person changed them.

Rules: a change is taken as a whole or not at all; a caller that changed is cut off and must
prove itself again; one whose key cannot be opened is left out, and the doctor tells why. No
key is ever told. What the files say is the command line's business, never ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fep.domain.faults import Refused, refuse
from fep.domain.money import parse_fen
from fep.ports import Clock
from fep.services.caller_keys import KeyCase, key_case
from fep.services.callers import Caller, Callers
from fep.services.callers_limits import Addresses
from fep.services.imports import FormerKeys
from fep.settings import CallerSettings, Settings, callers_now
from fep.settings_callers import ROOM
from fep.settings_toml import SettingsError
from fep.store.writer import Store

HAND = "fep.toml"


@dataclass(frozen=True, slots=True)
class Upstream:
    """The front-end that served a caller before: where it is, and who we are to it."""

    base: str  # scheme, host and port
    appid: str
    key: bytes
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Known:
    """A caller as its file says, with what could be opened."""

    settings: CallerSettings
    key: bytes
    upstream: Upstream | None
    fault: Refused | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What a new reading brought, by appid."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]


class People:
    """The site's callers."""

    def __init__(self, settings: Settings, clock: Clock, log: Any) -> None:
        self._settings = settings
        self._log = log
        self._known: dict[str, Known] = {}
        self.cut: Callable[[frozenset[str]], None] = lambda gone: None
        self.former: FormerKeys | None = None
        self._known = _read(settings.callers, key_case(settings))
        self.callers = Callers(clock, _admitted(self._known.values()))
        for fault in self.faults:
            self._log.error("caller.left_out", fault=fault.code, why=fault.en)

    # from node
    def remember(self, store: Store) -> FormerKeys:
        """Return what keeps callers from issuing again what a former system issued."""
        self.former = FormerKeys(store)
        return self.former

    # from the desk
    @property
    def faults(self) -> tuple[Refused, ...]:
        """Return why callers were left out."""
        return tuple(one.fault for one in self._known.values() if one.fault is not None)

    def reload(self) -> Changed:
        """Take the callers as their files say now. Raises Refused CALLER_FILES."""
        try:
            written = callers_now(self._settings.root)
        except SettingsError as error:
            first = error.problems[0]
            at = f"{Path(first.file).name}:{first.line} {first.key} "
            why = f"{at}{first.zh} ({first.en})"
            raise refuse("CALLER_FILES", why=why) from error
        before, after = self._known, _read(written, key_case(self._settings))
        told = Changed(
            added=tuple(sorted(after.keys() - before.keys())),
            changed=tuple(sorted(a for a in after.keys() & before.keys() if after[a] != before[a])),
            gone=tuple(sorted(before.keys() - after.keys())),
        )
        self._known = after
        touched = frozenset((*told.added, *told.changed, *told.gone))
        self.callers.put(touched, _admitted(one for a, one in after.items() if a in touched))
        self.cut(touched)
        self._log.info("callers.read", added=len(told.added), changed=len(told.changed),
                       gone=len(told.gone))  # fmt: skip
        return told

    def upstream_of(self, appid: str) -> Upstream | None:
        """Return the front-end that served a caller before, None for most."""
        known = self._known.get(appid)
        return known.upstream if known is not None else None

    def told(self) -> list[dict[str, Any]]:
        """Return all callers by name, without their keys."""
        locked: dict[str, list[dict[str, Any]]] = {}
        for appid, address, seconds in self.callers.locked():
            locked.setdefault(appid, []).append({"address": address, "seconds": seconds})
        return [
            {**_told(self._known[appid], self._settings.root), "locked": locked.get(appid, [])}
            for appid in sorted(self._known)
        ]


def _read(written: Iterable[CallerSettings], case: KeyCase) -> dict[str, Known]:
    return {caller.appid: _one(caller, case) for caller in written}


def _one(caller: CallerSettings, case: KeyCase) -> Known:
    try:
        key = case.read(caller.appid, caller.key_file)
        return Known(caller, key, _upstream(caller, key, case))
    except Refused as refused:
        return Known(caller, b"", None, refused)


def _upstream(caller: CallerSettings, key: bytes, case: KeyCase) -> Upstream | None:
    if not caller.upstream:
        return None
    if caller.upstream_key_file:
        key = case.read(caller.appid, Path(caller.upstream_key_file))
    appid = caller.upstream_appid or caller.appid
    return Upstream(caller.upstream.rstrip("/"), appid, key, caller.upstream_s)


def _admitted(known: Iterable[Known]) -> list[Caller]:
    return [
        _caller(one.settings, one.key)
        for one in known
        if one.settings.enabled and one.fault is None
    ]


def _caller(written: CallerSettings, key: bytes) -> Caller:
    return Caller(
        appid=written.appid,
        rights=frozenset(written.rights),
        units=frozenset(written.units),
        points=frozenset(written.points),
        auth=written.auth,
        key=key,
        encoding=written.encoding,
        queue=written.queue,
        addresses=Addresses(written.addresses),
        codes=written.his.codes(),
        rate_per_s=written.rate_per_s,
        max_amount_fen=parse_fen(written.max_amount) if written.max_amount else 0,
    )


def _told(known: Known, root: Path) -> dict[str, Any]:
    written = known.settings
    file = root / ROOM / f"{written.appid}.toml"
    fields: Mapping[str, Any] = msgspec.to_builtins(written, enc_hook=str)
    hidden = ("key_file", "upstream_key_file")
    fault = known.fault
    return {
        **{name: value for name, value in fields.items() if name not in hidden},
        "key_file": str(written.key_file),
        "file": str(file) if file.is_file() else HAND,
        "fault": None if fault is None else {"code": fault.code, "zh": fault.zh, "en": fault.en},
    }
