"""Reaching the desk: over the control socket, or, with the daemon stopped, in the store.

Owns how a site is found (fep.toml) and which of the two answers. Nothing heavy is imported
while the daemon answers: neither Twisted nor SQLAlchemy, nor the full settings.
"""

from __future__ import annotations

import os
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fep.cli.common import CliFault, config_given, lasting, note, say, wants_json, when
from fep.client import Client, RemoteFault, Unreachable
from fep.domain.faults import Refused
from fep.domain.faults_desk import desk_refuse

TIMEOUT_S = 60.0
HELD_TRIES = 40
HELD_PAUSE_S = 0.1
SYSTEM_CONFIG = Path("/etc/fep/fep.toml")


class Asked(Protocol):
    """Whoever answers desk methods."""

    def call(self, method: str, **params: Any) -> Any:
        """Run a method."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a site's things are; read from fep.toml without judging the rest of it."""

    config: Path
    root: Path
    data: Path
    control: Path

    @property
    def start(self) -> str:
        """Return the command that starts this site: only that of /etc/fep is the service's."""
        if self.config == SYSTEM_CONFIG:
            return "systemctl start fep"
        return f"fepd run -c {self.config}"


@dataclass(slots=True)
class Desk:
    """The desk as verbs see it; `live` says that the daemon itself answers."""

    site: Site
    live: bool
    _asked: Asked
    stopped: dict[str, Any] = field(default_factory=dict)

    def call(self, method: str, **params: Any) -> Any:
        """Run a method. Raises CliFault."""
        try:
            told = self._asked.call(method, **params)
        except RemoteFault as fault:
            details = {"ref": fault.ref} if fault.ref else None
            raise CliFault(fault.code, fault.zh, fault.en, details=details) from fault
        except Unreachable as gone:
            raise of(desk_refuse("CTL_LOST", why=gone.why)) from gone
        except Refused as refused:
            raise of(refused) from refused
        for check in () if self.live else (*told.get("checks", ()), *told.get("alarms", ())):
            if check["code"] == "DAEMON":
                check["next"] = self.site.start
        return told

    def grant(self, reason: str, verb: str) -> int:
        """Return the grant to see personal fields, 0 when it was not asked for."""
        if not reason:
            return 0
        if not self.live:
            raise of(desk_refuse("CTL_STOPPED", verb="--unmask", start=self.site.start))
        return int(self.call("system.unmask", reason=reason, verb=verb)["grant"])


def of(refused: Refused) -> CliFault:
    """Return a refusal of the catalogue as the command line shows it."""
    return CliFault(refused.code, refused.zh, refused.en)


def find_config() -> Path:
    """Return the path of fep.toml. Raises CliFault CTL_CONFIG_NONE."""
    given = config_given()
    named = os.environ.get("FEP_CONFIG", "")
    if given is not None:
        tried = [given / "fep.toml" if given.is_dir() else given]
    elif named:
        tried = [Path(named)]
    else:
        tried = [Path("fep.toml"), SYSTEM_CONFIG]
    for path in tried:
        try:
            if path.is_file():
                return path.resolve()
        except PermissionError as error:
            raise of(desk_refuse("CTL_DENIED", path=path)) from error
    raise of(desk_refuse("CTL_CONFIG_NONE", tried=", ".join(str(path) for path in tried)))


def find_site() -> Site:
    """Return the site. Raises CliFault CTL_CONFIG_*, CTL_DENIED."""
    config = find_config()
    try:
        told = tomllib.loads(config.read_text("utf-8"))
    except PermissionError as error:
        raise of(desk_refuse("CTL_DENIED", path=config)) from error
    except (OSError, ValueError) as error:
        raise of(desk_refuse("CTL_CONFIG_BAD", path=config, why=error)) from error
    root = config.parent
    data = root / _text(told, "node", "data", "data")
    control = root / _text(told, "api", "control", str(data / "control.sock"))
    return Site(config, root, data, control)


