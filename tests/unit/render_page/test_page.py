"""Pages as a real page process draws them: every fact is in the text, fonts are embedded."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image

from fep.domain.faults import Refused
from fep.render.page_view import PageView
from tests.unit.render_page.views import (
    FACE,
    ITEMS,
    LAYOUTS,
    QR,
    RARE,
    TEMPLATES,
    VIEW,
    drawn,
    text_of,
    with_face,
)  # fmt: skip

SHARED = (
    FACE.title, FACE.code, FACE.number, FACE.check_code, FACE.issued_on, RARE,
    "420982********0059", "诊察费", "化验费", "西药费", "20.00", "106.50", "326.84",
    "肆佰伍拾叁元叁角肆分", "￥453.34", FACE.unit, "李收款", "王复核", "HIS20261121000123",
    "复诊", "请在财政票据查验平台查验", "https://pjcy.example.invalid/verify",
)  # fmt: skip
OWN = {
    "medical": ("1/次", "3/项", "自付10%", "医疗机构类型：三级甲等综合医院", "个人自费：0.00"),
    "unified": ("0801", "0807", "35.50", "项目编码", "自付10%"),
    "voucher": ("42098226300000000036", "414001", "6222021234567890123", "中国工商银行孝感分行",
                "孝感市非税收入专户", "42050100000000000001", "示范银行孝感分行", "人民币", "0803"),
    "simple": ("163.42", "自付10%", "项目名称"),
}  # fmt: skip


def _pages(pdf: bytes, path: Path) -> int:
    path.write_bytes(pdf)
    told = subprocess.run(["pdfinfo", str(path)], capture_output=True, check=True).stdout
    return int(told.decode().split("Pages:")[1].split()[0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_field_is_found_in_the_text(layout: str, tmp_path: Path) -> None:
    (pdf,) = drawn(replace(VIEW, layout=layout, details=()))

    text = text_of(pdf, tmp_path / "page.pdf")

    assert [fact for fact in (*SHARED, *OWN[layout]) if fact not in text] == []


def test_fonts_are_embedded_as_subsets(tmp_path: Path) -> None:
    (pdf,) = drawn(VIEW)
    (tmp_path / "page.pdf").write_bytes(pdf)

    command = ["pdffonts", str(tmp_path / "page.pdf")]
    rows = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()

    assert rows[2:] != []
    assert [row for row in rows[2:] if row.split()[-5:-2] != ["yes", "yes", "yes"]] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_picture_holds_a_readable_code(layout: str) -> None:
    (png,) = drawn(replace(VIEW, layout=layout, details=()), "png")

    picture = Image.open(io.BytesIO(png))

    assert picture.size == (1654, 1165)
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [QR]


def test_a_red_receipt_names_the_blue_one(tmp_path: Path) -> None:
    view = replace(
        with_face(total_fen=-45334), red=True, related_code="42060126", related_number="0022738001"
    )

    (pdf,) = drawn(view)

    text = text_of(pdf, tmp_path / "page.pdf")
    wanted = ("红字票据", "￥-453.34", "负肆佰伍拾叁元叁角肆分", "原票据号码：0022738001")
    assert [fact for fact in wanted if fact not in text] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_crowded_face_stays_one_page_and_keeps_every_word(layout: str, tmp_path: Path) -> None:
    # A voucher holds four items (conf/kinds): more are refused, not squeezed in.
    count = 4 if layout == "voucher" else 18
    names = [f"项目{index:02d}" + "长" * 40 for index in range(count)]
    view = PageView(
        face=replace(FACE, payer="甲" * 100, unit="单" * 60, remark="注" * 200,
                     other=tuple((f"栏目{n}", "内容" * 8) for n in range(20))),
        items=tuple(replace(ITEMS[0], name=name) for name in names), layout=layout,
        seal="单" * 60 + "财务专用章",
    )  # fmt: skip

    (pdf,) = drawn(view)

    text = text_of(pdf, tmp_path / "page.pdf")
    assert _pages(pdf, tmp_path / "page.pdf") == 1
    assert [name[:4] for name in names if name[:4] not in text] == []
    assert text.count("长") == count * 40


def test_the_detail_list_follows_on_pages_of_its_own(tmp_path: Path) -> None:
    view = replace(VIEW, details=VIEW.details * 40)

    (pdf,) = drawn(view)
    pictures = drawn(view, "png", ppi=72)

    assert text_of(pdf, tmp_path / "page.pdf").count("阿莫西林胶囊") == 40
    assert len(pictures) == _pages(pdf, tmp_path / "page.pdf") > 2


def test_the_same_receipt_is_the_same_bytes() -> None:
    assert drawn(VIEW) == drawn(VIEW)


@pytest.mark.parametrize("form", ["pdf", "png", "slip"])
def test_a_character_without_glyph_is_named(form: str) -> None:
    with pytest.raises(Refused) as refused:
        drawn(with_face(payer="王\ue863"), form)

    assert (refused.value.code, "U+E863" in refused.value.zh) == ("RND_CHAR", True)


def test_without_fonts_nothing_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        drawn(VIEW, fonts=[str(tmp_path)])

    assert refused.value.code == "RND_FONT"


@pytest.mark.parametrize("layout", ["page", "absent"])
def test_a_layout_that_is_not_there_is_a_refusal(layout: str) -> None:
    with pytest.raises(Refused) as refused:
        drawn(replace(VIEW, layout=layout))

    assert refused.value.code == "RND_TEMPLATE"


def test_a_broken_template_says_where_it_is(tmp_path: Path) -> None:
    own = shutil.copytree(TEMPLATES, tmp_path / "templates")
    (own / "medical.typ").write_text("#nonsense(")

    with pytest.raises(Refused) as refused:
        drawn(VIEW, templates=own)

    assert refused.value.code == "RND_TEMPLATE"
    assert str(own / "medical.typ") in refused.value.zh


def test_a_template_that_never_ends_is_stopped(tmp_path: Path) -> None:
    own = shutil.copytree(TEMPLATES, tmp_path / "templates")
    (own / "medical.typ").write_text(
        "#let f(n) = range(9000).map(i => range(9000)).len()\n#range(9000).map(f)"
    )

    with pytest.raises(Refused) as refused:
        drawn(VIEW, templates=own, timeout_s=1.0)

    assert refused.value.code == "RND_TIME"


def test_a_view_of_another_shape_is_a_failure_not_a_traceback() -> None:
    from fep.render.page import PageProcess

    with PageProcess() as process, pytest.raises(Refused) as refused:
        process.render({"face": 1}, "pdf", TEMPLATES)

    assert refused.value.code == "RND_FAILED"
