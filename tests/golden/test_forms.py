"""Every shipped form still looks as it did when a person looked at it."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.golden.draw_forms import CASES, PLACE, picture, small
from tests.golden.draw_pages import drawn_with
from tests.golden.test_pages import MEAN_MAX, SPOT_MAX, distance


@pytest.mark.parametrize("case", list(CASES))
def test_it_looks_as_it_did(case: str):
    now, then = drawn_with(), (PLACE / "drawn-with.txt").read_text("utf-8")
    if now != then:
        pytest.skip(f"the golden forms were drawn with\n{then}here are\n{now}")
    golden = Image.open(PLACE / f"{case}.png").convert("RGB")

    drawn = small(picture(case)).convert("RGB")

    assert golden.size == drawn.size
    mean, spot = distance(golden, drawn)
    assert mean < MEAN_MAX
    assert spot < SPOT_MAX
