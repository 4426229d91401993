"""The QR code for business systems: small, one bit, and read by a scanner."""

from __future__ import annotations

import io

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fep.domain.receipt import CHECK_ALPHABET
from fep.render.h5_qr import CONTENT_MAX_BYTES, PNG_MAX_BYTES, TooLong, small_png
from fep.render.qr import MODULE_PX, QUIET

TOKEN = st.text(CHECK_ALPHABET, min_size=16, max_size=16)
HOST = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=33)


@settings(max_examples=40)
@given(host=HOST, token=TOKEN)
def test_every_page_address_fits_and_is_read(host: str, token: str) -> None:
    url = f"https://{host}/r/{token}"
    assert len(url) <= CONTENT_MAX_BYTES

    made = small_png(url)

    assert len(made) <= PNG_MAX_BYTES
    image = Image.open(io.BytesIO(made))
    (found,) = zxingcpp.read_barcodes(image.convert("L"))
    assert found.text == url


def test_modules_are_four_pixels_of_one_bit_with_a_quiet_zone() -> None:
    image = Image.open(io.BytesIO(small_png("https://p.example.org/r/0123456789abcdef")))

    assert image.mode == "1"
    assert image.width == image.height
    modules = image.width // MODULE_PX - 2 * QUIET
    assert (modules - 17) % 4 == 0
    edge = QUIET * MODULE_PX
    assert {image.getpixel((x, y)) for x in range(edge) for y in range(image.height)} == {255}
    for x in range(modules):
        for y in range(modules):
            left, top = edge + x * MODULE_PX, edge + y * MODULE_PX
            block = image.crop((left, top, left + MODULE_PX, top + MODULE_PX))
            assert len(block.getcolors() or ()) == 1


@pytest.mark.parametrize("content", ["x" * 400, "票" * 200, "x" * 5000])
def test_what_does_not_fit_is_refused_and_never_cut(content: str) -> None:
    with pytest.raises(TooLong):
        small_png(content)


def test_nothing_is_no_content() -> None:
    with pytest.raises(ValueError, match="empty"):
        small_png("")
