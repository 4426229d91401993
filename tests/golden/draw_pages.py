"""Draws the golden pages: every kind, and what becomes of receipts, from signed bytes.

`python tests/golden/draw_pages.py` writes them anew; look at each before committing it.
`python tests/golden/draw_pages.py NAME DIRECTORY PPI` draws one larger, to look at.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import typst
from msgspec.structs import replace as restruct
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from fep.render import page_document, page_fonts  # noqa: E402  # the line above finds them
from fep.render.page_view import PageDetail, PageView  # noqa: E402  # likewise
from fep.render.page_worker import Pages, Request  # noqa: E402  # likewise
from tests.unit.kinds.shipped import kinds, original, province  # noqa: E402  # likewise
from tests.unit.kinds.test_golden import _event  # noqa: E402  # likewise

PLACE = Path(__file__).parent / "pages"
FACTS = PLACE / "drawn-with.txt"
PPI = 72
COLOURS = 48
LONG = (
    "新疆维吾尔自治区克孜勒苏柯尔克孜自治州阿合奇县哈拉奇乡阿合塔拉村"
    "股份经济合作社联合社有限责任公司"
)
LONG_NAME = "阿卜杜热合曼·买买提吐尔逊·喀日阿吉艾合麦提䶮𬭎㛃"


def view(case: str) -> PageView:
    """Return the page of a golden event, read from the bytes that are signed."""
    event = _event(case)
    kind = kinds()[event.kind]
    return page_document.read(original(event, kind), kind, province())


def crowded(kind: str, count: int) -> PageView:
    """Return a page with that many items, each with a detail line, and the longest names."""
    event = _event(kind)
    item = event.items[0]
    items = tuple(
        restruct(item, code=f"0601{n:02d}", name=f"第{n}项检查治疗及相关一次性卫生材料费",
                amount_fen=1_234_500 + n, std="1234567.8901", number="12.50", unit="每人次",
                remark="自付10%")
        for n in range(1, count + 1)
    )  # fmt: skip
    total = sum(one.amount_fen for one in items)
    payer = restruct(event.payer, name=LONG_NAME, code="653023199001010059")
    clerk = LONG_NAME[:12]
    made = replace(event, items=items, total_fen=total, payer=payer, remark=LONG,
                   cashier=clerk, checker=clerk, author=clerk)  # fmt: skip
    shown = kinds()[kind]
    page = page_document.read(original(made, shown), shown, province())
    details = tuple(
        PageDetail(one.name, f"{one.name} 0.25g*24粒", f"XJ01CAA{n:03d}", "盒", "2.00", "12.5000",
                   "25.0000", "甲类")
        for n, one in enumerate(items * 3)
    )  # fmt: skip
    return replace(page, details=details)


def _copy(page: PageView) -> PageView:
    return replace(page, face=replace(page.face, copy=3))


def _offline(page: PageView) -> PageView:
    return replace(page, face=replace(page.face, offline=True))


def _specimen(page: PageView) -> PageView:
    return replace(page, specimen=True, face=replace(page.face, specimen=True))


KINDS = ("outpatient", "inpatient", "unified", "payment", "settlement", "donation", "penalty",
         "membership")  # fmt: skip
MORE: dict[str, Callable[[], PageView]] = {
    "outpatient-red": lambda: view("outpatient-red"),
    "outpatient-exchanged": lambda: replace(view("outpatient"), paper="4206012601-0012345678"),
    "outpatient-copy": lambda: _copy(view("outpatient")),
    "outpatient-offline": lambda: _offline(view("outpatient")),
    "outpatient-specimen": lambda: _specimen(view("outpatient")),
    "outpatient-reversed": lambda: replace(
        view("outpatient"), notes=("已冲红 42060127-0000000001",)
    ),
    "outpatient-crowded": lambda: crowded("outpatient", 14),
    "outpatient-a4": lambda: replace(crowded("outpatient", 14), size="a4"),
    "inpatient-crowded": lambda: replace(crowded("inpatient", 20), details=()),
    "unified-crowded": lambda: replace(crowded("unified", 13), details=()),
    "payment-crowded": lambda: replace(crowded("payment", 4), details=()),
    "donation-a4-specimen": lambda: replace(_specimen(view("donation")), size="a4"),
}
CASES: dict[str, Callable[[], PageView]] = {
    **{kind: (lambda kind=kind: view(kind)) for kind in KINDS},  # type: ignore[misc]  # mypy: lambda default
    **MORE,
}
SLIPS = (*KINDS, "outpatient-red", "outpatient-copy", "outpatient-offline", "outpatient-specimen",
         "outpatient-crowded")  # fmt: skip


def names() -> Iterator[tuple[str, str]]:
    """Yield (case, form) of every golden picture."""
    yield from ((case, "pdf") for case in CASES)
    yield from ((case, "slip") for case in SLIPS)


def draw(pages: Pages, page: PageView, form: str, ppi: int = PPI) -> Image.Image:
    """Return a PDF's pages one below the other as a PDF reader shows them, or a slip."""
    request = Request(form, page, str(ROOT / "conf" / "templates"))
    (body,) = pages.make(request)
    if form == "slip":
        slip = Image.open(io.BytesIO(body)).convert("L")
        return slip.resize((slip.width // 2, slip.height // 2), Image.Resampling.BOX)
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "page.pdf").write_bytes(body)
        command = ["pdftoppm", "-r", str(ppi), "-png", "page.pdf", "p"]
        subprocess.run(command, cwd=place, check=True)
        drawn = [Image.open(path).convert("RGB") for path in sorted(Path(place).glob("p*.png"))]
    tall = Image.new("RGB", (drawn[0].width, sum(one.height for one in drawn)), "white")
    y = 0
    for one in drawn:
        tall.paste(one, (0, y))
        y += one.height
    return tall


def drawn_with() -> str:
    """Return fonts and typesetter: what a golden picture may only be compared under."""
    fonts = page_fonts.files(page_fonts.directories())
    lines = [f"{font.name} {font.stat().st_size}" for font in sorted(fonts)]
    return "\n".join([*lines, f"typst {typst.__version__}", ""])


def main(words: list[str]) -> None:
    """Write the golden pictures, or draw one to look at."""
    pages = Pages()
    if words:
        case, place, ppi = words
        draw(pages, CASES[case](), "pdf", int(ppi)).save(Path(place) / f"{case}.png")
        return
    for old in PLACE.glob("*.png"):
        old.unlink()
    for case, form in names():
        made = draw(pages, CASES[case](), form).quantize(COLOURS, dither=Image.Dither.NONE)
        made.save(PLACE / f"{case}.{form}.png", optimize=True)
    FACTS.write_text(drawn_with(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
