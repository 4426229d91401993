"""`fepctl init DIR`: a new site, or the platform's certificate for one that exists.

Heavy imports are inside the verb.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fep.cli.common import CliFault, emit, facts, heading, paint, refuse_with, say, when
from fep.cli.common_reach import of
from fep.cli.common_verbs import Verb, option
from fep.cli.ctl_config import show_problems
from fep.domain.faults import Refused
from fep.domain.faults_site import site_refuse

if TYPE_CHECKING:
    from fep.services.site import Identity, Site, Wanted

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NAMES = {"unit": ("开票单位", "unit"), "node": ("本机", "node"), "platform": ("平台", "platform")}


class _Shape(click.ParamType[str]):
    """A text of a given shape, told in words when it has another."""

    name = "text"

    def __init__(self, pattern: str, zh: str, en: str) -> None:
        self.pattern, self.zh, self.en = pattern, zh, en

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        import re

        if (value and not re.fullmatch(self.pattern, value)) or not value.isprintable():
            self.fail(say(self.zh, self.en), param, ctx)
        return str(value)


@click.command("init", cls=Verb, zh="新建站点目录：配置、密钥、自签证书；已有站点只导入平台证书",
               en="make a site: configuration, keys, certificates; or import the platform's"
                  " certificate into an existing one")  # fmt: skip
@click.argument("directory", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@option("--demo", is_flag=True, zh="使用示范医院的数据", en="take the demo hospital as it is")
@option("--unit-name", default="", type=_Shape(r".{1,100}", "1 至 100 个字", "1 to 100 characters"),
        zh="开票单位全称", en="full name of the unit")  # fmt: skip
@option("--unit-code", default="",
        type=_Shape(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", "字母数字，至多 40 位",
                    "letters and digits, at most 40"),
        zh="本系统内的单位代码", en="our short code of the unit")  # fmt: skip
@option("--area", default="", type=_Shape(r"[0-9]{6}", "6 位行政区划", "6 digits"),
        zh="6 位行政区划", en="six-digit area code")  # fmt: skip
@option("--party-code", default="",
        type=_Shape(r"[0-9A-Za-z]{1,30}", "字母数字，至多 30 位", "letters and digits, at most 30"),
        zh="统一社会信用代码", en="unified social credit code")  # fmt: skip
@option("--node-id", default="",
        type=_Shape(r"[A-Za-z0-9-]{1,16}", "字母数字，至多 16 位",
                    "letters and digits, at most 16"),
        zh="本机编号", en="id of this node")  # fmt: skip
@option("--port", default=0, type=click.IntRange(0, 65535), metavar="PORT",
        zh="本机监听端口（默认 7500）", en="port on this machine (default 7500)")  # fmt: skip
@option("--data", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
        zh="数据与网闸交换目录的位置（如 /var/lib/fep；默认在站点目录内）",
        en="where data and the ferry directory go, as /var/lib/fep"
           " (default: inside the site)")  # fmt: skip
@option(
    "--passphrase-file",
    type=FILE,
    metavar="FILE",
    zh="密钥口令文件（0600）；密钥将加密保存",
    en="passphrase (0600) to encrypt the keys with",
)
@option(
    "--platform-cert",
    type=FILE,
    metavar="FILE",
    zh="平台证书，导入并显示指纹",
    en="the platform's certificate; its fingerprint is shown",
)
def command(directory: Path, demo: bool, platform_cert: Path | None, **given: Any) -> None:
    """Make a site, or import the platform's certificate into one."""
    from fep.services import site

    wanted = site.Wanted(**given)
    alone = platform_cert is not None and wanted == site.Wanted() and not demo
    try:
        if alone and platform_cert is not None and (directory / "fep.toml").exists():
            made = _trust(directory, platform_cert)
        else:
            made = _found(directory, wanted, platform_cert)
    except Refused as refused:
        refuse_with(of(refused))
    steps = next_steps(made, named=wanted.names_unit or demo)
    emit(_told(made, steps), lambda: _show(made, steps))
    if made.errors:
        sys.exit(1)


def _trust(directory: Path, platform: Path) -> Site:
    from fep.env import RealClock
    from fep.services import site

    return site.trust(directory, platform, RealClock())


