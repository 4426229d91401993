"""A CSV of receipts that another front-end issued: columns, values, every error by its line.

Rules: a column is known by its name in English, in Chinese or in the dialect; what cannot be
read is told with its line and taken by nobody; a receipt twice in one file is an error. Pure.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from fep.domain.calendar import CST, to_ms
from fep.domain.money import parse_fen

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "unit": ("unit", "单位", "开票单位"),
    "code": ("code", "票据代码", "billBatchCode"),
    "number": ("number", "票据号码", "billNo"),
    "check_code": ("check_code", "校验码", "random"),
    "key": ("key", "业务流水号", "busNo"),
    "payer": ("payer", "交款人"),
    "amount": ("amount", "金额", "totalAmt"),
    "issued_at": ("issued_at", "开票时间", "开票日期", "createTime", "ivcDateTime"),
    "state": ("state", "状态"),
    "kind": ("kind", "票据种类", "billName"),
    "point": ("point", "开票点", "placeCode"),
    "cashier": ("cashier", "收费员", "payee"),
    "red_code": ("red_code", "红票代码", "relateBillBatchCode"),
    "red_number": ("red_number", "红票号码", "relateBillNo"),
    "red_check_code": ("red_check_code", "红票校验码"),
    "url": ("url", "网址", "pictureUrl"),
    "net_url": ("net_url", "外网网址", "pictureNetUrl"),
    "sheet": ("sheet", "纸质票"),
    "items": ("items", "项目"),  # code:name:amount;code:name:amount
    "channels": ("channels", "支付渠道"),  # code:amount;code:amount
}
NEEDED = ("code", "number", "amount", "issued_at")
MORE = ("kind", "point", "cashier", "red_code", "red_number", "red_check_code", "url", "net_url",
        "sheet", "items", "channels")  # fmt: skip
STATES = {
    "": "normal", "正常": "normal", "normal": "normal", "1": "normal",
    "已冲红": "reversed", "冲红": "reversed", "reversed": "reversed", "3": "reversed",
}  # fmt: skip
LENGTHS = {"code": 50, "number": 20, "check_code": 20, "key": 50, "payer": 100, "unit": 40}
MORE_MAX, LONG_MAX = 200, 20_000
ROWS_MAX = 5_000_000
NUMBER_MIN = 8  # receipts have eight to ten digits: what is shorter would never be found again
_TIMES = ("%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
          "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y%m%d", "%Y-%m-%d", "%Y/%m/%d")  # fmt: skip
_NAME = re.compile(r"[0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Row:
    """A receipt of the file, with the line it stands on."""

    line: int
    values: dict[str, str]
    amount_fen: int
    issued_at: int
    state: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a line, in both languages."""

    line: int
    column: str
    zh: str
    en: str


def text_of(raw: bytes, encoding: str = "") -> str:
    """Return the text of a file: UTF-8, else GB 18030. Raises UnicodeDecodeError."""
    if encoding:
        return raw.decode("gb18030" if encoding == "gbk" else encoding)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("gb18030")


def rows_of(text: str, unit: str) -> Iterator[Row | Wrong]:
    """Yield every line of the file; `unit` is that of a file without a column for it."""
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    names = [_column(cell) for cell in header]
    missing = [name for name in NEEDED if name not in names]
    if missing:
        shown = ", ".join(COLUMNS[name][1] for name in missing)
        yield Wrong(1, missing[0], f"缺少列：{shown}", f"columns are missing: {', '.join(missing)}")
        return
    seen: dict[str, int] = {}
    for cells in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        values = {name: cell.strip().lstrip("'") for name, cell in zip(names, cells, strict=False)
                  if name}  # fmt: skip
        values["unit"] = values.get("unit") or unit
        row = _row(line, values)
        if isinstance(row, Row):
            ref = f"{values['code']}-{values['number']}"
            if ref in seen:
                row = Wrong(line, "number", f"{ref} 与第 {seen[ref]} 行重复",
                            f"{ref} stands on line {seen[ref]} already")  # fmt: skip
            seen.setdefault(ref, line)
            if len(seen) > ROWS_MAX:
                yield Wrong(line, "", f"超过 {ROWS_MAX} 行，请分成几个文件",
                            f"more than {ROWS_MAX} lines, split the file")  # fmt: skip
                return
        yield row


