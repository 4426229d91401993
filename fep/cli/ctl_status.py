"""`fepctl status`: one screen that says whether the cashiers can work, and what is wrong."""

from __future__ import annotations

from typing import Any

import click

from fep.cli.common import emit, facts, hang, heading, lasting, paint, say, sentence, when
from fep.cli.common_reach import reached, up_for
from fep.cli.common_verbs import Verb
from fep.domain.faults_desk import DEVICE_WORDS, LINK_WORDS

_LINK_COLOURS = {"online": "green", "stalled": "red"}


@click.command("status", cls=Verb, zh="一屏看清现状", en="the state of everything on one screen")
def command() -> None:
    """Show the status."""
    with reached() as desk:
        told = desk.call("system.status")
    emit(told, lambda: show(told))


def show(told: dict[str, Any]) -> None:
    """Print the status for a person."""
    facts([
        (say("前置机", "front-end"), _daemon(told)),
        *_today(told["today"]),
        *_numbers(told["numbers"]),
        (say("队列", "queue"), _queue(told["queue"])),
        *_links(told["links"], told["now"]),
        *_offline(told.get("offline") or {}),
        *_devices(told["devices"]),
        (say("打印", "printing"), _prints(told["prints"])),
        (say("日志账", "journal"), _journal(told)),
    ])  # fmt: skip
    alarms = told["alarms"]
    if not alarms:
        click.echo(paint(say("没有告警", "no alarms"), "green"))
        return
    heading(say(f"告警 {len(alarms)} 项", f"{len(alarms)} alarms"))
    for alarm in alarms:
        colour = "red" if alarm["state"] == "FAIL" else "yellow"
        said = hang(sentence(alarm["zh"], alarm["en"]), len(alarm["code"]) + 2)
        click.echo(f"{paint(alarm['code'], colour)}  {said}")
        if alarm["next"]:
            click.echo(f"    → {alarm['next']}")


def _daemon(told: dict[str, Any]) -> str:
    daemon = told["daemon"]
    name = " ".join(part for part in (daemon["node"], f"v{daemon['version']}") if part)
    if not daemon["running"]:
        since = when(daemon.get("stopped_at"))
        return f"{paint(say('已停止', 'stopped'), 'red')}  {name}  {say('自', 'since')} {since}"
    since = up_for(daemon["started_at"], told["now"])
    word = paint(say("运行中", "running"), "green")
    if daemon.get("fenced"):
        word = paint(say("已停止开票", "fenced"), "red")
    return f"{word}  {name}  pid {daemon['pid']}  {say('自', 'since')} {since}"


def _today(days: list[dict[str, Any]]) -> list[tuple[str, str]]:
    label = say("今日开票", "today")
    rows: list[tuple[str, str]] = []
    for day in days:
        name = f"{day['unit']} {day['name']}".strip()
        count = say(f"{day['count']} 张  {day['amount']} 元",
                    f"{day['count']} receipts  {day['amount']} yuan")  # fmt: skip
        rows.append((label, f"{count}  {name}"))
        label = ""
    return rows or [(label, "-")]


def _numbers(stocks: list[dict[str, Any]]) -> list[tuple[str, str]]:
    label = say("剩余号码", "numbers left")
    rows: list[tuple[str, str]] = []
    for row in stocks:
        left = paint(str(row["left"]), "red") if row["left"] == 0 else str(row["left"])
        burned = say(f"  作废空号 {row['burned']}", f"  burned {row['burned']}")
        tail = burned if row["burned"] else ""
        rows.append((label, f"{row['code']}  {left} / {row['total']}  {row['unit']}{tail}"))
        label = ""
    return rows or [(label, paint(say("没有号段", "no block"), "red"))]


def _queue(queue: dict[str, Any]) -> str:
    text = say(f"待开 {queue['waiting']}  待签 {queue['unsigned']}",
               f"waiting {queue['waiting']}  unsigned {queue['unsigned']}")  # fmt: skip
    if "inflight" in queue:
        busy, issued = queue["inflight"], queue["issued"]
        text += say(f"  办理中 {busy}  启动后已开 {issued}",
                    f"  in flight {busy}  issued since start {issued}")  # fmt: skip
    return text


