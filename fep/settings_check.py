"""What one file of the configuration owes another: names that must exist, doors, devices.

Rules: a name that leads nowhere is told with the nearest that exists; where a file could not
be read, nobody is blamed for naming what it may hold. Files of keys: settings_secrets.
"""

from __future__ import annotations

import difflib
import grp
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fep.domain.kind_check import KindProblem, kind_problems, province_problems
from fep.plug import DRIVERS, names
from fep.settings_bridge import check_bridge
from fep.settings_callers import check_caller, everyone
from fep.settings_device import DeviceSettings
from fep.settings_forms import FormSheet, check_forms
from fep.settings_his import check_his
from fep.settings_http import check_http
from fep.settings_places import Endpoint, parse_endpoint
from fep.settings_secrets import check_keys
from fep.settings_site import KindFile, ProvinceFile, UnitFile
from fep.settings_toml import Source, Trail
from fep.settings_types import CallerSettings, FepFile
from fep.settings_web import check_web

SOCKET_PATH_MAX_BYTES = 107  # sun_path of unix(7), less its final zero


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that could be read; `broken` names the rooms where a file could not."""

    root: Path
    environ: Mapping[str, str]
    source: Source
    fep: FepFile
    units: list[tuple[Source, UnitFile]]
    kinds: list[tuple[Source, KindFile]]
    provinces: list[tuple[Source, ProvinceFile]]
    devices: list[tuple[Source, DeviceSettings]]
    broken: frozenset[str]
    callers: list[tuple[Source, CallerSettings]] = field(default_factory=list)
    forms: list[tuple[Source, FormSheet]] = field(default_factory=list)


def check(found: Found) -> None:
    """Note every problem between the files, in them and of the files they name."""
    _doors(found)
    _callers(found)
    _kinds(found)
    _provinces(found)
    _devices(found)
    check_forms(found.forms, {source.path.stem for source, _kind in found.kinds})
    _units(found)
    templates = ((source, province.qr_template) for source, province in found.provinces)
    check_web(found.source, found.fep.web, templates)
    check_http(found.source, found.fep.http, found.fep.api.listen)
    check_bridge(found.source, found.fep.bridge, found.devices)
    check_keys(found.source, found.fep, found.units, found.root, found.environ, found.callers)


def _known(source: Source, trail: Trail, name: str, known: Collection[str], what: tuple[str, str],
           *, complete: bool = True) -> bool:  # fmt: skip
    """Note a name that is not known; `complete` says that `known` holds all there are."""
    if name in known:
        return True
    if complete:
        near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
        source.wrong(trail, f"没有{what[0]} {name}", f"there is no {what[1]} {name}",
                     near[0] if near else " | ".join(sorted(known)))  # fmt: skip
    return False


def _doors(found: Found) -> None:
    source, api = found.source, found.fep.api
    control = str(found.root / api.control)
    if len(os.fsencode(control)) > SOCKET_PATH_MAX_BYTES:
        source.wrong(("api", "control"), f"套接字路径超过 {SOCKET_PATH_MAX_BYTES} 字节：{control}",
                     f"the socket path has more than {SOCKET_PATH_MAX_BYTES} bytes: {control}",
                     'control = "/run/fep/control.sock"')  # fmt: skip
    if api.control_group:
        groups = [group.gr_name for group in grp.getgrall()]
        _known(source, ("api", "control_group"), api.control_group, groups, ("用户组", "group"))
    taken: dict[tuple[str, int], int] = {}
    open_to_lan = False
    for place, text in enumerate(api.listen):
        trail: Trail = ("api", "listen", place)
        try:
            endpoint = parse_endpoint(text)
        except ValueError as error:
            source.wrong(trail, f"监听地址写法不对：{error}", f"not an endpoint: {error}",
                         "tcp:7500:interface=127.0.0.1")  # fmt: skip
            continue
        open_to_lan = open_to_lan or not (endpoint.loopback or endpoint.kind == "ssl")
        _twice(source, trail, endpoint, taken)
    if open_to_lan:
        _open_door(found)


def _twice(source: Source, trail: Trail, endpoint: Endpoint,
           taken: dict[tuple[str, int], int]) -> None:  # fmt: skip
    door = (endpoint.address, endpoint.port)
    if door in taken and (endpoint.port or endpoint.kind == "unix"):
        source.wrong(trail, "与另一监听地址重复", "listens where another entry already does")
    taken[door] = 1


def _open_door(found: Found) -> None:
    source, fep = found.source, found.fep
    if fep.api.frame_mac == "never":
        source.wrong(("api", "frame_mac"), "对局域网监听时必须启用报文校验",
                     "a door open to the network needs the mac of every frame",
                     '"auto"')  # fmt: skip
    for place, caller in enumerate(fep.callers):
        if caller.auth == "token":
            source.wrong(("callers", place, "auth"),
                         "token 只能在本机使用，局域网口不会接受",
                         "a token is taken from this machine only, never from the network",
                         "hmac-sm3", weak=True)  # fmt: skip
    if fep.callers and all(caller.auth == "token" for caller in fep.callers):
        source.wrong(("api", "listen"), "对局域网监听，但没有使用 HMAC 的业务系统",
                     "open to the network, but no caller proves itself by HMAC",
                     "tcp:7500:interface=127.0.0.1")  # fmt: skip


def _callers(found: Found) -> None:
    codes = {unit.code for _source, unit in found.units}
    whole = "units" not in found.broken
    appids: set[str] = set()
    for source, trail, caller in everyone(found.source, found.fep.callers, found.callers):
        if caller.appid in appids:
            source.wrong((*trail, "appid"), f"appid {caller.appid} 重复", "appid is used twice")
        appids.add(caller.appid)
        for n, code in enumerate(caller.units):
            if code != "*":
                _known(source, (*trail, "units", n), code, codes, ("单位", "unit"), complete=whole)
        _points(found, caller, (source, trail), whole)
        check_caller(source, trail, caller)
        if whole:
            units = [u for _source, u in found.units if {"*", u.code} & set(caller.units)]
            check_his(source, trail, caller.his, units)
        if not caller.rights:
            source.wrong((*trail, "rights"), "没有任何权限", "has no right at all", weak=True)
    if not (found.fep.callers or found.callers or "callers" in found.broken):
        found.source.wrong((), "没有配置业务系统，只能从控制套接字开票",
                     "no [[callers]]: only the control socket can issue", weak=True)  # fmt: skip


def _points(found: Found, caller: CallerSettings, at: tuple[Source, Trail], whole: bool) -> None:
    source, trail = at
    points = {
        point.code
        for _source, unit in found.units
        if "*" in caller.units or unit.code in caller.units
        for point in unit.points
    }
    for n, code in enumerate(caller.points):
        if code != "*":
            _known(source, (*trail, "points", n), code, points, ("开票点", "point"),
                   complete=whole)  # fmt: skip


def _kinds(found: Found) -> None:
    for source, kind in found.kinds:
        _note(source, kind_problems(kind.kind(source.path.stem)))
        if kind.numbering == "platform" and not found.fep.link.direct:
            source.wrong(("numbering",), "实时赋码须由本机直接报送：请配置 [link] direct",
                         "the platform can number receipts only over [link] direct",
                         "block")  # fmt: skip


def _note(source: Source, problems: Iterable[KindProblem]) -> None:
    for problem in problems:
        source.wrong(problem.at, problem.zh, problem.en, problem.suggestion, weak=problem.weak)


def _provinces(found: Found) -> None:
    for source, province in found.provinces:
        _note(source, province_problems(province.province(source.path.stem)))
        try:
            province.qr_template.format(verify_url="", code="", number="", check="", date="",
                                        amount="", url="")  # fmt: skip
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            source.wrong(("qr_template",), f"占位符不可用：{error}", f"not a placeholder: {error}",
                         "{verify_url} {code} {number} {check} {date} {amount} {url}")  # fmt: skip
            continue
        default = not province.qr_template
        if (default or "{verify_url}" in province.qr_template) and not province.verify_url:
            source.wrong(("verify_url",), "没有查验网址，二维码将指向占位地址",
                         "no verification address: the QR code leads nowhere",
                         weak=True)  # fmt: skip


def _devices(found: Found) -> None:
    ids: set[str] = set()
    drivers = names(DRIVERS)
    for source, device in found.devices:
        if device.id in ids:
            source.wrong(("id",), f"设备 {device.id} 重复", f"device {device.id} exists twice")
        ids.add(device.id)
        # A driver that cannot be used is that device's fault and stops nobody else.
        if not {device.driver, device.driver.replace("-", "_")} & set(drivers):
            there = " ".join(drivers)
            source.wrong(("driver",), f"本机没有驱动 {device.driver}，有：{there}",
                         f"there is no driver {device.driver}, but {there}", weak=True)  # fmt: skip


def _units(found: Found) -> None:
    if not found.units and "units" not in found.broken:
        found.source.wrong((), "units/ 中没有开票单位", "there is no unit in units/",
                           "fepctl init DIR --unit-name …")  # fmt: skip
    codes: set[str] = set()
    for source, unit in found.units:
        if unit.code in codes:
            source.wrong(("code",), f"单位 {unit.code} 重复", f"unit {unit.code} exists twice")
        codes.add(unit.code)
        _unit_names(found, source, unit)
        _unit_points(found, source, unit)


def _unit_names(found: Found, source: Source, unit: UnitFile) -> None:
    kinds = {source.path.stem for source, _kind in found.kinds}
    for place, name in enumerate(unit.kinds):
        _known(source, ("kinds", place), name, kinds, ("票据种类", "kind"),
               complete="kinds" not in found.broken)  # fmt: skip
    provinces = {source.path.stem: province for source, province in found.provinces}
    known = _known(source, ("province",), unit.province, provinces, ("省份", "province"),
                   complete="provinces" not in found.broken)  # fmt: skip
    if known and provinces[unit.province].tag[-2:] not in ("00", unit.area[:2]):
        source.wrong(("area",), f"区划 {unit.area} 不属于 {unit.province}",
                     f"area {unit.area} is not in {unit.province}", weak=True)  # fmt: skip
    _known(source, ("dest",), unit.dest, [found.fep.link.dest], ("上报目的地", "destination"))


def _unit_points(found: Found, source: Source, unit: UnitFile) -> None:
    groups = {d.group for _source, d in found.devices if d.enabled and d.kind == "printer"}
    codes: set[str] = set()
    for place, point in enumerate(unit.points):
        trail: Trail = ("points", place)
        if point.code in codes:
            source.wrong((*trail, "code"), f"开票点 {point.code} 重复", "point exists twice")
        codes.add(point.code)
        if point.group:
            _known(source, (*trail, "group"), point.group, groups, ("设备组", "device group"),
                   complete="devices" not in found.broken)  # fmt: skip
        elif point.print != "never":
            source.wrong((*trail, "print"), "要打印但没有设备组 group",
                         "prints, but has no device group", 'group = "window-1"')  # fmt: skip
        elif point.form != "on_request":
            source.wrong((*trail, "form"), "要套打但没有设备组 group",
                         "prints forms, but has no device group",
                         'group = "window-1"')  # fmt: skip