def _found(directory: Path, wanted: Wanted, platform: Path | None) -> Site:
    from dataclasses import replace

    from fep.env import RealClock, RealEntropy
    from fep.services import site

    if wanted.passphrase_file is not None:
        wanted = replace(wanted, passphrase=_passphrase(wanted.passphrase_file))
    return site.found_site(directory, wanted, platform, RealClock(), RealEntropy())


def _passphrase(path: Path) -> str:
    from fep.settings import SettingsError, read_secret

    if path.stat().st_mode & 0o077:
        raise site_refuse("SITE_SECRET", path=path)
    try:
        return read_secret(f"file:{path.absolute()}", Path())
    except SettingsError as error:
        problem = error.problems[0]
        refuse_with(CliFault("SITE_FILE", f"{path} {problem.zh}", f"{path} {problem.en}"))


def next_steps(made: Site, *, named: bool) -> list[tuple[str, str]]:
    """Return what to do next, as (sentence, command); a command may be empty."""
    config = made.path / "fep.toml"
    steps: list[tuple[str, str]] = []
    if made.unit and not named:
        steps.append((say("单位为示范数据，请按实际修改", "the unit is the demo one: put in yours"),
                      f"vi {made.path / 'units'}/*.toml"))  # fmt: skip
    if os.geteuid() == 0 and made.unit:
        steps.append((say("交给服务用户", "give it to the service user"),
                      " ".join(["chown -R fep:fep", *map(str, made.homes)])))  # fmt: skip
    steps.append((say("检查配置", "check the configuration"), f"fepctl -c {config} config check"))
    if all(identity.name != "platform" for identity in made.identities):
        steps.append((say("把 unit.crt、node.crt 交平台登记，取回平台证书后导入",
                          "register unit.crt and node.crt, then import the platform's"),
                      f"fepctl init {made.path} --platform-cert platform.crt"))  # fmt: skip
    else:
        steps.append((say("与平台电话核对指纹，不符则断开上报",
                          "compare the fingerprints with the platform by phone"), ""))  # fmt: skip
    if made.unit:
        steps.append((say("启动", "start"), f"fepd run -c {config}"))
        steps.append((say("导入或等待票据号段", "import numbers, or wait for the platform's"),
                      f"fepctl -c {config} numbers"))  # fmt: skip
    else:
        steps.append((say("重启后生效", "takes effect after a restart"), "systemctl restart fep"))
    return steps


def _told(made: Site, steps: list[tuple[str, str]]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "site": str(made.path),
        "unit": made.unit,
        "unit_name": made.unit_name,
        "certificates": [identity.told() for identity in made.identities],
        "kept": str(made.kept) if made.kept else None,
        "problems": [asdict(problem) for problem in (*made.errors, *made.warnings)],
        "next": [{"say": sentence, "run": run} for sentence, run in steps],
    }


def _show(made: Site, steps: list[tuple[str, str]]) -> None:
    if made.unit:
        heading(say(f"站点已建立：{made.path}", f"The site is made: {made.path}"))
        facts([(say("单位", "unit"), f"{made.unit} {made.unit_name}")], indent=2)
    else:
        heading(say("平台证书已导入", "The platform's certificate is imported"))
    if made.kept is not None:
        facts([(say("原证书保留为", "the former one is kept as"), str(made.kept))], indent=2)
    for identity in made.identities:
        _show_identity(identity)
    show_problems(made.errors, made.warnings)
    heading(say("下一步", "Next"))
    for number, (said, run) in enumerate(steps, 1):
        click.echo(f"  {number}. {said}")
        if run:
            click.echo(f"     {paint(run, 'cyan')}")


def _show_identity(identity: Identity) -> None:
    digits = identity.fingerprint.upper()
    groups = " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))
    facts([
        (say(*_NAMES[identity.name]), identity.subject),
        (say("证书", "certificate"), str(identity.path)),
        (say("序列号", "serial"), identity.serial_hex),
        (say("有效期至", "valid until"), when(int(identity.not_after.timestamp() * 1000))[:10]),
        (say("SM3 指纹", "SM3"), groups),
    ], indent=2)  # fmt: skip
