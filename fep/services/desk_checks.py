"""Checks of a site, each a plain function that answers with one line.

A check says what was found and the exact command to run next; it changes nothing. Order is
that of the doctor's list. Checks of services take what the services told.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from fep.domain.calendar import iso
from fep.domain.faults import Fault, Refused, fault
from fep.domain.faults_desk import DEVICE_WORDS, LINK_WORDS
from fep.domain.kind_check import Stocked, unprepared
from fep.store.queries_stock import Stock

NUMBERS_LOW = 50
NUMBERS_LOW_DAYS = 14
DISK_LOW_BYTES = 2 * 1024**3
DISK_OUT_BYTES = 200 * 1024**2
CERT_SOON = timedelta(days=30)
CLOCK_BACK_MS = 60_000
CLOCK_FIRST_YEAR = 2024
PLATFORM_OFFSET_MS = 120_000
WAL_RESET_FIXED = (3, 51, 3)


class State(StrEnum):
    """How a check came out."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor. `next` is a command to be typed, empty when all is well."""

    code: str
    state: State
    zh: str
    en: str
    next: str = ""

    def told(self) -> dict[str, str]:
        """Return the JSON members."""
        return {"code": self.code, "state": self.state.value, "zh": self.zh, "en": self.en,
                "next": self.next}  # fmt: skip


def attempt(code: str, check: Callable[[], Check]) -> Check:
    """Run a check; one that breaks is itself a finding."""
    try:
        return check()
    except Exception as error:
        # Whatever the site's state did to the check, the other lines must still be shown.
        why = f"{type(error).__name__}: {error}"[:200]
        return Check(code, State.FAIL, f"检查失败：{why}", f"the check failed: {why}",
                     "journalctl -u fep -n 50")  # fmt: skip


def sqlite_version() -> Check:
    """Name SQLite's version and whether the WAL-reset bug is in it."""
    found = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= WAL_RESET_FIXED:
        return Check("SQLITE", State.OK, f"SQLite {found}", f"SQLite {found}")
    return Check(
        "SQLITE", State.OK,
        f"SQLite {found}（有 WAL 重置缺陷；本程序只用一个连接写入和检查点，不受影响）",
        f"SQLite {found} (has the WAL-reset bug; one connection alone writes and checkpoints)",
    )  # fmt: skip


def disk(data: Path) -> Check:
    """Look at the room on the data directory's file system."""
    usage = shutil.disk_usage(data)
    free = f"{usage.free / 1024**3:.1f} GiB"
    zh, en = f"{data} 剩余 {free}", f"{data} has {free} free"
    if usage.free < DISK_OUT_BYTES:
        return Check("DISK", State.FAIL, zh, en, f"du -sh {data}/*")
    if usage.free < DISK_LOW_BYTES or usage.free * 20 < usage.total:
        return Check("DISK", State.WARN, zh, en, f"du -sh {data}/*")
    return Check("DISK", State.OK, zh, en)


def _shown(at_ms: int) -> str:
    """Return a time as every table of fepctl shows it."""
    return iso(at_ms)[:19].replace("T", " ")


def clock(now: datetime, journal_at: int, offsets_ms: Sequence[int]) -> Check:
    """Compare the clock with the journal and with what platforms said of theirs."""
    now_ms = int(now.timestamp() * 1000)
    shown = _shown(now_ms)
    fix = "timedatectl"
    if now.year < CLOCK_FIRST_YEAR:
        return Check("CLOCK", State.FAIL, f"时钟明显不对：{shown}", f"the clock is wrong: {shown}",
                     fix)  # fmt: skip
    if journal_at - now_ms > CLOCK_BACK_MS:
        return Check("CLOCK", State.FAIL,
                     f"时钟 {shown} 早于最后一条记账 {_shown(journal_at)}：时钟被拨回",
                     f"the clock {shown} is behind the last journal record {_shown(journal_at)}",
                     fix)  # fmt: skip
    worst = max(offsets_ms, key=abs, default=0)
    if abs(worst) > PLATFORM_OFFSET_MS:
        return Check("CLOCK", State.WARN, f"{shown}，与平台相差 {worst / 1000:.0f} 秒",
                     f"{shown}, {worst / 1000:.0f} s away from the platform's", fix)  # fmt: skip
    return Check("CLOCK", State.OK, shown, shown)


