"""`fepctl devices`: printers and terminals, their faults, and who may use them."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, note, paint, say, table, wants_json, when
from fep.cli.common_reach import Desk, find_site, of, reached
from fep.cli.common_verbs import Lazy, Verbs, option, reason
from fep.cli.ctl_status import device_word
from fep.domain.faults import bare, fault

PAUSE_S = 0.5
JOB_WAIT_S = 120.0
_OUTCOMES = {"printed": "已打印（打印机已证实）", "accepted": "已送出（打印机不能证实）",
             "not_printed": "没有打印", "uncertain": "不确定，请看纸"}  # fmt: skip
_LAST = {"printed": "已打印", "accepted": "已送出", "not_printed": "没有打印",
         "uncertain": "不确定"}  # fmt: skip
_PROOFS = {"process_id": "凭打印机回话", "status": "凭打印机状态", "fence": "凭打印机状态",
           "ipp_job": "凭任务状态", "none": "打印机不能证实"}  # fmt: skip
_LINES = {
    "driver": ("驱动", "driver"), "settings": ("参数", "settings"), "open": ("连接", "way"),
    "identity": ("身份", "identity"), "condition": ("状况", "condition"),
    "proof": ("证实方式", "proof"), "state": ("状态", "state"),
}  # fmt: skip
_COLOURS = {"ready": "green", "printing": "green", "disabled": "yellow", "claimed": "yellow"}
_SITE = "fep.cli.ctl_devices_site"


@click.group(
    "devices", cls=Verbs, zh="设备：列出、检查、试打、占用、停用、复位、查找、添加",
    en="devices: list, check, test, claim, disable, reset, discover, add",
    lazy={
        "discover": Lazy(_SITE, "discover", "查找串口、USB 和网络上的打印机",
                         "look for printers on serial, USB and the network"),
        "add": Lazy(_SITE, "add", "添加一台设备（写入 devices/）",
                    "add a device (writes devices/)"),
    },
)  # fmt: skip
def devices() -> None:
    """Group the verbs."""


@devices.command("list", zh="列出打印机和 POS 终端及故障",
                 en="list printers and terminals and their faults")  # fmt: skip
def list_() -> None:
    """List devices."""
    with reached() as desk:
        told = desk.call("devices.list")
    emit(told, lambda: _devices(told))


def _devices(told: dict[str, Any]) -> None:
    table(
        (Column("设备", "device"), Column("组", "group"), Column("型号", "profile"),
         Column("地址", "address", fold=False), Column("状态", "state", fold=False),
         Column("故障", "faults"), Column("自", "since", fold=False),
         Column("待打", "queue", right=True),
         Column("最近结果", "last outcome")),
        [(row["id"], row["group"], row.get("profile") or row["driver"], row["address"],
          _state(row), _faults(row.get("faults") or ()), when(row.get("since")),
          str(row.get("queue", "-")), _last(row))
         for row in told["devices"]],
        empty=say("没有配置设备", "no device is configured"),
    )  # fmt: skip


def _state(row: dict[str, Any]) -> str:
    """Return the state, and who is behind it."""
    word = paint(device_word(row), _COLOURS.get(row["state"], "yellow"))
    if row.get("owner"):
        until = when(row["until"], empty=say("放开为止", "released"))
        word += say(f"\n{row['owner']} 至 {until}", f"\n{row['owner']} until {until}")
    return f"{word}\n{row['said']}" if row.get("said") else word


def _last(row: dict[str, Any]) -> str:
    outcome = row.get("last_outcome", "")
    return f"{say(_LAST.get(outcome, outcome), outcome)} {row.get('last_fault', '')}".strip() or "-"


def _faults(codes: Sequence[str]) -> str:
    """Return codes with their sentences: the code is what is read out over the phone."""
    shown: list[str] = []
    for code in codes:
        try:
            entry = fault(code)
        except KeyError:
            shown.append(paint(code, "red"))
            continue
        shown.append(f"{paint(code, 'red')} {bare(say(entry.zh, entry.en))}")
    return "\n".join(shown) or "-"


@devices.command("check", zh="检查一台打印机：驱动、连接、身份、状况；不出纸",
                 en="look at a printer: driver, way, identity, condition; no paper")  # fmt: skip
@click.argument("device")
def check(device: str) -> None:
    """Check a device; also while the daemon is stopped."""
    with running() as desk:
        found = desk.call("devices.check", device=device) if desk else _probed(device)
    told = found["check"]
    emit(found, lambda: _report(told))
    if not told["ok"]:
        sys.exit(1)


@contextmanager
def running() -> Iterator[Desk | None]:
    """Open the desk of the running daemon; None when it is stopped, or never ran yet.

    Raises CliFault.
    """
    with ExitStack() as stack:
        try:
            desk = stack.enter_context(reached())
        except CliFault as fault:
            if fault.code != "CTL_NO_STORE":
                raise
            yield None
            return
        yield desk if desk.live else None


def _probed(device: str) -> dict[str, Any]:
    """Look at a device from here: nobody else drives it now."""
    import msgspec
    from twisted.internet import reactor

    from fep.domain.faults import Refused
    from fep.services.devices_probe import probe
    from fep.services.devices_site import device_of

    try:
        settings = device_of(find_site().root, device)
    except Refused as refused:
        raise of(refused) from refused
    return {"check": msgspec.to_builtins(probe(reactor, settings))}


def _report(told: dict[str, Any]) -> None:
    for line in told["lines"]:
        mark = paint("OK", "green") if line["ok"] else paint("FAIL", "red")
        zh, en = _LINES[line["name"]]
        detail = line["detail"]
        if line["name"] == "proof":
            detail = say(_PROOFS.get(detail, detail), detail)
        elif line["name"] == "identity" and not detail:
            detail = say("设备没有说明", "it says nothing")
        elif line["name"] == "condition" and not line["codes"]:
            detail = say("正常", "well")
        if "DEV_BUSY" in line["codes"]:
            detail += say(
                "（连接被拒绝：别处占用，或没有开机、端口不对）",
                " (refused: in other hands, switched off, or a wrong port)",
            )
        shown = _faults(line["codes"]).replace("\n", "  ") if line["codes"] else ""
        click.echo("  ".join(part for part in (mark, say(zh, en), detail, shown) if part))
        for code in line["codes"]:
            entry = fault(code)
            click.echo(f"      → {say(entry.action_zh, entry.action_en)}")
    if told["state"] == "failed":
        click.echo(f"      → fepctl devices reset {told['device']} --reason TEXT")


@devices.command("test", zh="试打一张，不占票据号码", en="print a test slip; takes no number")
@click.argument("device")
@option("--form", default="", zh="套打打印机上装的是哪种格式的票",
        en="which sheets a form printer has loaded")  # fmt: skip
@option("--owner", default="", metavar="NAME", zh="占用者（默认为登录名）",
        en="who holds it (default: who you are)")  # fmt: skip
@reason()
def test(device: str, form: str, owner: str, reason: str) -> None:
    """Print a test slip; a held printer does it for its holder only."""
    with reached("devices test") as desk:
        told = desk.call("devices.test", device=device, reason=reason, owner=owner,
                         **({"form": form} if form else {}))  # fmt: skip
    result = told["result"]
    outcome = str(result["outcome"])
    words = [say(_OUTCOMES.get(outcome, outcome), outcome),
             _faults([result["fault"]]) if result["fault"] else "",
             _detail(result)]  # fmt: skip
    emit(told, lambda: click.echo("  ".join(word for word in words if word)))
    if outcome not in ("printed", "accepted"):
        sys.exit(1)


@devices.command("print", zh="在自己占用的打印机上打出一个等待的任务，其余任务继续等待",
                 en="print one waiting job on a printer you hold; others wait")  # fmt: skip
@click.argument("device")
@option("--job", type=click.IntRange(1), default=None, zh="任务号（默认为最早的一个）",
        en="the number of the job (default: the oldest)")  # fmt: skip
@option("--owner", default="", metavar="NAME", zh="占用者（默认为登录名）",
        en="who holds it (default: who you are)")  # fmt: skip
@reason()
def print_(device: str, job: int | None, owner: str, reason: str) -> None:
    """Print one job of the queue."""
    with reached("devices print") as desk:
        told = desk.call("devices.print", device=device, job=job or 0, owner=owner, reason=reason)
    row = told["job"]
    state = "not_printed" if row["state"] == "due" else row["state"]
    words = (say(f"任务 {row['id']}", f"job {row['id']}"), say(_OUTCOMES.get(state, state), state),
             _faults([row["reason"]]) if row["reason"] else "")  # fmt: skip
    emit(told, lambda: click.echo("  ".join(word for word in words if word)))
    if state not in ("printed", "accepted"):
        sys.exit(1)


def _detail(result: dict[str, Any]) -> str:
    """Return what a driver adds to an outcome, unless it only says the fault again."""
    detail = str(result["detail"])
    if detail.split() and all(word.startswith(("PRN_", "DEV_")) for word in detail.split()):
        return ""
    return say(_PROOFS.get(detail, detail), detail)


@devices.command("watch", zh="实时显示设备状态的变化，Ctrl-C 结束",
                 en="show changes of state as they happen; Ctrl-C ends")  # fmt: skip
@click.argument("device", default="")
@option("--seconds", type=float, default=0.0, zh="多少秒后结束，0 为不限",
        en="end after so many seconds, 0 is never")  # fmt: skip
def watch(device: str, seconds: float) -> None:
    """Show changes; with --json one object a line."""
    seen: dict[str, tuple[Any, ...]] = {}
    waited, pause = 0.0, threading.Event()
    with reached("devices watch") as desk:
        while True:
            rows = desk.call("devices.list")["devices"]
            if device and device not in {row["id"] for row in rows}:
                desk.call("devices.check", device=device)  # refused with its reason
            for row in rows:
                known = (row["state"], row["faults"], row.get("job"), row.get("owner"))
                if device in ("", row["id"]) and seen.get(row["id"]) != known:
                    seen[row["id"]] = known
                    _change(row)
            if seconds and waited >= seconds:
                return
            pause.wait(PAUSE_S)
            waited += PAUSE_S


def _change(row: dict[str, Any]) -> None:
    if wants_json():
        click.echo(json.dumps(row, ensure_ascii=False))
        return
    shown = _faults(row["faults"]).replace("\n", "  ") if row["faults"] else ""
    job = say(f"任务 {row['job']}", f"job {row['job']}") if row.get("job") else ""
    words = (when(row.get("since")), row["id"], _state(row).replace("\n", " "), job, shown)
    click.echo("  ".join(word for word in words if word))


@devices.command("claim", zh="占用一台打印机：到时或放开之前不接新任务",
                 en="hold a printer: no new jobs until released or the time is over")  # fmt: skip
@click.argument("device")
@option("--minutes", type=click.IntRange(1, 720), default=30, show_default=True, zh="占用多少分钟",
        en="for how long")  # fmt: skip
@option("--owner", default="", metavar="NAME", zh="占用者（默认为登录名）",
        en="who holds it (default: who you are)")  # fmt: skip
@reason()
def claim(device: str, minutes: int, owner: str, reason: str) -> None:
    """Hold a device."""
    with reached("devices claim") as desk:
        told = desk.call("devices.claim", device=device, minutes=minutes, owner=owner,
                         reason=reason)  # fmt: skip
        told["device"] = _settled(desk, told["device"])
    emit(told, lambda: _one(told["device"]))


@devices.command("drain", zh="打完手里这张后不再接任务，直到放开（release）",
                 en="finish the job in hand, then take no other until it is released")  # fmt: skip
@click.argument("device")
@reason()
def drain(device: str, reason: str) -> None:
    """Drain a device."""
    with reached("devices drain") as desk:
        told = desk.call("devices.drain", device=device, reason=reason)
        told["device"] = _settled(desk, told["device"])
    emit(told, lambda: _one(told["device"]))


@devices.command("release", zh="放开占用的打印机", en="let go of a printer that is held")
@click.argument("device")
@option("--owner", default="", metavar="NAME", zh="占用者（默认为登录名）",
        en="who held it (default: who you are)")  # fmt: skip
@option("--force", is_flag=True, zh="占用者是别人也放开", en="even if somebody else holds it")
@reason()
def release(device: str, owner: str, force: bool, reason: str) -> None:
    """Release a device."""
    with reached("devices release") as desk:
        told = desk.call("devices.release", device=device, owner=owner, force=force,
                         reason=reason)  # fmt: skip
    emit(told, lambda: _one(told["device"]))


@devices.command("disable", zh="停用一台打印机，重启后仍停用",
                 en="switch a printer off, for restarts too")  # fmt: skip
@click.argument("device")
@reason()
def disable(device: str, reason: str) -> None:
    """Switch a device off."""
    _changed("disable", device, reason)


@devices.command("enable", zh="启用一台停用的打印机", en="switch a printer on again")
@click.argument("device")
@reason()
def enable(device: str, reason: str) -> None:
    """Switch a device on."""
    _changed("enable", device, reason)


@devices.command("reset", zh="排除故障后复位：重读其文件、重新连接、重新认识设备",
                 en="after mending it: read its file, connect and get to know it anew")  # fmt: skip
@click.argument("device")
@reason()
def reset(device: str, reason: str) -> None:
    """Open a device anew."""
    _changed("reset", device, reason)


@devices.command("move", zh="把一组等待打印的任务交给另一组（预印票除外）",
                 en="hand the waiting jobs (no preprinted sheets) to another group")  # fmt: skip
@click.argument("source", metavar="DEVICE|GROUP")
@click.argument("target", metavar="DEVICE|GROUP")
@reason()
def move(source: str, target: str, reason: str) -> None:
    """Move a queue."""
    with reached("devices move") as desk:
        told = desk.call("devices.move", source=source, target=target, reason=reason)
    emit(told, lambda: click.echo(
        say(f"已把 {told['moved']} 个任务从 {told['source']} 交给 {told['target']}",
            f"{told['moved']} jobs moved from {told['source']} to {told['target']}")
    ))  # fmt: skip


def _changed(verb: str, device: str, reason: str) -> None:
    with reached(f"devices {verb}") as desk:
        told = desk.call(f"devices.{verb}", device=device, reason=reason)
    emit(told, lambda: _one(told["device"]))


def _settled(desk: Desk, row: dict[str, Any]) -> dict[str, Any]:
    """Wait until the job in hand is over; returns the device as it is then."""
    pause, waited = threading.Event(), 0.0
    if row["job"]:
        note(say(f"正在等任务 {row['job']} 打完", f"waiting for job {row['job']} to end"))
    while row["job"] and waited < JOB_WAIT_S:
        pause.wait(PAUSE_S)
        waited += PAUSE_S
        rows = desk.call("devices.list")["devices"]
        row = next((one for one in rows if one["id"] == row["id"]), row)
    return row


def _one(row: dict[str, Any]) -> None:
    click.echo(f"{row['id']}  {_state(row)}".replace("\n", "  "))
    if row["queue"]:
        waiting = say(f"组 {row['group']} 还有 {row['queue']} 个任务等待",
                      f"{row['queue']} jobs wait in group {row['group']}")  # fmt: skip
        click.echo(f"  {waiting}")
