"""`fepctl receipts render`: a receipt as PDF, as pictures, or as the slip a printer would make.

The page is drawn here, in a process of its own that starts while the desk is still looking
the receipt up. Files hold personal data: they are readable by their owner only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from fep.cli.common import emit
from fep.cli.common_reach import find_site, of, reached
from fep.cli.common_verbs import Verb, option
from fep.domain.faults import Refused
from fep.domain.faults_desk import desk_refuse
from fep.render.page import FORMS, PageProcess
from fep.render.page_view import SIZES

TEMPLATES = "templates"


@click.command("render", cls=Verb, zh="把票据画成 PDF、图片或小票图片",
               en="draw a receipt as PDF, as pictures, or as its slip")  # fmt: skip
@click.argument("name", metavar="CODE-NUMBER")
@option("--format", "form", type=click.Choice(FORMS), default=None,
        zh="格式；默认按文件名，.png 为图片，其余为 PDF",
        en="format; by default that of the file name: .png a picture, else PDF")  # fmt: skip
@option("--out", type=click.Path(path_type=Path, dir_okay=False), default=None, metavar="FILE",
        zh="写到哪里；默认 票据编号.pdf", en="where to write; default CODE-NUMBER.pdf")  # fmt: skip
@option("--details", is_flag=True, zh="附明细清单", en="add the detail list")
@option("--copy", type=click.IntRange(1, 99), default=1, show_default=True, metavar="N",
        zh="第几份，2 起标“补打”", en="which copy; from 2 on marked as a reprint")  # fmt: skip
@option("--paper", type=click.Choice(SIZES), default=None,
        zh="纸张；默认按省份配置", en="size of the paper; by default the province's")  # fmt: skip
@option("--ppi", type=click.IntRange(72, 400), default=200, show_default=True,
        zh="图片每英寸点数", en="dots an inch of a picture")  # fmt: skip
def command(name: str, form: str | None, out: Path | None, details: bool, copy: int,
            paper: str | None, ppi: int) -> None:  # fmt: skip
    """Draw a receipt."""
    suffix = out.suffix.lower() if out is not None else ""
    wanted = form or ("png" if suffix == ".png" else "pdf")
    path = out or Path(f"{name}{'.pdf' if wanted == 'pdf' else '.png'}")
    root = find_site().root
    with PageProcess() as process:
        with reached() as desk:
            told = desk.call("receipts.page", name=name, copy=copy, details=details,
                             paper=paper or "")  # fmt: skip
        files = _drawn(process, told["view"], wanted, root, ppi)
    written = _written(files, path)
    answer = {"name": told["name"], "format": wanted, "files": [str(file) for file in written]}
    emit(answer, lambda: click.echo("\n".join(str(file) for file in written)))


def template_room(root: Path, layout: str) -> Path:
    """Return the site's own templates where they have the layout, else the shipped ones."""
    own = root / TEMPLATES
    if (own / f"{layout}.typ").is_file():
        return own
    from fep.settings_places import template_dir

    return template_dir() / TEMPLATES


def _drawn(
    process: PageProcess, view: dict[str, Any], form: str, root: Path, ppi: int
) -> tuple[bytes, ...]:
    try:
        return process.render(view, form, template_room(root, view["layout"]), ppi=ppi)
    except Refused as refused:
        raise of(refused) from refused


def _written(files: tuple[bytes, ...], path: Path) -> list[Path]:
    """Write the first file to `path`, further pages beside it as NAME-2.png. Raises CliFault."""
    places = [path.with_stem(f"{path.stem}-{page}") if page > 1 else path
              for page in range(1, len(files) + 1)]  # fmt: skip
    try:
        for place, body in zip(places, files, strict=True):
            _put(place, body)
    except OSError as error:
        raise of(desk_refuse("CTL_FILE", path=path, why=error.strerror)) from error
    return places


def _put(path: Path, body: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(body)
