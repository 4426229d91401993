"""The order of 其他信息 on the face is its own; that of the document is signed and stays."""

from __future__ import annotations

from dataclasses import replace

from fep.domain.kind_check import kind_problems
from fep.render.page_document import read
from fep.render.page_view import page_data
from fep.services.face import _others
from tests.unit.kinds.shipped import kinds, original, province
from tests.unit.kinds.test_golden import _event


def captions(kind: str) -> list[str]:
    event = _event(kind)
    view = read(original(event, kinds()[kind]), kinds()[kind], province())
    return [label for label, _ in page_data(view, "")["other"]]


def test_the_outpatient_face_has_the_official_order():
    assert [
        "业务流水号", "医疗机构类型", "性别", "门诊号", "就诊日期", "医保类型", "医保编号",
    ] == [label for label in captions("outpatient") if "支付" not in label][:7]  # fmt: skip


def test_amounts_stand_among_texts_where_the_rules_say_so():
    found = captions("inpatient")

    assert found == sorted(found, key=kinds()["inpatient"].face_order.index)
    assert found.index("退费金额") < found.index("医保类型") < found.index("其他支付")


def test_page_and_slip_have_one_order_and_the_document_its_own():
    event, kind = _event("outpatient"), kinds()["outpatient"]
    turned = replace(kind, face_order=("性别",))

    assert "性别" == _others(event, turned)[0][0]
    assert [label for label, _ in _others(event, replace(kind, face_order=()))] == [
        member.label for member in kind.main_ext
        if member.label and not member.money and member.label in dict(_others(event, kind))
    ]  # fmt: skip
    assert original(event, kind) == original(event, turned)


def test_a_caption_that_is_none_or_stands_twice_is_named():
    kind = replace(kinds()["outpatient"], face_order=("性别", "年龄", "性别"))

    assert [("face_order", 1), ("face_order", 2)] == [one.at for one in kind_problems(kind)]
