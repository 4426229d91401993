"""Draws the golden sheets: every shipped form, from signed bytes to the ink of the simulator.

`python tests/golden/draw_forms.py` writes them anew; look at each before committing it.
`python tests/golden/draw_forms.py DIRECTORY` draws them larger, to look at.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from drivers.escp import codec, profile  # noqa: E402  # the line above finds them
from fep.domain.printing import Form  # noqa: E402  # likewise
from fep.render import form_layout, glyphs, page_document  # noqa: E402  # likewise
from fep.render.form_sheet import FormSheet  # noqa: E402  # likewise
from fep.render.page_view import PageView, page_data  # noqa: E402  # likewise
from fep.sim.form.machine import MAKES, Band, Machine, Mark  # noqa: E402  # likewise
from fep.sim.form.picture import draw, read_blank  # noqa: E402  # likewise
from fep.sim.form.station import sheet_units  # noqa: E402  # likewise
from tests.golden import draw_pages  # noqa: E402  # likewise
from tests.unit.kinds.shipped import kinds, original, province  # noqa: E402  # likewise
from tests.unit.kinds.test_golden import _event  # noqa: E402  # likewise

FORMS = ROOT / "conf" / "forms"
PLACE = Path(__file__).parent / "forms"
SHEET = "042126-00000017"
MAKE_OF = {"lq-generic": "lq", "dascom": "dascom", "jolimark": "lq1600k"}


def sheets() -> dict[str, FormSheet]:
    """Return the shipped forms."""
    return {
        path.stem: msgspec.toml.decode(path.read_bytes(), type=FormSheet)
        for path in sorted(FORMS.glob("*.toml"))
    }


def page(case: str, room: int) -> PageView:
    """Return the page of a golden event as a form with `room` for items shows it."""
    event = _event(case)
    kind = replace(kinds()[event.kind], item_limit=room)
    return page_document.read(original(event, kind), kind, province())


def crowded(case: str, room: int, count: int) -> PageView:
    """Return a page with that many items and the longest names."""
    view = draw_pages.crowded(case, count)
    items = page_document.shown(view.items, room)
    return replace(view, items=items, details=(),
                   face=replace(view.face, unit="孝感市示范医院"))  # fmt: skip


def laid(name: str, view: PageView) -> Form:
    """Return a page on its form."""
    return form_layout.lay(name, sheets()[name], page_data(view, ""), SHEET)


def rasters(form: Form, chosen: profile.Profile) -> dict[codec.Wish, codec.Raster]:
    """Return what the glyph process would draw."""
    drawn = {}
    for wish in codec.wishes(form, chosen):
        made = glyphs.draw(wish.text, wish.dots, wish.bold)
        assert not made.missing, made.missing
        drawn[wish] = codec.Raster(made.width_bytes, made.rows)
    return drawn


def job(form: Form, chosen: profile.Profile, offset: codec.Offset | None = None) -> bytes:
    """Return the bytes of a form."""
    return codec.body(form, chosen, rasters(form, chosen), offset or codec.Offset())


def printed(jobs: list[bytes], make: str, length_mm: float) -> tuple[Machine, list[list[Mark]]]:
    """Return a simulated printer after the jobs, and the ink on each sheet that left."""
    out: list[list[Mark]] = []

    def away(_number: int, band: Band) -> None:
        out.append(band.marks)

    machine = Machine(MAKES[make], sheet_units(length_mm), away)
    for data in jobs:
        machine.receive(data)
    return machine, out


CASES: dict[str, Callable[[], Form]] = {
    **{
        name: (lambda name=name: laid(name, page(name, sheets()[name].room)))  # type: ignore[misc]  # mypy: lambda default
        for name in sheets()
    },
    "outpatient-crowded": lambda: laid("outpatient", crowded("outpatient", 16, 20)),
    "inpatient-crowded": lambda: laid("inpatient", crowded("inpatient", 18, 18)),
    "outpatient-grid": lambda: form_layout.grid("outpatient", 190.0, 127.0, "window-1", "11-21"),
}


def picture(case: str) -> Image.Image:
    """Return the printed sheet of a case."""
    form = CASES[case]()
    _machine, (marks, *_rest) = printed([job(form, profile.load("lq-generic"))], "lq",
                                        form.length_mm)  # fmt: skip
    return draw(marks, read_blank(FORMS / f"{form.name}.toml"))


def small(image: Image.Image) -> Image.Image:
    """Return a golden picture: half as large."""
    half = (image.width // 2, image.height // 2)
    grey = image.convert("RGB").resize(half, Image.Resampling.BOX)
    return grey.quantize(32, dither=Image.Dither.NONE)


def main(words: list[str]) -> None:
    """Write the golden pictures, or large ones into a directory."""
    place = Path(words[0]) if words else PLACE
    place.mkdir(exist_ok=True, parents=True)
    for case in CASES:
        made = picture(case)
        (made if words else small(made)).save(place / f"{case}.png", optimize=True)
    if not words:
        (place / "drawn-with.txt").write_text(draw_pages.drawn_with(), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
