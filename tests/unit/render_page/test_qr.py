"""QR codes: what is drawn is what a phone reads."""

from __future__ import annotations

import io

import pytest
import zxingcpp
from PIL import Image

from fep.render import qr

LONG = (
    "https://pjcy.example.invalid/verify?code=42060126&number=0000000001&random=a1B2c3"
    "&date=20261121&amount=453.34"
)
SHORT = "https://pj.example.invalid/r/8fZk2LwQ0aXr91Tb"
HIS_BYTES = 370


def _read(picture: Image.Image) -> str:
    found = zxingcpp.read_barcodes(picture)
    assert len(found) == 1
    return str(found[0].text)


@pytest.mark.parametrize("content", [SHORT, LONG, "票据 42060126"])
def test_the_picture_reads_as_its_content(content: str) -> None:
    picture = Image.open(io.BytesIO(qr.png(content)))

    assert picture.mode == "1"
    assert _read(picture) == content


def test_a_receipt_page_address_fits_what_a_his_takes() -> None:
    assert len(qr.png(SHORT)) <= HIS_BYTES


def test_the_drawing_is_the_same_modules() -> None:
    rows = qr.matrix(SHORT)
    dark = [bytearray(len(rows)) for _ in rows]
    path = qr.svg(SHORT).split(' d="')[1].split('"')[0]

    for run in path.removeprefix("M").split("M"):
        x, y = run.split("h")[0].split(" ")
        for at in range(int(run.split("h")[1].split("v")[0])):
            dark[int(y)][int(x) + at] = 1

    assert tuple(bytes(row) for row in dark) == rows


@pytest.mark.parametrize("content", ["", "x" * (qr.MAX_BYTES + 1)])
def test_nothing_and_too_much_are_refused(content: str) -> None:
    with pytest.raises(ValueError):
        qr.matrix(content)
