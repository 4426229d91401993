"""What is written is read back the same; what is not a receipt is refused with its place."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fep.domain.event import BillingEvent, Detail, Item, Payer
from fep.domain.kind import value
from fep.wire import einvoice, einvoice_read
from fep.wire.einvoice_read import AuxItem, Document, NotReceipt, read
from tests.unit.kinds.shipped import (
    CHECK,
    NOON,
    NUMBER,
    certificate,
    document,
    kinds,
    original,
    province,
    schema_faults,
    stand_in,
    unit,
)

CODECS = ("der", "raw", "cms")
PLAIN = st.characters(
    exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff\u2028\u2029"
)


def text(limit: int, least: int = 0) -> st.SearchStrategy[str]:
    """Draw what a caller may send as a text."""
    return st.text(PLAIN | st.sampled_from("&<>\"' ]䶮𬭎"), min_size=least, max_size=limit)


FEN = st.integers(-(10**12), 10**12)
DECIMAL = st.sampled_from(("", "1", "-2.5", "0.333333", "12345678901.25"))
ITEMS = st.builds(Item, text(30, 1), text(100, 1), FEN, text(20), DECIMAL, DECIMAL, text(100))
DETAILS = st.builds(
    Detail, item=text(30, 1), name=text(100, 1), code=text(30), unit=text(20), std=DECIMAL,
    amount=st.sampled_from(("", "3.1415", "-7")), number=DECIMAL, spec=text(100), remark=text(100),
)  # fmt: skip
PAYERS = st.builds(
    Payer, name=text(100, 1), type=st.sampled_from("12"), code=text(50), account=text(50),
    bank=text(100),
)  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> BillingEvent:
    """Draw an event of any shipped kind, blue or red."""
    kind = kinds()[draw(st.sampled_from(sorted(kinds())))]
    items = tuple(draw(st.lists(ITEMS, min_size=1, max_size=4)))
    named = [source[4:] for source in kind.optional_sources if source.startswith("ext.")]
    named += list(kind.required_ext)
    return BillingEvent(
        unit="H001", point="001", kind=kind.id, key=draw(text(50, 1)), payer=draw(PAYERS),
        total_fen=sum(item.amount_fen for item in items), items=items,
        details=tuple(draw(st.lists(DETAILS, max_size=3))), channels=(),
        cashier=draw(text(50)), author=draw(text(50)), checker=draw(text(50)),
        remark=draw(text(200)), occurred_at="20261121083015120",
        ext={name: draw(text(20)) for name in named},
        related=draw(st.none() | st.just(("42060125", "0000000042"))),
    )  # fmt: skip


def expected(event: BillingEvent) -> dict[str, object]:
    """Return the members of the document that come from the event and its configuration."""
    kind = kinds()[event.kind]
    author = event.author or event.cashier
    names = {item.code: item.name for item in event.items}
    payer = Payer(event.payer.name, event.payer.type, event.payer.code, event.payer.account,
                  event.payer.bank)  # fmt: skip
    return {
        "tag": "CZ-EI-42", "version": "1.1.0", "name": f"湖北省{kind.name}",
        "code": kind.code("420900", 2026), "number": NUMBER, "check_code": CHECK,
        "area": "420900", "amount_fen": event.total_fen, "issue_date": "20261121",
        "issue_time": "12:00:00", "payer": payer, "pay_mode": event.ext.get("pay_mode", ""),
        "biz_code": event.key, "currency": "CNY", "exchange_rate": "", "remark": event.remark,
        "handling_person": author, "checker": event.checker or unit().default_checker,
        "supervisor_remark": "", "unit_seal": unit().seal,
        "main_ext": tuple((m.element, value(event, m.source)) for m in kind.main_ext),
        "items": tuple(kind.ordered(event.items)),
        "details": tuple(
            AuxItem(d.item, names.get(d.item, ""), d.code,
                    f"{d.name} {d.spec}" if d.spec else d.name, d.number, d.unit, d.std,
                    d.amount, d.remark)
            for d in event.details
        ),
        "related": event.related,
    }  # fmt: skip


@given(events(), st.sampled_from(CODECS), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_receipt_read_back_is_the_one_that_was_written(
    event: BillingEvent, codec: str, supervised: bool
):
    signed = original(event, kinds()[event.kind])

    data = document(signed, codec, supervised=supervised)
    found = read(data)

    told = expected(event)
    assert told == {name: getattr(found, name) for name in told}
    assert signed == found.original
    assert [stand_in(signed)] == [found.signatures[0].der()]
    assert (2 if supervised else 1) == len(found.signatures)
    assert [] == schema_faults(data)


def plain(**changes: object) -> BillingEvent:
    """Return a small event."""
    event = BillingEvent(
        unit="H001", point="001", kind="outpatient", key="OP1", payer=Payer("欧阳䶮"),
        total_fen=1230, items=(Item("01", "诊察费", 1230),), details=(), channels=(),
    )  # fmt: skip
    return replace(event, **changes)


def receipt(data: bytes | None = None) -> Document:
    return read(document(original(plain(), kinds()["outpatient"])) if data is None else data)


def test_the_finance_signature_is_over_the_hash_and_the_literal_unit_signature():
    found = receipt()

    ours, theirs = found.signatures
    text = einvoice.finance_original(found.original, ours.xml)
    assert ours.xml.startswith(b"<Signature><SignedInfo>")
    assert ours.xml.endswith(b"</KeyInfo></Signature>")
    assert stand_in(text) == theirs.der()
    assert (certificate().serial_hex, certificate().issuer) == (ours.serial_hex, ours.issuer)
    assert "20261121120009" == theirs.signed_at


def test_a_red_receipt_names_the_blue_one():
    event = plain(related=("42060125", "0000000042"), total_fen=-1230,
                  items=(Item("01", "诊察费", -1230),))  # fmt: skip

    found = receipt(document(original(event, kinds()["outpatient"])))

    assert (("42060125", "0000000042"), -1230) == (found.related, found.amount_fen)
    assert receipt().related is None


def test_the_other_spelling_of_the_signature_value_is_read_too():
    data = document(original(plain(), kinds()["outpatient"]))

    found = receipt(data.replace(b"SignatureValue", b"Signaturevalue"))

    assert receipt().signatures[0].value == found.signatures[0].value


GOOD = document(original(plain(), kinds()["outpatient"]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<Header>", b"\n<Header>"),
        (b"<Header>", b"<Header >\n"),
        (b"<Header>", b'<Header a="1">'),
        (b"<EInvoice>", b"<!DOCTYPE EInvoice><EInvoice>"),
        (b"<EInvoice>", b'<!DOCTYPE E [<!ENTITY a "b">]><EInvoice>'),
        (b"<Remark>", b"<!-- --><Remark>"),
        (b"<Remark>", b"<Remark><![CDATA[x]]>"),
        (b"<Remark>", b"<?x y?><Remark>"),
        (b"<Remark>", b"<Remark>&a;"),
        (b"<Remark></Remark>", b""),
        (b"<Remark></Remark>", b"<Remark></Remark><Remark></Remark>"),
        (b"<MainExt>", b"<MainExt>x"),
        (b"<Details>", b"<Details>x"),
        (b"<AuxDetails>", b"<AuxDetails>x"),
        (b"12.30</TotalAmount>", b"-12.30</TotalAmount>"),
        (b"<AuxDetails>", b"<AuxDetails><Item></Item>"),
        (b"<ItemExt></ItemExt>", b"<ItemExt><A><B></B></A></ItemExt>"),
        (b"12.30</TotalAmount>", b"12.31</TotalAmount>"),
        (b"12.30</TotalAmount>", b"12.3</TotalAmount>"),
        (b"12.30</TotalAmount>", b"-0.00</TotalAmount>"),
        (b"<TotalAmount>12.30", b"<TotalAmount>9999999999999999.00"),
        (b"9009372200-", b"9009372201-"),
        (b"<IssueDate>20261121", b"<IssueDate>20261321"),
        (b"<IssueTime>12", b"<IssueTime>24"),
        (b"DETACH", b"ATTACH"),
        (b"<SignatureValue>", b"<SignatureValue>*"),
        (b"<SignatureValue>", b"<SignatureValue>\xc3\xa9"),
        (b"<SignatureTime>2026", b"<SignatureTime>26"),
        (b"<PayerPartyType>1", b"<PayerPartyType>3"),
        (b"<?xml version", b"<?xml  version"),
        (b"</EInvoice>", b"</EInvoice>\n"),
        (b"</KeyInfo>", b"<A></A></KeyInfo>"),
        (b"<MainExt>", b"<MainExt><x:a></x:a>"),
    ],
)
def test_what_is_not_one_of_our_receipts_is_refused(old: bytes, new: bytes):
    assert old in GOOD

    with pytest.raises(NotReceipt):
        read(GOOD.replace(old, new, 1))


@pytest.mark.parametrize("count", [0, 3])
def test_a_receipt_has_one_or_two_signatures(count: int):
    one = receipt().signatures[0].xml
    head, end = GOOD[: GOOD.index(one)], b"</EInvoiceSignature></EInvoice>"

    with pytest.raises(NotReceipt):
        read(head + one * count + end)


def test_a_file_beyond_the_bound_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(einvoice_read, "DOCUMENT_MAX_BYTES", len(GOOD) - 1)

    with pytest.raises(NotReceipt, match="more than"):
        read(GOOD)


def test_the_plans_of_many_kinds_are_bounded_and_say_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(einvoice, "PLANS_MAX", 2)
    many = [replace(kinds()["outpatient"], name=f"票据{n}") for n in range(5)]

    names = [receipt(document(original(plain(), kind))).name for kind in (*many, many[0])]

    assert [f"湖北省票据{n}" for n in (0, 1, 2, 3, 4, 0)] == names


def test_a_short_signature_value_is_none():
    value = base64.b64encode(receipt().signatures[0].value)

    with pytest.raises(NotReceipt):
        read(GOOD.replace(value, base64.b64encode(b"short"), 1))


@pytest.mark.parametrize("size", [0, 40, 400, 1200])
def test_a_file_cut_anywhere_is_refused(size: int):
    with pytest.raises(NotReceipt):
        read(GOOD[:size])
    with pytest.raises(NotReceipt):
        read(GOOD[:size] + b"</EInvoice>")


def test_the_schema_refuses_what_the_reader_refuses():
    moved = GOOD.replace(b"<Remark></Remark>", b"", 1)

    assert schema_faults(GOOD) == []
    assert schema_faults(moved)
    assert schema_faults(GOOD.replace(b"DETACH", b"ATTACH"))
    assert [] == schema_faults(GOOD.replace(b"<MainExt>", b"<MainExt><Custom1>x</Custom1>"))


def test_the_time_of_the_document_is_that_of_the_province():
    data = document(original(plain(), kinds()["outpatient"], NOON + 12 * 3_600_000))

    assert ("20261122", "00:00:00") == (read(data).issue_date, read(data).issue_time)
    assert "湖北省" == province().name