def _text(told: dict[str, Any], section: str, name: str, default: str) -> str:
    part = told.get(section)
    value = part.get(name) if isinstance(part, dict) else None
    return value if isinstance(value, str) and value else default


@contextmanager
def reached(changes: str = "") -> Iterator[Desk]:
    """Open the desk; `changes` names a verb that needs the running daemon.

    Raises CliFault.
    """
    site = find_site()
    try:
        client = Client.unix(site.control, timeout_s=TIMEOUT_S)
    except PermissionError as error:
        raise of(desk_refuse("CTL_DENIED", path=site.control)) from error
    except Unreachable as gone:
        if changes:
            raise of(desk_refuse("CTL_STOPPED", verb=changes, start=site.start)) from gone
        with _stopped(site) as desk:
            yield desk
        return
    with client:
        yield Desk(site, True, client)


@contextmanager
def _stopped(site: Site) -> Iterator[Desk]:
    from fep.services.desk_stopped import last_stop

    with ExitStack() as stack:
        asked = _held(site, stack)
        stopped = dict(last_stop(site.data))
        if not wants_json():
            note(why_down(stopped, site.start))
        yield Desk(site, False, asked, stopped)


def _held(site: Site, stack: ExitStack) -> Asked:
    """Take the directory; another fepctl gives it back in a moment, a daemon does not.

    Raises CliFault: CTL_NO_STORE, CTL_DENIED, CTL_STARTING.
    """
    from fep.env import RealClock
    from fep.services.desk_stopped import opened

    told = settings_of(site)
    for turn in range(HELD_TRIES):
        try:
            return stack.enter_context(opened(site.data, told, RealClock(), version()))
        except Refused as refused:
            # The note of a holder that has only just come is still empty.
            brief = refused.details.get("role") in ("fepctl", "")
            if not brief or turn == HELD_TRIES - 1:
                refused.details["start"] = site.start
                raise of(refused) from refused
            threading.Event().wait(HELD_PAUSE_S)
    raise AssertionError("the last turn returns or raises")


def settings_of(site: Site) -> Any:
    """Return the full settings, None when they are wrong: reading goes on without them."""
    from fep import settings

    try:
        return settings.load(site.config)
    except (settings.SettingsError, OSError) as error:
        why = of(desk_refuse("CTL_CONFIG_BAD", path=site.config, why=_first(error)))
        print(f"{why.code}  {say(why.zh, why.en)}", file=sys.stderr)
        return None


def _first(error: Exception) -> str:
    """Return the first of the problems in short; `config check` tells them all."""
    problems = getattr(error, "problems", ())
    if not problems:
        return str(error)
    return say(f"{len(problems)} 处错误，第一处 {problems[0].zh}",
               f"{len(problems)} errors, the first: {problems[0].en}")  # fmt: skip


def version() -> str:
    """Return the version of this build."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("fep")
    except PackageNotFoundError:
        return "0"


def why_down(stopped: dict[str, Any], start: str) -> str:
    """Say since when and why the daemon is down."""
    since = when(stopped.get("stopped_at"))
    if stopped.get("crashed"):
        return say(
            f"前置机没有运行：没有正常停止的记录（被强制结束或断电），最后写入 {since}。"
            f"以下只读取停机数据；启动：{start}",
            f"The front-end is down without a clean stop (killed or power loss), last write"
            f" {since}. Read from the stopped store; start it: {start}",
        )
    why = stopped.get("why", "")
    why_zh = stopped.get("why_zh") or why
    return say(
        f"前置机没有运行：自 {since} 停止，原因：{why_zh}。以下只读取停机数据；启动：{start}",
        f"The front-end is down since {since}: {why}. Read from the stopped store; start it:"
        f" {start}",
    )


def up_for(started_at: int, now: int) -> str:
    """Say since when the daemon runs, and for how long."""
    since, for_ = when(started_at), lasting(now - started_at)
    return say(f"{since}（{for_}）", f"{since} ({for_})")
