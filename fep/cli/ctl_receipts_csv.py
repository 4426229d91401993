"""`fepctl receipts export-csv`: the receipts of a period as a table for a spreadsheet.

Rows come in slices; the file is complete or not there at all. Names are masked unless
--unmask says why. A character that GBK does not have is written as 〓 and told.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from fep.cli.common import emit, note, say
from fep.cli.common_reach import Desk, of, reached
from fep.cli.common_verbs import Verb, option, unmask
from fep.client.export import ENCODINGS, write
from fep.client.values import Exported
from fep.domain.faults_desk import desk_refuse

_DAY = click.DateTime(["%Y-%m-%d"])
SHOWN_MAX = 20


@click.command("export-csv", cls=Verb, zh="把一段时间的票据导出为 CSV",
               en="write the receipts of a period as CSV")  # fmt: skip
@option("--from", "from_on", type=_DAY, required=True, metavar="YYYY-MM-DD",
        zh="起始日期", en="first day")  # fmt: skip
@option("--to", "to_on", type=_DAY, required=True, metavar="YYYY-MM-DD",
        zh="截止日期", en="last day")  # fmt: skip
@option("--file", "file", type=click.Path(dir_okay=False, path_type=Path), required=True,
        zh="写到哪个文件", en="where to write")  # fmt: skip
@option("--unit", default="", zh="开票单位", en="unit")
@option("--encoding", type=click.Choice(list(ENCODINGS)), default="utf-8", show_default=True,
        zh="编码（utf-8 带 BOM）", en="encoding (utf-8 has a BOM)")  # fmt: skip
@unmask()
def command(from_on: datetime, to_on: datetime, file: Path, unit: str, encoding: str,
            unmask: str) -> None:  # fmt: skip
    """Write the file."""
    period = {"from_on": f"{from_on:%Y-%m-%d}", "to_on": f"{to_on:%Y-%m-%d}", "unit": unit}
    with reached() as desk:
        grant = desk.grant(unmask, "receipts export-csv")
        try:
            done = write(_slices(desk, period, grant), file, encoding)
        except OSError as error:
            raise of(desk_refuse("CTL_FILE", path=file, why=error.strerror)) from error
    lacking = [{"receipt": name, "character": sign} for name, sign in done.lacking]
    answer = {"file": str(file), "rows": done.rows, "encoding": encoding, "lacking": lacking}
    emit(answer, lambda: _written(file, done))


def _slices(desk: Desk, period: dict[str, str], grant: int) -> Iterator[dict[str, Any]]:
    cursor: int | None = 0
    while cursor is not None:
        page = desk.call("receipts.csv", **period, cursor=cursor, unmask=grant)
        yield page
        cursor = page["cursor"]


def _written(file: Path, done: Exported) -> None:
    click.echo(say(f"{file}：{done.rows} 张票据", f"{file}: {done.rows} receipts"))
    if not done.lacking:
        return
    note(say("以下字符该编码没有，文件中写作 〓；需要原字请用 utf-8：",
             "The encoding lacks these characters, written as 〓; utf-8 has them:"))  # fmt: skip
    for name, sign in done.lacking[:SHOWN_MAX]:
        note(f"{name}  {sign}  U+{ord(sign):04X}")
    if len(done.lacking) > SHOWN_MAX:
        left = len(done.lacking) - SHOWN_MAX
        note(say(f"另有 {left} 处", f"and {left} more"))
