"""`fepctl keys look`: what is in the UKEYs that are plugged in, for whoever sets one up.

The vendor's library runs in a process of its own, with a limit of time; no PIN is used.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from fep.cli.common import CliFault, emit, facts, heading, say
from fep.cli.common_reach import find_config, of
from fep.cli.common_verbs import Verb, option

LOOK_WITHIN_S = 30


@click.command("look", cls=Verb, zh="查看已插入的 UKEY：应用、容器、证书（不用口令）",
               en="what is in the UKEYs plugged in: names, certificates; uses no PIN")  # fmt: skip
@click.argument("library", metavar="LIBRARY", type=click.Path(path_type=Path, exists=True))
@option("--profile", default="standard", zh="参数文件名（skf/）", en="a profile of skf/")
@option("--cert-dir", type=click.Path(path_type=Path, file_okay=False, exists=True),
        zh="把证书存到此目录", en="save the certificates here")  # fmt: skip
def look(library: Path, profile: str, cert_dir: Path | None) -> None:
    """Look into the UKEYs of a library."""
    told = _asked(library.absolute(), profile)
    if told["why"]:
        raise CliFault("SIG_KEY", f"厂商库 {library} 不能用：{told['why']}",
                       f"the library {library} cannot be used: {told['why']}")  # fmt: skip
    if cert_dir is not None:
        _save(told, cert_dir)
    emit(told, lambda: _show(told))


def _asked(library: Path, profile: str) -> dict[str, Any]:
    from fep.settings import SettingsError
    from fep.settings_signer import skf_profile

    try:
        root = find_config().parent
    except CliFault:
        root = Path()  # before there is a site: the shipped profiles
    try:
        numbers = skf_profile(root, profile).numbers()
    except SettingsError as error:
        problem = error.problems[0]
        raise CliFault("SIG_KEY", f"{problem.zh} {problem.suggestion}",
                       f"{problem.en} {problem.suggestion}") from error  # fmt: skip
    command = [sys.executable, "-P", "-m", "fep.services.signer_look"]
    asked = json.dumps({"library": str(library), "profile": numbers}) + "\n"
    try:
        done = subprocess.run(command, input=asked.encode(), stdout=subprocess.PIPE,
                              timeout=LOOK_WITHIN_S, check=True)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise CliFault("SIG_KEY", f"厂商库 {LOOK_WITHIN_S} 秒无应答",
                       f"the library said nothing for {LOOK_WITHIN_S} s") from error  # fmt: skip
    except subprocess.CalledProcessError as error:
        raise CliFault("SIG_KEY", f"厂商库崩溃（{error.returncode}），换一个 profile 试试",
                       f"the library crashed ({error.returncode}); try another profile",
                       ) from error  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _save(told: dict[str, Any], directory: Path) -> None:
    for device in told["devices"]:
        for application in device["applications"]:
            for container in application["containers"]:
                if container["certificate"]:
                    path = directory / f"{container['serial']}.crt"
                    try:
                        path.write_bytes(bytes.fromhex(container["certificate"]))
                    except OSError as error:
                        from fep.domain.faults_desk import desk_refuse

                        fault = desk_refuse("CTL_FILE", path=path, why=error.strerror)
                        raise of(fault) from error
                    container["saved"] = str(path)


def _show(told: dict[str, Any]) -> None:
    if not told["devices"]:
        click.echo(say("没有检测到 UKEY", "no UKEY is plugged in"))
    for device in told["devices"]:
        heading(f'device = "{device["serial"] or device["name"]}"')
        facts([(say("设备", "device"), f"{device['name']} {device['maker']} {device['label']}"),
               ("SM2", say("支持", "yes") if device["sm2"] else say("未声明", "not announced")),
               *_why(device)], indent=2)  # fmt: skip
        for application in device["applications"]:
            left, most = application["tries_left"], application["tries_max"]
            facts([("application", f'"{application["name"]}"'),
                   (say("口令剩余次数", "PIN tries left"), f"{left}/{most}"), *_why(application)],
                  indent=4)  # fmt: skip
            for container in application["containers"]:
                facts([("container", f'"{container["name"]}"'),
                       (say("证书", "certificate"), _certificate(container)), *_why(container)],
                      indent=6)  # fmt: skip


def _certificate(container: dict[str, Any]) -> str:
    if not container["certificate"]:
        return say("没有签名证书", "no signing certificate") if container["sm2"] else "-"
    saved = f"  → {container['saved']}" if "saved" in container else ""
    return f"{container['subject']} {container['serial']}{saved}"


def _why(part: dict[str, Any]) -> list[tuple[str, str]]:
    return [(say("读不出", "cannot be read"), part["why"])] if part["why"] else []
