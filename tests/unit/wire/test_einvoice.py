"""The document: official order, literal bytes, escaped content."""

from __future__ import annotations

import re

from lxml import etree

from fep.domain.kind import Kind, Mapped, Point, Province, Seal, Unit
from fep.wire import einvoice, issue_params

from .events import event

KIND = Kind(
    "outpatient", "医疗门诊收费票据（电子）", "06", "{area2}0601{yy}", "{code}01",
    (Mapped("BusinessNumber", "key"), Mapped("Gender", "ext.gender"),
     Mapped("PatientNumber", "ext.patient_no"), Mapped("PayCode", "")),
    item_order=("诊察费", "检查费", "化验费"),
)  # fmt: skip
PROVINCE = Province("hubei", "湖北省", "CZ-EI-42")
UNIT = Unit(
    "H001", "示范医院", "12420000000000000X", "420900", "hubei", "示范医院", "123", "银行",
    Seal("1", "章", "ab"), ("outpatient",), (Point("001"),), "k", "c",
)  # fmt: skip
NOON = 1_795_233_600_000
MAIN = [
    "EInvoiceName", "EInvoiceCode", "EInvoiceNumber", "RandomNumber", "EInvoiceSpecimenCode",
    "SupervisorAreaCode", "TotalAmount", "IssueDate", "IssueTime", "InvoicingParty",
    "PayerParty", "PayMode", "BizCode", "CurrencyType", "ExchangeRate", "Remark",
    "HandlingPerson", "Checker", "SupervisorRemark", "MainExt", "InvoicingPartySeal",
    "SupervisorPartySeal",
]  # fmt: skip


def _original(**changes: object) -> bytes:
    read = issue_params.parse(event(**changes))
    compose = einvoice.prepare(read, KIND, UNIT, PROVINCE)
    return compose("42060126", "0022739009", "HJDsYN", NOON)


def _tree(original: bytes) -> etree._Element:
    return etree.fromstring(einvoice.document(original, "<Signature></Signature>", None))


def test_elements_stand_in_the_official_order():
    tree = _tree(_original())

    assert ["Header", "EInvoiceData", "EInvoiceSignature"] == [child.tag for child in tree]
    assert MAIN == [child.tag for child in tree.find("EInvoiceData/Main")]
    assert ["Main", "Details", "AuxDetails"] == [child.tag for child in tree.find("EInvoiceData")]


def test_values_are_those_of_the_event():
    tree = _tree(_original())
    main = tree.find("EInvoiceData/Main")

    assert "9009372200-62106024" == tree.findtext("Header/EInvoiceID")
    assert "湖北省医疗门诊收费票据（电子）" == main.findtext("EInvoiceName")
    assert "126.50" == main.findtext("TotalAmount")
    assert "20261121" == main.findtext("IssueDate")
    assert "12:00:00" == main.findtext("IssueTime")
    assert "欧阳䶮" == main.findtext("PayerParty/PayerPartyName")
    assert "男" == main.findtext("MainExt/Gender")
    assert ["诊察费", "化验费"] == [
        item.findtext("ItemName") for item in tree.findall("EInvoiceData/Details/Item")
    ]
    assert "化验费" == tree.findtext("EInvoiceData/AuxDetails/AuxItem/AuxItemRelatedName")


def test_the_signed_bytes_have_no_declaration_root_white_space_or_short_form():
    original = _original()

    assert original.startswith(b"<Header><EInvoiceID>")
    assert original.endswith(b"</AuxDetails></EInvoiceData>")
    assert not re.search(rb">\s+<", original)
    assert b"/>" not in original


def test_markup_in_content_is_text_in_the_document():
    name = "<b>&王</PayerPartyName>"

    tree = _tree(_original(payer={"name": name}, remark="a<b&&c>d"))

    assert name == tree.findtext("EInvoiceData/Main/PayerParty/PayerPartyName")
    assert "a<b&&c>d" == tree.findtext("EInvoiceData/Main/Remark")


def test_the_same_event_gives_the_same_bytes_with_and_without_the_short_cut():
    read = issue_params.parse(event())
    slow = einvoice.prepare(read, KIND, UNIT, PROVINCE, markup=True)
    quick = einvoice.prepare(read, KIND, UNIT, PROVINCE, markup=False)

    assert slow("42060126", "1", "a", NOON) == quick("42060126", "1", "a", NOON)
