"""`fepctl doctor`: one line a check, each with the exact command to run next."""

from __future__ import annotations

import sys
from typing import Any

import click

from fep.cli.common import COLOURS, CliFault, emit, hang, paint, say, sentence
from fep.cli.common_reach import Desk, Site, find_site, reached, version
from fep.cli.common_verbs import Verb, option

_NEXT = {
    "CTL_DENIED": "sudo fepctl doctor",
    "CTL_STARTING": "journalctl -u fep -n 50",
    "CTL_LOST": "fepctl status",
}


@click.command("doctor", cls=Verb, zh="逐项体检，每项给出下一步命令",
               en="check everything; each line names the next command")  # fmt: skip
@option("--full", is_flag=True, zh="不论大小，检查整个数据库", en="read the whole store")
def command(full: bool) -> None:
    """Run every check; exit 1 when one fails."""
    found = _config_file(site := find_site())
    try:
        with reached() as desk:
            found += _daemon(desk, site)
            found += desk.call("system.doctor", full=full)["checks"]
    except CliFault as fault:
        next_ = _NEXT.get(fault.code, site.start)
        found.append(line(fault.code, "FAIL", fault.zh, fault.en, next_))
        if fault.code == "CTL_NO_STORE":
            found += _before_first_start(site)
    emit({"checks": found}, lambda: show(found))
    if any(check["state"] == "FAIL" for check in found):
        sys.exit(1)


def line(code: str, state: str, zh: str, en: str, next_: str = "") -> dict[str, str]:
    """Return a check of the command line's own, in the desk's shape."""
    return {"code": code, "state": state, "zh": zh, "en": en, "next": next_}


def _config_file(site: Site) -> list[dict[str, str]]:
    """Read the files as they are now: a running daemon still has those of its start."""
    from fep.settings import survey

    seen = survey(site.config)
    check = f"fepctl -c {site.config} config check"
    found: list[dict[str, str]] = []
    for state, problems in (("FAIL", seen.errors), ("WARN", seen.warnings)):
        for problem in problems:
            place = f"{problem.file}:{problem.line}"
            found.append(line("CONFIG_FILE", state, f"{place} {problem.zh}",
                              f"{place} {problem.en}", problem.suggestion or check))  # fmt: skip
    return found or [line("CONFIG_FILE", "OK", str(site.config), str(site.config))]


def _before_first_start(site: Site) -> list[dict[str, str]]:
    """Check what can be checked of a site that was never started: keys and cryptography."""
    from fep.cli.common_reach import settings_of
    from fep.env import RealClock
    from fep.services.desk_status import without_store

    told = settings_of(site)
    if told is None:
        return []
    return [check.told() for check in without_store(told, RealClock().wall())]


def _daemon(desk: Desk, site: Site) -> list[dict[str, str]]:
    if not desk.live:  # the desk of a stopped site says so itself
        return [line("LOCK", "OK", "数据目录未被占用", "the data directory is free")]
    ping = desk.call("system.ping")
    running = str(ping.get("version", "")) if isinstance(ping, dict) else ""
    if running and running != version():
        return [line("DAEMON", "WARN", f"运行的是 {running}，已安装 {version()}",
                     f"{running} is running, {version()} is installed",
                     "systemctl restart fep")]  # fmt: skip
    return [line("DAEMON", "OK", f"应答正常 {site.control}", f"answers at {site.control}"),
            _lock(site)]  # fmt: skip


def _lock(site: Site) -> dict[str, str]:
    """See the daemon's lock from outside: nobody else can have the directory then."""
    from fep.store.lock import DataLock, Locked

    lock = DataLock(site.data / "fep.lock")
    try:
        lock.acquire("fepctl", 0)
    except Locked as held:
        pid = held.holder.get("pid", "?")
        return line("LOCK", "OK", f"数据目录由进程 {pid} 持有", f"held by process {pid}")
    except OSError as error:
        return line("LOCK", "WARN", f"看不到锁：{error}", f"cannot see the lock: {error}",
                    "sudo fepctl doctor")  # fmt: skip
    lock.release()
    return line("LOCK", "FAIL", "前置机在运行但没有锁住数据目录",
                "the daemon runs without holding its data directory",
                "systemctl restart fep")  # fmt: skip


def show(found: list[dict[str, Any]]) -> None:
    """Print one line a check, the next command below those that need one."""
    room = max(len(check["code"]) for check in found)
    for check in found:
        state = paint(f"{check['state']:<4}", COLOURS[check["state"]])
        said = hang(sentence(check["zh"], check["en"]), room + 8)
        click.echo(f"{state}  {check['code']:<{room}}  {said}")
        if check["next"]:
            click.echo(f"      → {check['next']}")
    bad = sum(check["state"] == "FAIL" for check in found)
    warn = sum(check["state"] == "WARN" for check in found)
    colour = "red" if bad else "yellow" if warn else "green"
    total = len(found)
    click.echo(paint(say(f"共 {total} 项：{bad} 项失败，{warn} 项警告",
                         f"{total} checks: {bad} failed, {warn} warnings"), colour))  # fmt: skip
