"""The face of a receipt on paper: what stands where, and that nothing is cut off."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from drivers.escpos import codec
from drivers.escpos.profile import Profile
from fep.domain.columns import columns
from fep.domain.printing import Columns, Qr, Rule, Slip, Text
from fep.render.slip import WIDTH, ItemView, ReceiptView, slip, trial_slip

VIEW = ReceiptView(
    title="湖北省医疗门诊收费票据（电子）",
    code="42060126",
    number="0000012345",
    check_code="a1B2c3",
    unit="荆楚市第一人民医院",
    payer="欧阳䶮",
    payer_code="000000********0059",
    issued_on="2026-11-21",
    total_fen=45334,
    items=(
        ItemView("诊察费", 2000, "1.00", "次"),
        ItemView("化验费", 10650, "3.00", "项"),
        ItemView("西药费", 9274, "2.00", "盒"),
    ),
    other=(("业务流水号", "OP202611210830150001"), ("医保类型", "职工基本医疗保险")),
    money=(("医保统筹基金支付", 26730), ("其他支付", 0), ("个人账户支付", 15000)),
    channels=(("医保", 41730), ("微信", 3604)),
    cashier="王芳",
    checker="刘敏",
    qr="https://pjcy.example.invalid/verify?code=42060126",
)


def _shown(paper: Slip) -> list[str]:
    """Return the lines as they stand on paper, each with its width checked by the codec."""
    lines = []
    for part in paper.parts:
        wide = 2 if isinstance(part, Text) and part.size == 2 else 1
        for line in codec._lines(part, WIDTH):
            assert columns(line.text) * wide <= WIDTH, line.text
            lines.append(line.text)
    return lines


def test_the_face_holds_every_fact():
    text = "\n".join(_shown(slip(VIEW)))

    for fact in (
        "湖北省医疗门诊收费票据（电子）", "票据代码：42060126", "票据号码：0000012345",
        "校验码：a1B2c3", "开票日期：2026-11-21", "交款人：欧阳䶮", "000000********0059",
        "诊察费", "1/次", "20.00", "106.50", "肆佰伍拾叁元叁角肆分", "￥453.34",
        "业务流水号：OP202611210830150001", "医保统筹基金支付", "267.30", "收款人：王芳",
        "复核人：刘敏", "收款单位（章）：荆楚市第一人民医院",
    ):  # fmt: skip
        assert fact in text, fact
    assert [Qr(VIEW.qr)] == [part for part in slip(VIEW).parts if isinstance(part, Qr)]


def test_first_paper_is_not_marked_and_every_further_one_is():
    assert "补打" not in "".join(_shown(slip(VIEW)))
    assert "【补打 第1次】" == _shown(slip(replace(VIEW, copy=2)))[0]
    assert "【补打 第4次】" == _shown(slip(replace(VIEW, copy=5)))[0]


def test_offline_receipt_says_so():
    assert "离线开具，联网后可查验" in _shown(slip(replace(VIEW, offline=True)))


def test_money_stands_in_one_column():
    lines = [line for line in _shown(slip(VIEW)) if "费  " in line]

    assert {WIDTH} == {columns(line) for line in lines}


def test_empty_facts_leave_no_label():
    bare = replace(VIEW, payer_code="", checker="", other=(("门诊号", ""),), qr="")

    text = "\n".join(_shown(slip(bare)))

    for label in ("统一社会信用代码", "复核人", "门诊号", "扫描二维码"):
        assert label not in text


def test_long_names_are_wrapped_and_never_shortened():
    name = "经皮冠状动脉腔内成形术加支架置入术一次性使用导引导管及配套耗材"
    long = replace(VIEW, items=(ItemView(name, 123456789012, "1234567.123456", "套（盒）"),))

    text = "".join(_shown(slip(long)))

    assert name in text or name in text.replace(" ", "")
    assert "1234567890.12" in text
    assert "1234567.123456/套（盒）" in text


def test_wrapped_item_name_keeps_its_money_on_the_first_line():
    name = "中药饮片及其他按规定收取的费用"
    lines = _shown(slip(replace(VIEW, items=(ItemView(name, 100, "1", "付"),))))

    first = next(at for at, line in enumerate(lines) if line.startswith("中药饮片"))

    assert lines[first].endswith("1.00")
    assert name == lines[first][:11] + lines[first + 1]


def test_controls_in_any_field_never_reach_the_device():
    hostile = "张\x1b@\x10\x14\u202e三\n李"
    view = replace(VIEW, payer=hostile, cashier=hostile, unit=hostile, remark=hostile,
                   items=(ItemView(hostile, 1, hostile, hostile),),
                   other=((hostile, hostile),))  # fmt: skip

    paper = slip(view)
    wishes = codec.wishes(paper, Profile())

    assert all("\x1b" not in wish.text for wish in wishes)
    assert "张@三 李" in "".join(_shown(paper))


@given(st.text(max_size=200), st.integers(-(10**12), 10**12), st.text(max_size=40))
def test_any_text_fits_the_paper(text, fen, count):
    view = replace(VIEW, payer=text, unit=text, title=text or "票", remark=text,
                   items=(ItemView(text, fen, count, text[:10]),), other=((text[:30], text),),
                   money=((text[:30], fen), ("其他支付", fen)), total_fen=abs(fen))  # fmt: skip

    _shown(slip(view))


def test_the_test_page_fits_too():
    assert "此页不是票据" in _shown(trial_slip("window-1", "2026-11-21 08:30:15", "ab12"))


def test_cells_of_every_line_fill_the_width():
    for part in slip(VIEW).parts:
        if isinstance(part, Columns):
            assert sum(width for _, width, _ in part.cells) <= WIDTH
        elif isinstance(part, Rule):
            assert 1 == columns(part.char)
