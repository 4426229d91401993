"""What stands on a page: the signed facts, escaped, in two languages, with their state."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from fep.render.h5 import H5View, Related, notice, page
from fep.render.h5_markup import Markup, fill, joined
from fep.render.h5_words import EN, ZH
from fep.render.page_view import page_data
from tests.unit.render_page.views import VIEW
from tests.unit.web.shop_site import ShopSite

EVIL = "<script>alert('票')</script>\"&"


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "style":
            self.text += data

    def links(self) -> list[str]:
        return [attrs.get("href") or "" for tag, attrs in self.tags if tag == "a"]


def _page(language: str = "zh", **changes: object) -> Reader:
    view = H5View(data=page_data(VIEW, ""), token="T" * 16, state="valid")
    return Reader(page(replace(view, **changes), "<svg></svg>", language))


def test_everything_a_holder_looks_for_is_there() -> None:
    text = _page().text

    for wanted in (
        "湖北省医疗门诊收费票据（电子）", "42060126", "0022739009", "HJDsYN", "2026-11-21",
        "欧阳䶮𬭎㛃", "420982********0059", "诊察费", "￥453.34", "肆佰伍拾叁元叁角肆分",
        "业务流水号", "HIS20261121000123", "医保统筹基金支付", "196.04", "微信", "王复核",
        "李收款", "复诊", "孝感市非税收入专户", "明细（1 行）", "阿莫西林胶囊", "有效",
        "42098226300000000036",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_english_captions_leave_the_receipt_as_signed() -> None:
    text = _page("en").text

    assert "Check code" in text
    assert "校验码" not in text
    assert "诊察费" in text


def test_both_languages_have_every_caption() -> None:
    assert ZH.keys() == EN.keys()
    assert all(ZH.values())
    assert all(EN.values())


def _all_said(text: str) -> dict[str, object]:
    """Return the data of a page on which every text is `text`."""
    face = replace(
        VIEW.face, payer=text, remark=text, other=((text, text),), unit=text, hint=text,
        channels=((text, 1),), title=text, cashier=text, checker=text,
    )  # fmt: skip
    items = tuple(replace(item, name=text, remark=text, unit=text) for item in VIEW.items)
    details = tuple(replace(row, name=text, item=text, remark=text) for row in VIEW.details)
    view = replace(VIEW, face=face, items=items, details=details, verify_url=text)
    return page_data(view, "")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_text_of_a_caller_never_becomes_markup(language: str) -> None:
    plain, evil = (_page(language, data=_all_said(text)) for text in ("x", EVIL))

    assert [tag for tag, _ in evil.tags] == [tag for tag, _ in plain.tags]
    assert evil.text.count(EVIL) > 10


def test_nothing_is_fetched_and_nothing_runs() -> None:
    found = _page(related=Related("42060126-0000000001", "R" * 16))

    assert {"script", "link", "img", "iframe", "form", "base"}.isdisjoint(
        tag for tag, _ in found.tags
    )
    assert not [name for _, attrs in found.tags for name in attrs
                if name in ("style", "src") or name.startswith("on")]  # fmt: skip
    assert all(re.fullmatch(r"[A-Za-z0-9]{16}(\.(pdf|png)|\?lang=zh)|\?lang=en", link)
               for link in found.links())  # fmt: skip


@pytest.mark.parametrize(("state", "said"), [
    ("valid", "有效"), ("reversed", "已冲红"), ("reversing", "正在冲红"), ("red", "红字票据"),
    ("specimen", "样票"),
])  # fmt: skip
def test_the_state_is_said_in_words(state: str, said: str) -> None:
    assert said in _page(state=state).text


def test_a_reversed_receipt_leads_to_its_red_one() -> None:
    found = _page(state="reversed", related=Related("42060126-0000000009", "R" * 16))

    assert "红字票据 42060126-0000000009" in found.text
    assert f"{'R' * 16}?lang=zh" in found.links()


def test_a_counterpart_without_a_page_is_named_only() -> None:
    found = _page(state="red", related=Related("42060126-0000000009"))

    assert "被冲红票据 42060126-0000000009" in found.text
    assert len(found.links()) == 3


def test_a_long_list_is_counted_and_left_to_the_pdf() -> None:
    data = {**page_data(VIEW, ""), "details": []}

    assert "明细共 4000 行" in _page(data=data, unlisted=4000).text


def test_a_specimen_is_marked_across_the_page() -> None:
    specimen = page_data(replace(VIEW, specimen=True), "")

    assert "pattern" not in [tag for tag, _ in _page().tags]
    assert "pattern" in [tag for tag, _ in _page(data=specimen).tags]


def test_an_empty_fact_has_no_caption() -> None:
    face = replace(VIEW.face, payer_code="", remark="")

    text = _page(data=page_data(replace(VIEW, face=face), "")).text

    assert "统一社会信用代码" not in text
    assert "备注" not in text


def test_a_notice_says_what_to_do() -> None:
    assert "请核对网址是否完整" in notice("none")
    assert "ask the issuing unit" in notice("none", "en")


def test_a_template_that_lacks_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        fill("<p>{missing}</p>", other=1)


def test_markup_passes_and_text_does_not() -> None:
    assert fill("{a}{b}", a=Markup("<b>"), b="<b>") == "<b>&lt;b&gt;"
    assert joined([Markup("<i>"), fill("{x}", x='"')]) == "<i>&quot;"


# from the store
def test_a_stored_receipt_becomes_its_page(site: ShopSite) -> None:
    text = Reader(site.page()).text

    for wanted in ("欧阳䶮", "0000000001", "12.34", "王芳", "420106********0059", "未上报"):
        assert wanted in text, wanted
    assert "420106198803120059" not in text


def test_the_page_carries_its_own_address_where_the_template_asks(site: ShopSite) -> None:
    plain = site.page()
    provinces = site.settings.provinces
    provinces["hubei"] = replace(provinces["hubei"], qr_template="{url}")

    assert site.page() != plain
    _, view = site.shop.view_q(_conn(site), site.token(), "pdf") or (None, None)
    assert view is not None
    assert view.face.qr == f"https://p.example.org/r/{site.token()}"


def test_a_page_of_a_test_unit_is_worth_nothing(site: ShopSite) -> None:
    site.make_tests()

    text = Reader(site.page()).text

    assert "不作为收款凭证" in text
    assert "有效" not in text
    assert "未上报" not in text


def _conn(site: ShopSite) -> object:
    return site.room.store.read(lambda conn: conn)
