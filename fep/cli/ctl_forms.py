"""`fepctl forms`: preprinted sheets (套打格式) of forms/, checked and shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from fep.cli.common import CliFault, Column, emit, facts, paint, say, table
from fep.cli.common_reach import find_site
from fep.cli.common_verbs import Verbs

_ROOM = "forms"


@click.group("forms", cls=Verbs, zh="套打格式：检查、查看", en="preprinted sheets: check, show")
def group() -> None:
    """Group the verbs."""


@group.command("check", zh="检查 forms/ 中的套打格式，逐项说明问题",
               en="check the sheets of forms/; every problem is told")  # fmt: skip
def check() -> None:
    """Check the forms; exit 1 when one cannot be printed on."""
    told = _told()
    emit(told, lambda: _checked(told))
    if not told["ok"]:
        sys.exit(1)


def _told() -> dict[str, Any]:
    """Read the files as they are now: a running daemon still has those of its start."""
    from fep.settings import survey

    seen = survey(find_site().config)
    problems = [
        {"at": f"{Path(one.file).name}:{one.line} {one.key}".strip(), "zh": one.zh,
         "en": one.en, "weak": one.weak}
        for one in (*seen.errors, *seen.warnings)
        if Path(one.file).parent.name == _ROOM
    ]  # fmt: skip
    forms = _forms()
    kinds = [kind for row in forms for kind in row["kinds"]]
    sound = all(row["sound"] for row in forms) and len(kinds) == len(set(kinds))
    return {"forms": forms, "problems": problems,
            "ok": sound and not any(not one["weak"] for one in problems)}  # fmt: skip


def _forms() -> list[dict[str, Any]]:
    """Return the forms that can be read, sound or not."""
    import msgspec

    from fep.render.form_sheet import FormSheet, boxes, problems

    found = []
    for path in sorted((find_site().config.parent / _ROOM).glob("*.toml")):
        try:
            sheet = msgspec.toml.decode(path.read_bytes(), type=FormSheet)
        except (OSError, msgspec.MsgspecError):
            continue  # what is wrong with it stands among the problems
        found.append({
            "form": path.stem, "name": sheet.name, "kinds": list(sheet.kinds),
            "width": sheet.width, "length": sheet.length, "items": sheet.room,
            "sound": not any(problems(sheet)),
            "boxes": [
                {"name": box.name, "x": box.x, "y": box.y, "w": box.w, "h": box.h,
                 "caption": box.caption}
                for box in boxes(sheet)
            ],
        })  # fmt: skip
    return found


def _checked(told: dict[str, Any]) -> None:
    table(
        (Column("格式", "form"), Column("名称", "name"), Column("票据种类", "kinds"),
         Column("宽", "width", right=True), Column("长", "length", right=True),
         Column("项目行", "items", right=True), Column("栏", "boxes", right=True)),
        [(row["form"], row["name"], " ".join(row["kinds"]), f"{row['width']:g}",
          f"{row['length']:g}", str(row["items"]), str(len(row["boxes"])))
         for row in told["forms"]],
        empty=say("forms/ 中没有套打格式", "there is no form in forms/"),
    )  # fmt: skip
    for one in told["problems"]:
        click.echo(paint(f"  {one['at']}  {say(one['zh'], one['en'])}",
                         "yellow" if one["weak"] else "red"))  # fmt: skip
    if told["ok"] and told["forms"]:
        click.echo(say("可以套打", "they can be printed on"))


@group.command(
    "show", zh="一种套打格式的各栏位置（毫米）", en="where the boxes of a form are, in mm"
)
@click.argument("form", metavar="FORM")
def show(form: str) -> None:
    """Show a form."""
    found = {row["form"]: row for row in _forms()}
    if form not in found:
        known = " ".join(sorted(found)) or "-"
        raise CliFault("CTL_USAGE", f"没有套打格式 {form}，有 {known}",
                       f"There is no form {form}; there are {known}")  # fmt: skip
    told = found[form]
    emit(told, lambda: _show(told))


def _show(told: dict[str, Any]) -> None:
    facts([
        (say("名称", "name"), told["name"]),
        (say("票据种类", "kinds"), " ".join(told["kinds"])),
        (say("纸张（毫米）", "sheet (mm)"), f"{told['width']:g} x {told['length']:g}"),
        (say("项目行", "rows for items"), str(told["items"])),
    ])  # fmt: skip
    table(
        (Column("内容", "source"), Column("票面文字", "caption"), Column("左", "left", right=True),
         Column("上", "top", right=True), Column("宽", "width", right=True),
         Column("高", "height", right=True)),
        [(box["name"], box["caption"] or "-", f"{box['x']:g}", f"{box['y']:g}", f"{box['w']:g}",
          f"{box['h']:g}")
         for box in told["boxes"] if not box["name"].startswith("items[")
         or box["name"].startswith("items[0]")],
        empty=say("没有栏", "there is no box"),
    )  # fmt: skip
