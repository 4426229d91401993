"""Writing an export: slices of rows become one CSV file, complete or not there at all."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fep.client.values import Exported

ENCODINGS = {"utf-8": "utf-8-sig", "gbk": "gbk", "gb18030": "gb18030"}
MISSING = "〓"  # the sign for a character that the set does not have; GBK has it
LACKING_MAX = 1000
_FORMULA = ("=", "+", "@", "-", "\t")


def write(slices: Iterable[Mapping[str, Any]], path: Path, encoding: str) -> Exported:
    """Write the file under a temporary name, then rename. Raises OSError, ValueError."""
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding {encoding}: {', '.join(ENCODINGS)}")
    rows, lacking = 0, []
    part = path.with_name(f"{path.name}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            if encoding == "utf-8":
                file.write(b"\xef\xbb\xbf")
            for number, page in enumerate(slices):
                lines = [page["columns"]] if number == 0 else []
                text = _csv([*lines, *page["rows"]], page["money"])
                body, lost = encoded(text, page["rows"], encoding)
                file.write(body)
                rows += len(page["rows"])
                lacking += lost
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return Exported(rows, tuple(lacking[:LACKING_MAX]))


def encoded(
    text: str, rows: Iterable[list[str]], encoding: str
) -> tuple[bytes, list[tuple[str, str]]]:
    """Return the bytes, and (CODE-NUMBER, character) of each one the encoding does not have."""
    name = "utf-8" if encoding == "utf-8" else encoding
    try:
        return text.encode(name), []
    except UnicodeEncodeError:
        lost = [
            (f"{row[0]}-{row[1]}", sign)
            for row in rows
            for sign in dict.fromkeys("".join(row))
            if not _has(sign, name)
        ]
        known = {sign for _, sign in lost}
        plain = text.translate({ord(sign): MISSING for sign in known})
        return plain.encode(name), lost


def _has(sign: str, encoding: str) -> bool:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _csv(rows: Iterable[list[str]], money: list[int]) -> str:
    """Return rows as CSV; a text that a spreadsheet would take for a formula gets a quote sign."""
    out = io.StringIO()
    maker = csv.writer(out, lineterminator="\r\n")
    for row in rows:
        maker.writerow([
            f"'{cell}" if cell.startswith(_FORMULA) and index not in money else cell
            for index, cell in enumerate(row)
        ])  # fmt: skip
    return out.getvalue()