def numbers(stocks: Sequence[Stock], wanted: Sequence[tuple[str, str]],
            used_14d: Mapping[tuple[str, str], int]) -> list[Check]:  # fmt: skip
    """Look at the stock of every unit and code in use; `wanted` are this year's."""
    found = {(row.unit, row.code): row for row in stocks}
    checks: list[Check] = []
    for unit, code in wanted or sorted(found):
        row = found.get((unit, code))
        left = row.left if row else 0
        used = used_14d.get((unit, code), 0)
        zh = f"{unit} {code} 剩余 {left} 个号码（近 {NUMBERS_LOW_DAYS} 天用 {used}）"
        en = f"{unit} {code} has {left} numbers left ({used} used in {NUMBERS_LOW_DAYS} days)"
        fix = import_command(unit, code)
        if left == 0:
            checks.append(Check("NUMBERS", State.FAIL, zh, en, fix))
        elif left < max(used, NUMBERS_LOW):
            checks.append(Check("NUMBERS", State.WARN, zh, en, fix))
        else:
            checks.append(Check("NUMBERS", State.OK, zh, en))
    if not checks:
        checks.append(Check("NUMBERS", State.FAIL, "没有任何号段", "there is no block at all",
                            "fepctl numbers import --help"))  # fmt: skip
    return checks


def next_year(rows: Sequence[Stocked], now_ms: int) -> list[Check]:
    """Look for kinds in use that in December have no numbers for next year."""
    return [
        Check("NUMBERS_YEAR", State.WARN,
              f"{row.unit} {row.kind} 还没有明年代码 {row.next_code} 的号段",
              f"{row.unit} {row.kind} has no block for next year's code {row.next_code}",
              import_command(row.unit, row.next_code))
        for row in unprepared(rows, now_ms)
    ]  # fmt: skip


def bare_kinds(rows: Sequence[Stocked]) -> list[Check]:
    """Name the kinds that never had a number: nobody can issue them yet."""
    bare = ", ".join(f"{row.unit} {row.kind}" for row in rows if not row.used)
    if not bare:
        return []
    return [Check("KINDS", State.WARN, f"从未有过号段、不能开具：{bare}",
                  f"never had a block and cannot be issued: {bare}",
                  "fepctl kinds check")]  # fmt: skip


def import_command(unit: str, code: str) -> str:
    """Return the command that brings a block in by hand."""
    return (f"fepctl numbers import --unit {unit} --code {code} --first N --last N"
            " --approval NO --reason TEXT")  # fmt: skip


def doors(faults: Sequence[Refused]) -> list[Check]:
    """Tell of doors that could not be opened; a restart tries again."""
    return [Check(fault.code, State.FAIL, fault.zh, fault.en, "fepctl config check")
            for fault in faults]  # fmt: skip


