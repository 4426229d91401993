"""`fepctl callers`: business systems and their keys; every change holds at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fep.cli import common_callers as files
from fep.cli.common import Column, emit, facts, heading, note, paint, say, sentence, table
from fep.cli.common_reach import Desk, of, reached
from fep.cli.common_verbs import Verbs, option, reason
from fep.domain.faults import refuse

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
KEY_BYTES, SHORT_KEY = 32, 32
RIGHTS = ("issue", "reverse", "print", "pay", "query", "admin")


@click.group("callers", cls=Verbs, zh="业务系统：添加、列出、换密钥、停用、查看",
             en="business systems: add, list, rotate, disable, show")  # fmt: skip
def group() -> None:
    """Group the verbs."""


def _what_it_may(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Declare the options that say what a caller may do; one not given changes nothing."""
    choice = click.Choice
    for declare in reversed((
        option("--name", default=None, zh="名称", en="a name for people"),
        option("--right", "rights", multiple=True, type=choice(RIGHTS),
               zh="权限，可多次", en="a right; may be given again"),
        option("--unit", "units", multiple=True, metavar="CODE",
               zh="可办理的单位，可多次", en="a unit it may act for; may be given again"),
        option("--point", "points", multiple=True, metavar="CODE",
               zh="可办理的开票点，可多次", en="a point it may act for; may be given again"),
        option("--address", "addresses", multiple=True, metavar="IP",
               zh="可接入的地址或网段，可多次；any 为不限",
               en="an address or network it may come from; any lifts the limit"),
        option("--auth", type=choice(("hmac-sm3", "hmac-sha256", "token")), default=None,
               zh="套接字接口的认证方式", en="how it proves itself at the socket API"),
        option("--encoding", type=choice(("utf-8", "gbk")), default=None,
               zh="报文编码", en="encoding of its text"),
        option("--queue/--no-queue", default=None,
               zh="暂不能开票时排队", en="what cannot be issued now waits"),
        option("--rate", "rate_per_s", type=click.IntRange(0, 100_000), default=None,
               zh="每秒请求数上限，0 为不限", en="calls a second, 0 is no limit"),
        option("--max-amount", default=None, metavar="YUAN",
               zh="单张金额上限（元），\"\" 为不限", en="yuan a receipt, \"\" is no limit"),
        option("--key-rule", default=None, metavar="RULE",
               zh="流水号规则：busNo、content、before:_、after:-、field:NAME",
               en="what names an event: busNo, content, before:_, after:-, field:NAME"),
        option("--his", "his", multiple=True, metavar="KEY=VALUE",
               zh="接口代码对照，如 unit=…、points.P1=001、kinds.02=outpatient",
               en="its codes, as unit=…, points.P1=001, kinds.02=outpatient"),
        option("--upstream", default=None, metavar="URL",
               zh="原前置机网址，\"\" 为没有", en="its old front-end, \"\" is none"),
        option("--upstream-appid", default=None, metavar="APPID",
               zh="在原前置机的账号（默认相同）", en="its appid there, if another"),
        option("--upstream-key-file", type=FILE, default=None,
               zh="在原前置机的密钥（默认相同）", en="its key there, if another"),
        option("--upstream-s", type=float, default=None, metavar="SECONDS",
               zh="等原前置机多久", en="how long to wait for it"),
    )):  # fmt: skip
        verb = declare(verb)
    return verb


@group.command("add", zh="添加业务系统；新密钥只显示一次；--key-file 接管原有密钥",
               en="add one; a new key is shown once; --key-file takes an old one over")  # fmt: skip
@option("--appid", required=True, zh="系统标识", en="its appid")
@option("--key-file", type=FILE, default=None, zh="原有密钥（加密保存后可删除此文件）",
        en="its existing key; kept encrypted, the file may go then")  # fmt: skip
@_what_it_may
@reason()
def add(appid: str, key_file: Path | None, reason: str, **may: Any) -> None:
    """Add a caller."""
    with reached("callers add") as desk:
        known = {one["appid"]: one for one in _listed(desk)}
        if appid in known:
            raise of(refuse("CALLER_EXISTS", appid=appid, where=known[appid]["file"]))
        if not _plain(appid):
            raise click.BadParameter(
                say("只能有字母、数字、_ . -", "letters, digits, _ . -"), param_hint="--appid"
            )
        caller: dict[str, Any] = {"appid": appid, "key_file": f"{files.KEYS}/caller-{appid}.key"}
        key, fresh = _key(key_file)
        told = _keep(desk, "added", caller, may, reason, key)
    _show_key(told, key if fresh else "", key)


@group.command("change", zh="修改权限、范围、限额、原前置机（只改给出的项）",
               en="change rights, scope, limits, old front-end: only what is given")  # fmt: skip
@option("--appid", required=True, zh="系统标识", en="its appid")
@_what_it_may
@reason()
def change(appid: str, reason: str, **may: Any) -> None:
    """Change a caller."""
    with reached("callers change") as desk:
        told = _keep(desk, "changed", files.read(_made(desk, appid)), may, reason)
    emit(told, lambda: click.echo(say(f"已修改 {appid}，即刻生效", f"{appid} is changed, now")))


