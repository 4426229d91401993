"""The test page for page printers: who printed it, when, and a centimetre grid to measure."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fep.domain.faults_render import render_refuse
from fep.render import page_fonts

DPI = 150
A5_MM = (148, 210)
MARGIN_MM = 10
STEP_MM = 10


def trial_page(device: str, at: str) -> bytes:
    """Return an A5 page as PDF; `at` is the time as text. Raises Refused RND_FONT."""
    size = (_dots(A5_MM[0]), _dots(A5_MM[1]))
    picture = Image.new("1", size, 1)
    draw = ImageDraw.Draw(picture)
    for mm in range(MARGIN_MM, A5_MM[0] - MARGIN_MM + 1, STEP_MM):
        draw.line([(_dots(mm), _dots(MARGIN_MM)), (_dots(mm), _dots(A5_MM[1] - MARGIN_MM))], 0)
    for mm in range(MARGIN_MM, A5_MM[1] - MARGIN_MM + 1, STEP_MM):
        draw.line([(_dots(MARGIN_MM), _dots(mm)), (_dots(A5_MM[0] - MARGIN_MM), _dots(mm))], 0)
    big, small = _font(_dots(8)), _font(_dots(4))
    lines = (("打印测试 TEST PAGE", big), (f"{device}  {at}", small),
             ("格子每格 10 毫米；量得不符，请关闭打印机的缩放。", small),
             ("Each square is 10 mm; if it is not, switch scaling off.", small),
             ("生僻字 㛃 䶮 𬭎 𠅤", big))  # fmt: skip
    top = _dots(30)
    for text, font in lines:
        box = draw.textbbox((_dots(20), top), text, font=font)
        draw.rectangle((box[0] - 6, box[1] - 6, box[2] + 6, box[3] + 6), fill=1)
        draw.text((_dots(20), top), text, fill=0, font=font)
        top = int(box[3]) + _dots(6)
    out = io.BytesIO()
    picture.save(out, "PDF", resolution=DPI, title=f"fep {device}")
    return out.getvalue()


def _dots(mm: int) -> int:
    return round(mm / 25.4 * DPI)


def _font(size: int) -> ImageFont.FreeTypeFont:
    rooms = page_fonts.directories()
    path = next(iter(page_fonts.files(rooms)), None)
    if path is None:
        raise render_refuse("RND_FONT", where=str(Path(page_fonts.DIRECTORIES[0])))
    return ImageFont.truetype(str(path), size)
