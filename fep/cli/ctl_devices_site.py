"""`fepctl devices discover`, `devices add`, `printers assign`: what changes the site's files.

The files are written by the person who runs the command; a running daemon is told at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from fep.cli.common import CliFault, Column, emit, note, say, table
from fep.cli.common_reach import find_site, of, reached
from fep.cli.common_verbs import Lazy, Verb, Verbs, option, reason
from fep.cli.ctl_devices import running
from fep.domain.faults import Refused
from fep.domain.faults_desk import desk_refuse

T = TypeVar("T")


@click.command(
    "discover", cls=Verb,
    zh="查找打印机：串口、USB；写明地址或网段时也问网络（9100、631 端口），不出纸",
    en="look for printers: serial, USB, and given addresses (ports 9100, 631); no paper",
)  # fmt: skip
@click.argument("networks", nargs=-1, metavar="[ADDRESS|NETWORK]...")
@option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    default=(9100, 631),
    show_default=True,
    zh="询问哪些端口，可多次给出",
    en="ports to ask; may be given again",
)
@option("--ask", is_flag=True,
        zh="向 9100 端口询问型号（激光打印机可能把询问打成一页字）",
        en="ask port 9100 for its model (a laser printer may print the question)")  # fmt: skip
def discover(networks: tuple[str, ...], ports: tuple[int, ...], ask: bool) -> None:
    """Look for devices."""
    from fep.env import RealClock
    from fep.services import devices_discover as looking

    try:
        hosts = looking.addresses(networks)
    except Refused as refused:
        raise of(refused) from refused
    found = [*looking.serial_ports(), *looking.usb_printers()]
    if hosts:
        note(say(f"正在询问 {len(hosts)} 个地址…", f"asking {len(hosts)} addresses…"))
        found += looking.network(hosts, RealClock(), ask_raw=ask, ports=ports)
    found = looking.named(found, _configured())
    told = {"found": [asdict(one) for one in found]}
    emit(told, lambda: _found(told["found"]))


def _configured() -> list[tuple[str, str]]:
    """Return id and address of the site's devices; discovery works without a site too."""
    try:
        with reached() as desk:
            rows = desk.call("devices.list")["devices"]
    except CliFault:
        return []
    return [(row["id"], row["address"]) for row in rows]


def _found(rows: list[dict[str, Any]]) -> None:
    table(
        (Column("地址", "address", fold=False), Column("说明", "says"), Column("驱动", "driver"),
         Column("型号", "profile"), Column("已配置为", "configured as")),
        [(row["address"], row["about"] or "-", row["driver"], row["profile"], row["device"] or "-")
         for row in rows],
        empty=say("没有找到", "nothing was found"),
    )  # fmt: skip
    new = next((row for row in rows if not row["device"]), None)
    if new is not None:
        click.echo(f"  → fepctl devices add ID --group GROUP --address {new['address']}"
                   f" --driver {new['driver']} --profile {new['profile']}"
                   " --reason TEXT")  # fmt: skip


@click.command("add", cls=Verb, zh="添加一台打印机：写入 devices/ID.toml，检查后立即启用",
               en="add a printer: writes devices/ID.toml and drives it at once")  # fmt: skip
@click.argument("device", metavar="ID")
@option("--group", required=True, zh="设备组", en="device group")
@option("--address", required=True, metavar="TYPE:PLACE",
        zh="tcp:主机[:端口]、serial:/dev/serial/by-id/…[@波特率]、usblp:/dev/…、"
           "ipp:主机/队列、lpd:主机/队列、bridge:桥/端口",
        en="tcp:HOST[:PORT], serial:/dev/serial/by-id/…[@BAUD], usblp:/dev/…, ipp:HOST/QUEUE,"
           " lpd:HOST/QUEUE, bridge:BRIDGE/PORT")  # fmt: skip
@option("--driver", default="", zh="驱动（默认 escpos；ipp 地址为 ipp）",
        en="driver (default escpos, ipp for an ipp address)")  # fmt: skip
@option("--profile", default="", zh="型号（默认 epson-80；ipp 为 a5）",
        en="profile (default epson-80, a5 for ipp)")  # fmt: skip
@option("--shared", is_flag=True, zh="两处共用：打完即放开连接",
        en="give the line back between jobs")  # fmt: skip
