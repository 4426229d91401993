"""Every golden page and slip still looks as it did when a person looked at it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image, ImageChops, ImageFilter

from fep.render.page_worker import Pages
from tests.golden.draw_pages import CASES, FACTS, KINDS, PLACE, draw, drawn_with, names, view
from tests.unit.kinds.shipped import kinds

# Of 255, after a slight blur: what quantising and another rasteriser's rounding may do.
MEAN_MAX, SPOT_MAX = 1.0, 60


@pytest.fixture(scope="module")
def pages() -> Pages:
    """One opening of the fonts for all pictures; a skip that names what is different."""
    now, then = drawn_with(), FACTS.read_text("utf-8")
    if now != then:
        pytest.skip(f"the golden pages were drawn with\n{then}here are\n{now}")
    return Pages()


def distance(one: Image.Image, other: Image.Image) -> tuple[float, int]:
    """Return the mean and the worst difference of two pictures of one size."""
    soft = [image.convert("L").filter(ImageFilter.GaussianBlur(1)) for image in (one, other)]
    counts = ImageChops.difference(*soft).histogram()
    mean = sum(value * count for value, count in enumerate(counts)) / sum(counts)
    return mean, max(value for value, count in enumerate(counts) if count)


@pytest.mark.parametrize(("case", "form"), list(names()))
def test_it_looks_as_it_did(pages: Pages, case: str, form: str):
    golden = Image.open(PLACE / f"{case}.{form}.png").convert("RGB")

    drawn = draw(pages, CASES[case](), form).convert("RGB")

    assert golden.size == drawn.size
    mean, spot = distance(golden, drawn)
    assert (True, True) == (mean < MEAN_MAX, spot < SPOT_MAX), (mean, spot)


def test_one_other_digit_is_seen(pages: Pages):
    page = view("donation")
    other = replace(page, face=replace(page.face, total_fen=page.face.total_fen + 800_000))
    golden = Image.open(PLACE / "donation.pdf.png").convert("RGB")

    _mean, spot = distance(golden, draw(pages, other, "pdf").convert("RGB"))

    assert spot >= SPOT_MAX


def test_the_same_page_is_drawn_to_the_same_dots(pages: Pages):
    first, second = (draw(pages, view("outpatient"), "pdf") for _ in range(2))

    assert first.tobytes() == second.tobytes()


def test_every_kind_has_its_pictures_and_no_picture_is_without_a_case():
    assert set(KINDS) == set(kinds())
    wanted = {f"{case}.{form}.png" for case, form in names()}
    assert wanted == {path.name for path in PLACE.glob("*.png")}