@group.command("rotate", zh="换密钥：旧密钥立即失效，新密钥只显示一次",
               en="a new key: the old one ends now, the new one is shown once")  # fmt: skip
@click.argument("appid")
@option("--key-file", type=FILE, default=None, zh="用文件中的密钥", en="take the key of a file")
@reason()
def rotate(appid: str, key_file: Path | None, reason: str) -> None:
    """Give a caller another key."""
    with reached("callers rotate") as desk:
        found = _one(desk, appid)
        key, fresh = _key(key_file)
        path = Path(found["key_file"])
        sealed = desk.call("callers.seal", appid=appid, key=key)["sealed"]
        with files.kept(desk.site, path):
            files.write(desk.site, path, sealed.encode())
            told = _reload(desk, "rotated", appid, reason)
    _show_key(told, key if fresh else "", key)


@group.command(
    "disable", zh="停用：连接立即断开，密钥保留", en="keep it out, at once; its key stays"
)
@click.argument("appid")
@reason()
def disable(appid: str, reason: str) -> None:
    """Keep a caller out."""
    _switch(appid, reason, on=False)


@group.command("enable", zh="重新启用", en="let it in again")
@click.argument("appid")
@reason()
def enable(appid: str, reason: str) -> None:
    """Let a caller in again."""
    _switch(appid, reason, on=True)


def _switch(appid: str, reason: str, *, on: bool) -> None:
    verb = "enable" if on else "disable"
    with reached(f"callers {verb}") as desk:
        caller = files.read(_made(desk, appid))
        told = _keep(desk, f"{verb}d", {**caller, "enabled": on}, {}, reason)
    done = say("已启用" if on else "已停用", "may come in" if on else "is kept out")
    emit(told, lambda: click.echo(f"{appid} {done}"))


@group.command("reload", zh="重新读取 fep.toml 的 [[callers]] 与 callers/；解除认证失败的暂停",
               en="read [[callers]] and callers/ again; lift lock-outs")  # fmt: skip
@reason()
def reload(reason: str) -> None:
    """Read the callers again."""
    with reached("callers reload") as desk:
        told = desk.call("callers.reload", op="reloaded", reason=reason)
    emit(told, lambda: facts([
        (say("新增", "added"), " ".join(told["added"]) or "-"),
        (say("有变", "changed"), " ".join(told["changed"]) or "-"),
        (say("去除", "gone"), " ".join(told["gone"]) or "-"),
    ]))  # fmt: skip


@group.command("list", zh="列出业务系统", en="list them")
def list_() -> None:
    """List the callers."""
    with reached() as desk:
        told = _listed(desk)
    emit({"callers": told}, lambda: _table(told))


@group.command(
    "show", zh="一个业务系统的全部设置（不含密钥）", en="all settings of one, but its key"
)
@click.argument("appid")
def show(appid: str) -> None:
    """Show a caller."""
    with reached() as desk:
        told = _one(desk, appid)
    emit(told, lambda: _facts(told))


# the pieces
def _listed(desk: Desk) -> list[dict[str, Any]]:
    return list(desk.call("callers.list")["callers"])


def _one(desk: Desk, appid: str) -> dict[str, Any]:
    for one in _listed(desk):
        if one["appid"] == appid:
            return one
    raise of(refuse("CALLER_UNKNOWN", appid=appid))


def _made(desk: Desk, appid: str) -> Path:
    """Return the file of a caller that the command line made. Raises CliFault."""
    if _one(desk, appid)["file"] == "fep.toml":
        raise of(refuse("CALLER_BY_HAND", appid=appid))
    return files.file_of(desk.site, appid)


def _plain(appid: str) -> bool:
    return (
        0 < len(appid) <= 64 and appid.isascii() and appid[0].isalnum()
        and all(char.isalnum() or char in "_.-" for char in appid)
    )  # fmt: skip


def _key(file: Path | None) -> tuple[str, bool]:
    """Return a key, and whether it is a new one. Raises CliFault CALLER_KEY_FILE."""
    if file is None:
        from fep.env import RealEntropy

        return RealEntropy().token(KEY_BYTES).hex(), True
    try:
        return file.read_text("utf-8").strip(), False
    except (OSError, ValueError) as error:
        raise of(refuse("CALLER_KEY_FILE", path=file, why=error)) from error


