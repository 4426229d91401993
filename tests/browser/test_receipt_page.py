"""The receipt page in a real browser, from a real daemon: seen, folded, marked, downloaded."""

from __future__ import annotations

import html
import json
import sqlite3
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import zxingcpp
from PIL import Image

from tests.browser.conftest import TEST_UNIT, Browser, Hospital
from tests.browser.control import NAME, call

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
PHONE, DESK = (500, 2000), (1200, 1600)  # Chromium has no narrower window than 500


def _get(url: str) -> tuple[int, bytes, dict[str, str]]:
    try:
        with urlopen(url, timeout=30) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except HTTPError as error:
        return error.code, error.read(), dict(error.headers)


def _colours(path: Path, box: tuple[int, int, int, int] | None = None) -> int:
    image = Image.open(path).convert("RGB").crop(box)
    return len(image.getcolors(1 << 24) or ())


def test_a_holder_sees_the_receipt(hospital: Hospital, browser: Browser) -> None:
    told = hospital.issue(hospital.town.unit, "B1")

    dom = browser.dom(hospital.reached(told["url"]))

    for wanted in (
        told["code"], told["number"], told["check_code"], html.escape(NAME, quote=False),
        "420982********0059", "￥453.34", "肆佰伍拾叁元叁角肆分", "明细（16 行）", "有效", "未上报",
    ):  # fmt: skip
        assert str(wanted) in dom, wanted
    assert "420982199001010059" not in dom
    assert "Content Security Policy" not in browser.said


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESK)])
def test_the_page_is_drawn_and_its_code_can_be_scanned(
    hospital: Hospital, browser: Browser, name: str, size: tuple[int, int]
) -> None:
    told = hospital.issue(hospital.town.unit, f"B2-{name}")

    picture = browser.picture(hospital.reached(told["url"]), name, *size)

    found = zxingcpp.read_barcodes(Image.open(picture).convert("L"))
    assert [f"number={told['number']}" in code.text for code in found] == [True]
    assert _colours(picture) > 50, "the style sheet was not used"


def test_a_narrow_screen_never_scrolls_sideways(hospital: Hospital, browser: Browser) -> None:
    """The right edge beyond the page's margin holds nothing but paper."""
    told = hospital.issue(hospital.town.unit, "B3")

    picture = browser.picture(hospital.reached(told["url"]), "narrow", *PHONE)

    width, height = Image.open(picture).size
    assert _colours(picture, (width - 12, 0, width, height)) == 1


def test_a_specimen_is_marked_all_over(hospital: Hospital, browser: Browser) -> None:
    told = hospital.issue(TEST_UNIT, "B4")
    real = hospital.issue(hospital.town.unit, "B4")

    marked = browser.picture(hospital.reached(told["url"]), "specimen", *PHONE)
    plain = browser.picture(hospital.reached(real["url"]), "plain", *PHONE)

    for top in range(0, 1600, 320):
        red = [_reddish(path, (0, top, 500, top + 320)) for path in (marked, plain)]
        assert red[0] > red[1] + 2000, top


def _reddish(path: Path, box: tuple[int, int, int, int]) -> int:
    """Count pixels of the mark's own colour: 样票 on paper."""
    image = Image.open(path).convert("RGB").crop(box)
    found = image.getcolors(1 << 24) or []
    return sum(n for n, (r, g, b) in found if 225 <= r <= 245 and 200 <= g <= 222 and b <= 220)


def test_specimens_never_leave_the_machine(hospital: Hospital, browser: Browser) -> None:
    hospital.issue(TEST_UNIT, "B5")
    hospital.issue(hospital.town.unit, "B5")

    with sqlite3.connect(f"file:{hospital.town.store}?mode=ro", uri=True) as books:
        rows = books.execute(
            "SELECT r.unit, count(u.id) FROM receipt r LEFT JOIN upload u"
            " ON u.receipt_id = r.id GROUP BY r.unit"
        ).fetchall()

    counted = dict(rows)
    assert counted[TEST_UNIT] == 0
    assert counted[hospital.town.unit] > 0


def test_a_reversed_receipt_says_so_and_leads_on(hospital: Hospital, browser: Browser) -> None:
    told = hospital.issue(hospital.town.unit, "B6")
    done = call(hospital.town.place / "data" / "control.sock", "receipt.reverse", {
        "key": "B6-red", "unit": hospital.town.unit, "code": told["code"],
        "number": told["number"], "reason": "退费", "operator": "张三", "point": "001",
        "occurred_at": "20261121120000000",
    })  # fmt: skip

    dom = browser.dom(hospital.reached(told["url"]) + "?lang=en")

    assert "Reversed by" in dom
    assert f"{done['receipt']['code']}-{done['receipt']['number']}" in dom


def test_the_files_are_what_they_are_called(hospital: Hospital, browser: Browser) -> None:
    url = hospital.reached(hospital.issue(TEST_UNIT, "B7")["url"])

    pdf, png = _get(f"{url}.pdf"), _get(f"{url}.png")

    assert (pdf[0], pdf[1][:5], pdf[2]["Content-Type"]) == (200, b"%PDF-", "application/pdf")
    assert (png[0], png[1][:4], png[2]["Content-Type"]) == (200, b"\x89PNG", "image/png")
    for _status, _body, headers in (pdf, png):
        assert headers["Cache-Control"] == "no-store"


def test_monitors_read_the_health(hospital: Hospital, browser: Browser) -> None:
    status, body, _ = _get(f"{hospital.base}/healthz")

    assert (status, json.loads(body)["ok"]) == (200, True)


def test_the_last_test_guesses_and_is_shut_out(hospital: Hospital, browser: Browser) -> None:
    url = hospital.reached(hospital.issue(hospital.town.unit, "B9")["url"])

    tried = [_get(f"{hospital.base}/r/{number:016d}")[0] for number in range(10)]

    assert tried == [404] * 10
    assert _get(url)[0] == 429
