"""A page is read back from the signed bytes: it says what was signed, as the slip does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as restruct

from fep import settings
from fep.domain.event import BillingEvent, Channel, Detail, Item, Payer
from fep.domain.kind import Kind, Mapped, Point, Province, Seal, Unit
from fep.domain.receipt import Receipt, ReceiptState
from fep.render import page_document
from fep.services.face import face
from fep.wire.einvoice import prepare

CODE, NUMBER, CHECK = "42060126", "0000000007", "a1B2c3"
ISSUED_MS = 1_795_219_200_000
UNIT = Unit(
    code="H001", name="示范医院", party_code="12420900MB1E2X0017", area="420900",
    province="hubei", rec_name="示范医院", rec_account="42050", rec_bank="示范银行",
    seal=Seal("D0", "示范医院财务专用章", "00"), kinds=("outpatient",),
    points=(Point("001"),), signer_key="", signer_cert="", default_checker="王复核",
)  # fmt: skip
PROVINCE = Province("hubei", "湖北省", "CZ-EI-42", verify_hint="请查验")
KIND = Kind(
    id="outpatient", name="医疗门诊收费票据（电子）", receipt_class="06",
    code_template="{area2}0601{yy}", specimen_template="{code}01", item_limit=3,
    item_order=("诊察费", "西药费"),
    main_ext=(
        Mapped("BusinessNumber", "key", "业务流水号"), Mapped("Gender", "ext.gender", "性别"),
        Mapped("FundPayAmount", "ext.fund_pay", "医保统筹基金支付", money=True),
        Mapped("MedicalDate", "ext.visit_date", "就诊日期"),
        Mapped("RelatedInvoiceNumber", "ext.related"), Mapped("PayCode", "ext.pay_code"),
    ),
)  # fmt: skip
EVENT = BillingEvent(
    unit="H001", point="001", kind="outpatient", key="OP<1>&", total_fen=45334,
    payer=Payer("欧阳䶮", code="420982198812030059", account="6222", bank="工行"),
    items=(Item("02", "西药费", 43334, "盒", "216.67", "2", "自付10%"),
           Item("01", "诊察费", 2000, "次", "20.00", "1")),
    details=(Detail(item="02", name="阿莫西林", spec="0.25g", number="2", amount="433.34"),),
    channels=(Channel("02", 45334),), cashier="李收款", remark="复诊",
    ext={"gender": "女", "fund_pay": "267.30", "pay_code": "42098226300000000036"},
)  # fmt: skip


def _signed(event: BillingEvent = EVENT, kind: Kind = KIND) -> bytes:
    return prepare(event, kind, UNIT, PROVINCE)(CODE, NUMBER, CHECK, ISSUED_MS)


def _receipt(event: BillingEvent) -> Receipt:
    return Receipt(
        1, 1, "H001", "outpatient", "001", CODE, NUMBER, ReceiptState.SEALED, event.total_fen,
        CHECK, event.payer.name, ISSUED_MS, "2026-11-21",
    )  # fmt: skip


@pytest.mark.parametrize("items", [2, 3, 9])
def test_page_and_slip_show_the_same_face(items: int) -> None:
    lines = tuple(restruct(EVENT.items[0], code=str(n), amount_fen=100) for n in range(items))
    event = replace(EVENT, items=lines, total_fen=100 * items, channels=())

    view = page_document.read(_signed(event), KIND, PROVINCE)

    assert view.face == face(_receipt(event), event, KIND, UNIT, PROVINCE, 1)


def test_what_only_a_page_shows_is_there() -> None:
    view = page_document.read(_signed(), KIND, PROVINCE)

    assert [(item.name, item.code, item.standard, item.remark) for item in view.items] == [
        ("诊察费", "01", "20.00", ""), ("西药费", "02", "216.67", "自付10%"),
    ]  # fmt: skip
    assert (view.payer.number, view.payer.bank) == ("6222", "工行")
    assert (view.receiver.name, view.receiver.number) == ("示范医院", "42050")
    assert (view.pay_code, view.unit_code) == ("42098226300000000036", "12420900MB1E2X0017")
    assert [(row.item, row.name, row.amount) for row in view.details] == [
        ("西药费", "阿莫西林 0.25g", "433.34")
    ]


def test_items_beyond_the_face_are_summed_up() -> None:
    lines = tuple(Item(str(n), f"项目{n}", 100 + n) for n in range(5))

    view = page_document.read(_signed(replace(EVENT, items=lines, total_fen=510)), KIND, PROVINCE)

    assert [(item.name, item.amount_fen) for item in view.items] == [
        ("项目0", 100), ("项目1", 101), ("其余3项见明细", 309),
    ]  # fmt: skip


def test_dates_are_written_as_the_face_writes_them() -> None:
    event = replace(EVENT, ext={"visit_date": "20261120"})

    view = page_document.read(_signed(event), KIND, PROVINCE)

    assert ("就诊日期", "2026-11-20") in view.face.other


def test_a_receipt_that_names_another_is_red() -> None:
    red = replace(EVENT, ext={"related": "0000000003"})

    view = page_document.read(_signed(red), KIND, PROVINCE)

    assert (view.red, view.related_number) == (True, "0000000003")


def test_a_kind_that_is_gone_still_has_a_page() -> None:
    view = page_document.read(_signed(), None, None)

    assert (view.layout, view.face.title, view.face.other) == (
        "simple", "湖北省医疗门诊收费票据（电子）", (),
    )  # fmt: skip


def test_every_shipped_kind_names_a_layout_that_is_shipped() -> None:
    conf = Path(settings.__file__).parents[1] / "conf"
    shipped = {file.stem for file in (conf / "templates").glob("*.typ")} - {"page"}

    named = {
        line.split('"')[1]
        for file in (conf / "kinds").glob("*.toml")
        for line in file.read_text("utf-8").splitlines()
        if line.startswith("page_template")
    }

    assert named <= shipped
    assert named != set()
