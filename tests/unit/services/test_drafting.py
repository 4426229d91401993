"""Configuration meets content: what a draft is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fep.domain.faults import Refused
from fep.domain.kind import Kind, Mapped, Point, Province, Seal, Unit
from fep.env import RealEntropy
from fep.services.drafting import Draw
from fep.wire import einvoice
from tests.unit.wire.events import event

KIND = Kind("outpatient", "医疗门诊收费票据（电子）", "06", "{area2}0601{yy}", "{code}01",
            (Mapped("BusinessNumber", "key"),))  # fmt: skip
PROVINCE = Province("hubei", "湖北省", "CZ-EI-42")
UNIT = Unit(
    "H001", "示范医院", "12420000000000000X", "420900", "hubei", "示范医院", "", "",
    Seal("", "", ""), ("outpatient",), (Point("001"),), "k", "c",
)  # fmt: skip


def _draw(kind: Kind = KIND, province: Province = PROVINCE) -> Draw:
    return Draw(RealEntropy(), {"H001": UNIT}, {"outpatient": kind}, {"hubei": province},
                details_max=100)  # fmt: skip


def test_a_digest_check_code_is_derived_from_what_the_receipt_says():
    draw = _draw(province=replace(PROVINCE, check_code="digest"))
    draft = draw.draft(draw.event(event()), event(), "his")

    assert callable(draft.check_code)
    assert einvoice.derived_check_code(
        "湖北省医疗门诊收费票据（电子）", "欧阳䶮", 12650, "42060126", "0000000001", 0
    ) == draft.check_code("42060126", "0000000001", 0)


def test_a_drawn_check_code_is_never_the_same_twice():
    draw = _draw()
    codes = {draw.draft(draw.event(event()), event(), "his").check_code for _ in range(50)}

    assert 50 == len(codes)


def test_a_kind_that_may_not_be_issued_offline_is_refused_while_the_platform_is_away():
    draw = _draw(replace(KIND, offline=False))

    assert draw.offline_refusal("outpatient") is None
    draw.offline = lambda: True
    refused = draw.offline_refusal("outpatient")
    assert refused is not None
    assert "KIND_OFFLINE" == refused.code
    assert _draw().offline_refusal("outpatient") is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"unit": "X"}, "CFG_UNIT"), ({"kind": "x"}, "CFG_KIND"), ({"point": "9"}, "CFG_POINT")],
)
def test_names_that_configuration_does_not_know_are_refused(changes: dict[str, str], code: str):
    draw = _draw()

    with pytest.raises(Refused) as caught:
        draw.draft(draw.event(event(**changes)), event(**changes), "his")

    assert code == caught.value.code