def links(rows: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Look at every destination; a stalled one is not cured by waiting."""
    bad = [row for row in rows if row.get("live", {}).get("supervision_bad")]
    return [*map(_link, rows), *map(_supervision, bad)] or [
        Check("LINK", State.OK, "没有配置上报通道", "no destination is configured")
    ]


def _link(row: Mapping[str, Any]) -> Check:
    state, reason, backlog = row["state"], row["reason"], row["backlog"]
    at = _shown(row["since_at"]) if row["since_at"] else ""
    words = f"{LINK_WORDS.get(state, state)} {LINK_WORDS.get(reason, reason)}".strip()
    zh = f"{row['dest']} {words}{f'，自 {at}' if at else ''}，待报 {backlog}"
    told = " ".join(word for word in (row["dest"], state, reason) if word)
    en = f"{told}{f' since {at}' if at else ''}, backlog {backlog}"
    if state == "stalled":
        return Check("LINK", State.FAIL, zh, en, "fepctl help link")
    if row["rejected"]:
        return Check("LINK", State.WARN, f"{zh}，被拒 {row['rejected']}",
                     f"{en}, {row['rejected']} refused", "fepctl resolve")  # fmt: skip
    if state != "online":
        return Check("LINK", State.WARN, zh, en, "fepctl link")
    return Check("LINK", State.OK, zh, en)


def _supervision(row: Mapping[str, Any]) -> Check:
    """Tell of signatures of finance that do not verify, until a person has looked at them."""
    count, last = row["live"]["supervision_bad"], row["live"]["supervision_bad_last"]
    return Check("SUPERVISION", State.WARN,
                 f"{row['dest']} {count} 张的财政监制签名验不通过，最近 {last}；"
                 "查明后 fepctl link resume 确认",
                 f"{row['dest']}: {count} signatures of finance do not verify, last {last};"
                 " fepctl link resume says they were looked at",
                 f"fepctl receipts show {last}")  # fmt: skip


def printers(devices: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Look at every device that the spool drives."""
    checks: list[Check] = []
    for device in devices:
        state = str(device["state"])
        zh = f"{device['id']} {DEVICE_WORDS.get(state, state)} {device.get('address', '')}"
        en = f"{device['id']} {state} {device.get('address', '')}"
        codes = device.get("faults", ())
        if device.get("said"):  # a person switched it off
            zh, en = f"{zh}，{device['said']}", f"{en}, {device['said']}"
        for code in codes:
            said = known_fault(code)
            zh += f"，{code} {said.zh}，{said.action_zh}" if said else f"，{code}"
            en += f", {code} {said.en}. {said.action_en}" if said else f", {code}"
        if codes or device.get("said"):
            off = {"disabled": "enable", "failed": "reset"}.get(state)
            hint = f"{off} {device['id']} --reason TEXT" if off else f"check {device['id']}"
            checks.append(Check("PRINTER", State.WARN, zh, en, f"fepctl devices {hint}"))
        else:
            checks.append(Check("PRINTER", State.OK, zh, en))
    return checks or [Check("PRINTER", State.OK, "没有配置打印机", "no printer is configured")]


def known_fault(code: str) -> Fault | None:
    """Return the catalogue's entry of a code, None for one it does not have."""
    try:
        return fault(code)
    except KeyError:
        return None


def queue(queued: int, frozen: int, refused_reason: str) -> Check:
    """Look at events that wait and receipts without a signature."""
    why = f"，最近拒绝 {refused_reason}" if refused_reason else ""
    why_en = f", last refusal {refused_reason}" if refused_reason else ""
    zh = f"待开 {queued}，待签 {frozen}{why}"
    en = f"{queued} waiting, {frozen} unsigned{why_en}"
    if queued or frozen:
        return Check("QUEUE", State.WARN, zh, en, "fepctl queue")
    return Check("QUEUE", State.OK, zh, en)


def uncertain(prints: int) -> Check:
    """Look for sheets that nobody knows of whether they came out."""
    zh, en = f"打印结果不确定 {prints} 张", f"{prints} prints with an unknown outcome"
    if prints:
        return Check("PRINTS", State.WARN, zh, en, "fepctl resolve")
    return Check("PRINTS", State.OK, zh, en)


def stopped(told: Mapping[str, object]) -> Check:
    """Say since when and why the daemon is down."""
    at = told.get("stopped_at")
    since = _shown(at) if isinstance(at, int) and at else "-"
    crashed = bool(told.get("crashed"))
    why = "没有正常停止" if crashed else str(told.get("why_zh") or told.get("why", ""))
    why_en = "no clean stop" if crashed else str(told.get("why", ""))
    return Check("DAEMON", State.FAIL, f"没有运行，自 {since}（{why}）",
                 f"not running since {since} ({why_en})", "systemctl start fep")  # fmt: skip


def fence(fenced: str) -> Check:
    """Say whether issuing is fenced."""
    if fenced:
        return Check("FENCE", State.FAIL, f"已停止开票：{fenced}", f"issuing is fenced: {fenced}",
                     "fepctl journal verify")  # fmt: skip
    return Check("FENCE", State.OK, "开票未被停止", "issuing is not fenced")


def signer(unit: str, state: str, why: str, backend: str) -> Check:
    """Say whether a unit can sign now."""
    zh = en = " ".join(f"{unit} {state} {backend} {why}".split())
    good = state == "ready"
    return Check("SIGNER", State.OK if good else State.FAIL, zh, en,
                 "" if good else "fepctl help keys")  # fmt: skip