def _keep(desk: Desk, op: str, caller: dict[str, Any], may: dict[str, Any], reason: str,
          key: str = "") -> dict[str, Any]:  # fmt: skip
    """Write a caller's files and let the daemon read them; all of it or nothing."""
    appid, site = str(caller["appid"]), desk.site
    file, key_file = files.file_of(site, appid), files.key_of(site, appid)
    other, other_key = may.pop("upstream_key_file", None), files.key_of(site, appid, "-upstream")
    caller = _with(caller, may)
    contents: dict[Path, str] = {}
    if key:
        contents[key_file] = desk.call("callers.seal", appid=appid, key=key)["sealed"]
    if other is not None:
        second, _ = _key(other)
        contents[other_key] = desk.call("callers.seal", appid=appid, key=second)["sealed"]
        caller["upstream_key_file"] = f"{files.KEYS}/{other_key.name}"
    contents[file] = files.text_of(caller)
    with files.kept(site, *contents):
        for path, text in contents.items():
            files.write(site, path, text.encode())
        return _reload(desk, op, appid, reason)


def _reload(desk: Desk, op: str, appid: str, reason: str) -> dict[str, Any]:
    told = desk.call("callers.reload", op=op, appid=appid, reason=reason)
    return dict(told["caller"])


def _with(caller: dict[str, Any], may: dict[str, Any]) -> dict[str, Any]:
    """Return a caller with what was given on the command line."""
    his, rule = may.pop("his", ()), may.pop("key_rule", None)
    given = {name: value for name, value in may.items() if value not in (None, ())}
    if given.get("addresses") == ("any",):
        given["addresses"] = ()
    told = {**caller, **{k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}}
    codes = dict(told.pop("his", {}))
    if rule is not None:
        codes["key_rule"] = rule
    for pair in his:
        name, sign, value = pair.partition("=")
        table_, _, code = name.partition(".")
        if not sign or not table_:
            raise click.BadParameter(
                say(f"应写作 KEY=VALUE：{pair}", f"write KEY=VALUE: {pair}"), param_hint="--his"
            )
        if code:
            codes[table_] = {**codes.get(table_, {}), code: value}
        else:
            codes[table_] = value
    return {**told, "his": codes} if codes else told


def _show_key(told: dict[str, Any], shown: str, key: str) -> None:
    if len(key) < SHORT_KEY:
        note(
            say(
                "密钥较短，建议割接完成后用 fepctl callers rotate 更换",
                "a short key: give out another with fepctl callers rotate after the cut-over",
            )
        )
    emit({"caller": told, "key": shown or None}, lambda: _key_lines(told, shown))


def _key_lines(told: dict[str, Any], shown: str) -> None:
    _facts(told)
    if shown:
        click.echo(f"{say('密钥（只显示这一次）', 'key, shown this once')}  {shown}")
    else:
        click.echo(say("密钥已加密保存", "the key is kept encrypted"))


def _table(told: list[dict[str, Any]]) -> None:
    table(
        (Column("标识", "appid", fold=False), Column("名称", "name"), Column("状态", "state"),
         Column("权限", "rights"), Column("单位", "units"), Column("开票点", "points"),
         Column("地址", "addresses"), Column("上限", "limits"), Column("写在", "written in")),
        [(one["appid"], one["name"], _state(one), " ".join(one["rights"]),
          " ".join(one["units"]), " ".join(one["points"]),
          " ".join(one["addresses"]) or say("不限", "any"), _limits(one),
          Path(one["file"]).name) for one in told],
        empty=say("没有业务系统", "there is no caller"),
    )  # fmt: skip


def _state(one: dict[str, Any]) -> str:
    if one["fault"] is not None:
        return paint(one["fault"]["code"], "red")
    if one["locked"]:
        return paint(say("暂停接入", "locked out"), "yellow")
    return say("启用", "on") if one["enabled"] else paint(say("停用", "off"), "yellow")


def _codes(value: Any) -> str:
    return " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def _limits(one: dict[str, Any]) -> str:
    parts = [f"{one['rate_per_s']}/s"] if one["rate_per_s"] else []
    return " ".join([*parts, *([f"≤{one['max_amount']}"] if one["max_amount"] else [])]) or "-"


def _facts(one: dict[str, Any]) -> None:
    heading(f"{one['appid']}  {one['name']}".rstrip())
    facts([
        (say("状态", "state"), _state(one)),
        *((say("暂停接入", "locked out"), f"{row['address']} {row['seconds']} s")
          for row in one["locked"]),
        (say("认证", "auth"), one["auth"]),
        (say("权限", "rights"), " ".join(one["rights"])),
        (say("单位", "units"), " ".join(one["units"])),
        (say("开票点", "points"), " ".join(one["points"])),
        (say("地址", "addresses"), " ".join(one["addresses"]) or say("不限", "any")),
        (say("编码", "encoding"), one["encoding"]),
        (say("排队", "queue"), say("是", "yes") if one["queue"] else say("否", "no")),
        (say("上限", "limits"), _limits(one)),
        (say("原前置机", "old front-end"), one["upstream"] or "-"),
        *((f"his.{name}", _codes(value)) for name, value in one.get("his", {}).items() if value),
        (say("密钥文件", "key file"), one["key_file"]),
        (say("写在", "written in"), one["file"]),
    ], indent=2)  # fmt: skip
    if one["fault"] is not None:
        click.echo(f"  → {sentence(one['fault']['zh'], one['fault']['en'])}")