def _links(rows: list[dict[str, Any]], now: int) -> list[tuple[str, str]]:
    label = say("上报通道", "link")
    shown: list[tuple[str, str]] = []
    for row in rows:
        shown.append((label, link_line(row, now)))
        label = ""
    return shown or [(label, say("未配置", "none configured"))]


def state_line(row: dict[str, Any]) -> str:
    """Return state, reason and since when of a destination."""
    state = row["state"]
    word = paint(say(LINK_WORDS.get(state, state), state),
                 _LINK_COLOURS.get(state, "yellow"))  # fmt: skip
    parts = [word]
    if row["reason"]:
        parts.append(say(LINK_WORDS.get(row["reason"], row["reason"]), row["reason"]))
    if row["since_at"]:
        parts.append(f"{say('自', 'since')} {when(row['since_at'])}")
    return "  ".join(parts)


def link_line(row: dict[str, Any], now: int) -> str:
    """Return one destination as one line."""
    parts = [row["dest"], state_line(row)]
    parts.append(say(f"待报 {row['backlog']}", f"backlog {row['backlog']}"))
    if row["backlog"] and row["oldest_due_at"]:
        oldest = lasting(now - row["oldest_due_at"])
        parts.append(say(f"最早 {oldest}前", f"oldest {oldest} ago"))
    if row["rejected"]:
        parts.append(paint(say(f"被拒 {row['rejected']}", f"refused {row['rejected']}"), "red"))
    return "  ".join(parts)


def _offline(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the use of the offline budget as a row; none when the daemon is stopped."""
    if not told:
        return []
    percent = paint(f"{told['percent']}%", "red" if told["warning"] else "green")
    limits = [
        f"{used} / {most} {unit}"
        for used, most, unit in (
            (told["hours"], told["hours_max"], say("小时", "h")),
            (told["count"], told["count_max"], say("张", "receipts")),
            (told["amount"], told["amount_max"], say("元", "yuan")),
        )
        if most is not None
    ]
    single = told["single_max"]
    if single is not None:
        limits.append(say(f"单张至多 {single} 元", f"{single} yuan at most for one receipt"))
    return [(say("离线额度", "offline"), "  ".join([percent, *limits]))]


def _devices(devices: list[dict[str, Any]]) -> list[tuple[str, str]]:
    label = say("打印机", "printers")
    rows: list[tuple[str, str]] = []
    for device in devices:
        rows.append((label, device_line(device)))
        label = ""
    return rows or [(label, say("未配置", "none configured"))]


def device_line(device: dict[str, Any]) -> str:
    """Return one device as one line."""
    faults = device.get("faults") or []
    word = paint(device_word(device), "yellow" if faults else "green")
    return "  ".join([device["id"], word, *(paint(str(code), "red") for code in faults),
                      str(device.get("address", ""))])  # fmt: skip


def device_word(device: dict[str, Any]) -> str:
    """Return the state of a device in the operator's language."""
    state = str(device["state"])
    return say(DEVICE_WORDS.get(state, state), state)


def _prints(prints: dict[str, int]) -> str:
    uncertain = prints["uncertain"]
    text = say(f"待打 {prints['due']}  正在打 {prints['streaming']}  结果不确定 ",
               f"due {prints['due']}  streaming {prints['streaming']}  uncertain ")  # fmt: skip
    return text + (paint(str(uncertain), "yellow") if uncertain else "0")


def _journal(told: dict[str, Any]) -> str:
    journal, checkpoint = told["journal"], told["checkpoint"]
    text = say(f"{journal['seq']} 条  最后 {when(journal['at'])}",
               f"{journal['seq']} records  last {when(journal['at'])}")  # fmt: skip
    if checkpoint:
        at, seq = when(checkpoint["at"]), checkpoint["seq"]
        return text + say(f"  检查点 {at}（第 {seq} 条）", f"  checkpoint {at} (record {seq})")
    return text + say("  尚无检查点", "  no checkpoint yet")