def _column(cell: str) -> str:
    wanted = cell.strip().lower()
    for name, known in COLUMNS.items():
        if wanted in (alias.lower() for alias in known):
            return name
    return ""


def _row(line: int, values: dict[str, str]) -> Row | Wrong:
    for name in (*NEEDED, "unit"):
        if not values.get(name):
            return Wrong(line, name, "不能为空", "must not be empty")
    for name, limit in LENGTHS.items():
        if len(values.get(name, "")) > limit:
            return Wrong(line, name, f"超过 {limit} 个字符", f"more than {limit} characters")
    long = ("items", "channels")
    if any(len(values.get(n, "")) > (LONG_MAX if n in long else MORE_MAX) for n in MORE):
        return Wrong(line, "", f"有一列超过 {MORE_MAX} 个字符",
                     f"a column has more than {MORE_MAX} characters")  # fmt: skip
    for name in ("code", "number"):
        if not _NAME.fullmatch(values[name]):
            return Wrong(line, name, "只能有数字和字母（Excel 可能改成了科学计数法）",
                         "digits and letters only (a spreadsheet may have changed it)")  # fmt: skip
    if values["number"].isdigit() and len(values["number"]) < NUMBER_MIN:
        return Wrong(line, "number", f"不足 {NUMBER_MIN} 位（Excel 可能去掉了前面的 0）",
                     f"not {NUMBER_MIN} digits (a spreadsheet may have dropped zeros)")  # fmt: skip
    state = STATES.get(values.get("state", "").lower())
    if state is None:
        return Wrong(line, "state", "应为 正常 或 已冲红", "must be normal or reversed")
    try:
        amount = parse_fen(values["amount"].replace(",", ""))
    except ValueError:
        return Wrong(line, "amount", "不是金额", "not an amount")
    at = _at(values["issued_at"])
    if at is None:
        return Wrong(line, "issued_at", "不是时间，应如 20260131093000 或 2026-01-31 09:30:00",
                     "not a time, as 20260131093000 or 2026-01-31 09:30:00")  # fmt: skip
    for name, parts in (("items", items_of), ("channels", channels_of)):
        found = parts(values.get(name, ""))
        if values.get(name) and sum(parse_fen(part[-1]) for part in found) != amount:
            return Wrong(line, name, "写法应如 060101:诊察费:12.30;060107:西药费:8.00，合计同金额",
                         "write code:name:amount;…, which must sum to the amount")  # fmt: skip
    return Row(line, values, amount, at, state)


def items_of(text: str) -> list[tuple[str, str, str]]:
    """Return (code, name, amount) of "code:name:amount;…", nothing when one is wrong."""
    found = [tuple(part.strip() for part in one.split(":")) for one in _parts(text)]
    good = all(len(one) == 3 and one[0] and one[1] and _money(one[2]) for one in found)
    return [(one[0], one[1], one[2]) for one in found] if good else []


def channels_of(text: str) -> list[tuple[str, str]]:
    """Return (code, amount) of "code:amount;…", nothing when one is wrong."""
    found = [tuple(part.strip() for part in one.split(":")) for one in _parts(text)]
    good = all(len(one) == 2 and one[0] and _money(one[1]) for one in found)
    return [(one[0], one[1]) for one in found] if good else []


def _parts(text: str) -> list[str]:
    return [one for one in text.replace("：", ":").replace("；", ";").split(";") if one.strip()]


def _money(text: str) -> bool:
    try:
        parse_fen(text)
    except ValueError:
        return False
    return True


def _at(text: str) -> int | None:
    if text.isdigit() and len(text) == 17:
        text = text[:14]
    for shape in _TIMES:
        try:
            return to_ms(datetime.strptime(text, shape).replace(tzinfo=CST))
        except ValueError:
            continue
    return None
