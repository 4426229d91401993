"""The data of a page: wording, marks, seals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fep.render.page_view import marks, page_data, split_seal, texts
from tests.unit.render_page.views import FACE, VIEW, with_face


def test_amounts_and_words_are_those_of_the_face() -> None:
    data = page_data(VIEW, "")

    assert (data["total"], data["words"]) == ("453.34", "肆佰伍拾叁元叁角肆分")
    assert [item["amount"] for item in data["items"]] == ["20.00", "106.50", "326.84"]
    assert ["医保统筹基金支付", "196.04"] in data["other"]


def test_quantities_lose_empty_decimals_and_join_their_unit() -> None:
    assert [item["count"] for item in page_data(VIEW, "")["items"]] == ["1/次", "3/项", "2/盒"]


def test_a_plain_receipt_has_no_marks() -> None:
    assert marks(VIEW) == ()


def test_marks_stand_in_order_of_gravity() -> None:
    view = replace(
        VIEW, face=replace(FACE, copy=3, offline=True), red=True, specimen=True,
        paper="42A-0000000007", notes=("已冲红 42060126-0000000009",),
    )  # fmt: skip

    assert marks(view) == (
        "样票", "红字票据", "补打 第2次", "已换开纸质票据 42A-0000000007",
        "已冲红 42060126-0000000009", "离线开具，联网后可查验",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "ring"),
    [
        ("孝感市示范医院财务专用章", ("孝感市示范医院", "财务专用章")),
        ("示范大学收费章", ("示范大学", "收费章")),
        ("财务专用章", ("示范单位", "财务专用章")),
        ("示范医院", ("示范医院", "")),
        ("", ("", "")),
    ],
)
def test_a_seal_has_the_unit_on_its_ring(name: str, ring: tuple[str, str]) -> None:
    assert split_seal(name, "示范单位") == ring


def test_no_text_breaks_a_line_or_hides() -> None:
    data = page_data(with_face(payer="甲\n乙\u202e丙", remark="\x1b@注"), "<svg/>")

    assert (data["payer"], data["remark"]) == ("甲 乙丙", "@注")
    assert "<svg/>" not in list(texts(data))