@reason()
def add(device: str, group: str, address: str, driver: str, profile: str, shared: bool,
        reason: str) -> None:  # fmt: skip
    """Add a device."""
    from fep.services import devices_site

    site = find_site()

    def write() -> tuple[Any, Path]:
        transport = devices_site.transport_of(address)
        if shared:
            transport["shared"] = True
        page = transport["type"] == "ipp"
        values = {"id": device, "group": group, "driver": driver or ("ipp" if page else "escpos"),
                  "profile": profile or ("a5" if page else "epson-80")}  # fmt: skip
        _usable(values)
        return devices_site.add_device(site.root, devices_site.device_text(values, transport))

    settings, path = _written(write)
    told: dict[str, Any] = {"file": str(path), "device": {"id": settings.id}, "live": False}
    with running() as desk:
        if desk is not None:
            load = partial(desk.call, "devices.load", device=device, reason=reason)
            told |= _taken(load, path.unlink) | {"live": True}
    emit(told, lambda: _added(told, settings.id))


def _usable(values: dict[str, str]) -> None:
    """Raises Refused DEV_FILE for a driver or profile that there is not."""
    from fep.domain.faults import refuse
    from fep.plug import PlugError, load_driver

    try:
        driver: Any = load_driver(values["driver"])
        driver.load(values["profile"])
    except PlugError as error:
        raise refuse("DEV_FILE", file=f"{values['id']}.toml", why=error) from error
    except Exception as error:
        # A plug-in may fail in any way; what it said is shown.
        raise refuse("DEV_FILE", file=f"{values['id']}.toml", why=error) from error


def _added(told: dict[str, Any], device: str) -> None:
    click.echo(say(f"已写入 {told['file']}", f"{told['file']} written"))
    if not told["live"]:
        click.echo(say("前置机启动后生效", "it is driven when the front-end starts"))
    click.echo(f"  → fepctl devices check {device}")
    click.echo(f"  → fepctl devices test {device} --reason TEXT")


@click.group("printers", cls=Verbs,
             lazy={"jobs": Lazy("fep.cli.ctl_prints", "jobs", "等待打印的小票，以及原因",
                                "slips that wait, and why"),
                   "cancel": Lazy("fep.cli.ctl_prints", "cancel", "不再打印一张小票",
                                  "give up a slip")},
             zh="开票点打到哪个设备组；等待打印的小票",
             en="which group a point prints to; slips that wait")  # fmt: skip
def printers() -> None:
    """Group the verbs of points and printers."""


@printers.command("assign", zh="让一个开票点改打到另一个设备组（写入 units/，立即生效）",
                  en="have a point print to another group (writes units/, at once)")  # fmt: skip
@click.argument("point")
@click.argument("group")
@option("--unit", default="", zh="开票单位（几个单位有同名开票点时）",
        en="unit, when several have a point of that name")  # fmt: skip
@reason()
def assign(point: str, group: str, unit: str, reason: str) -> None:
    """Assign a point to a group."""
    from fep.services import devices_site

    site = find_site()
    code, path, before = _written(lambda: devices_site.assign_point(site.root, unit, point, group))
    told: dict[str, Any] = {"unit": code, "point": point, "group": group, "file": str(path),
                            "live": False}  # fmt: skip
    with running() as desk:
        if desk is not None:
            call = partial(desk.call, "points.assign", unit=code, point=point, group=group,
                           reason=reason)  # fmt: skip
            told |= _taken(call, partial(devices_site.write_back, path, before)) | {"live": True}
    done = say(f"开票点 {code}/{point} 打到 {group}", f"point {code}/{point} prints to {group}")
    later = "" if told["live"] else say("，前置机启动后生效", " when the front-end starts")
    emit(told, lambda: click.echo(done + later))


def _written(write: Callable[[], T]) -> T:
    """Write files of the site. Raises CliFault."""
    try:
        return write()
    except Refused as refused:
        raise of(refused) from refused
    except PermissionError as error:
        raise of(desk_refuse("CTL_DENIED", path=error.filename)) from error


def _taken(call: Callable[[], Any], undo: Callable[[], None]) -> dict[str, Any]:
    """Tell the daemon; what it refuses is taken out of the file again."""
    try:
        told: dict[str, Any] = call()
    except CliFault:
        undo()
        raise
    return told
