"""Pictures and symbols, read back from the PNG by programs that know nothing of us."""

from __future__ import annotations

import pytest
import zxingcpp
from escpos.printer import Dummy
from PIL import Image

from fep.sim.printer import bitmap, look
from tests.unit.sim_printer.bench import CUT, INIT, han, qr, raster

URL = "https://einvoice.example.gov.cn/q?c=33060224&n=0022739009"


def seen(path) -> list[str]:
    with Image.open(path) as picture:
        return [found.text for found in zxingcpp.read_barcodes(picture)]


@pytest.mark.parametrize("level", [b"0", b"1", b"2", b"3"])
def test_a_qr_code_is_read_back_from_the_picture(bench, level):
    b = bench(png=True)

    b.feed(INIT + b"\x1ba\x01" + qr(URL.encode(), level=level) + b"\n" + CUT)

    assert [URL] == seen(b.paper / "sheet-000001.png")
    assert [[URL]] == [sheet["qr"] for sheet in b.sheets()]


def test_chinese_content_of_a_qr_code_survives(bench):
    b = bench(png=True)

    b.feed(qr("票据代码：33060224".encode()) + CUT)

    assert ["票据代码：33060224"] == b.sheets()[0]["qr"]
    assert ["票据代码：33060224"] == seen(b.paper / "sheet-000001.png")


def test_what_a_foreign_encoder_writes_is_understood(bench):
    b = bench(png=True)
    host = Dummy()
    host.set(align="center", bold=True, double_height=True, double_width=True)
    host.text("CITY HOSPITAL\n")
    host.set_with_default()
    host.text("Receipt 0022739009\n")
    host.qr(URL, native=True, size=5)
    host.text("\n\n")
    host.image(Image.new("1", (64, 64), 0), impl="bitImageRaster")
    host.text("x\n")
    host.image(Image.new("1", (64, 48), 0), impl="bitImageColumn")
    host.cut()

    b.feed(host.output)

    sheet = b.sheets()[0]
    assert ["           CITY HOSPITAL", "Receipt 0022739009"] == sheet["lines"][:2]
    assert ([URL], True) == (sheet["qr"], sheet["cut"])
    assert 2 == sheet["images"]
    assert [] == b.events("command.unknown")
    assert [URL] == seen(b.paper / "sheet-000001.png")


def test_a_symbol_wider_than_the_paper_is_not_printed_and_told(bench):
    b = bench()

    b.feed(qr(b"x" * 400, size=16) + CUT)

    assert [] == b.sheets()
    assert 1 == len(b.events("symbol.not_printable"))


def test_raster_rows_land_dot_for_dot():
    image = bitmap.raster(b"0\x00\x01\x00\x02\x00\xaa\x0f")

    assert image is not None
    dots = [[bool(image.getpixel((x, y))) for x in range(8)] for y in range(2)]
    assert [[True, False] * 4, [False] * 4 + [True] * 4] == dots


def test_double_size_raster_doubles_both_ways():
    image = bitmap.raster(b"0\x03\x01\x00\x01\x00\xff")

    assert image is not None
    assert (16, 2) == image.size


def test_columns_stand_upright():
    image = bitmap.columns(b"\x21\x02\x00" + b"\x80\x00\x00" + b"\x00\x00\x01")

    assert image is not None
    assert (2, 24) == image.size
    assert [(0, 0), (1, 23)] == [
        (x, y) for y in range(24) for x in range(2) if image.getpixel((x, y))
    ]


def test_slices_that_touch_are_one_picture(bench):
    b = bench()

    b.feed(raster(72, 128) * 3 + b"\n" + raster(10, 8) + CUT)

    assert [(2, 3 * 128 + 30 + 8)] == [(s["images"], s["rows"]) for s in b.sheets()]


def test_a_picture_of_many_buffers_passes_through_one(bench):
    b = bench()
    picture = raster(72, 400)

    assert len(picture) + 3 == b.feed(picture + CUT)
    assert [(1, 400)] == [(sheet["images"], sheet["rows"]) for sheet in b.sheets()]


def test_the_png_is_the_paper_with_margins_at_printing_resolution(bench):
    b = bench(png=True)

    b.feed(INIT + han("票据") + b"\n" + CUT)

    with Image.open(b.paper / "sheet-000001.png") as picture:
        frame = 2 * look.TABLE
        height = 30 + look.MARGIN_TOP + look.MARGIN_BOTTOM + frame
        assert (576 + 2 * look.MARGIN_X + frame, height) == picture.size
        assert [203, 203] == [round(dpi) for dpi in picture.info["dpi"]]
        paper = picture.convert("L").getpixel((look.TABLE + 10, look.TABLE + 20))
        assert paper == pytest.approx(250, abs=3)
