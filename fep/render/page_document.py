"""Reads a page back out of the signed bytes of a receipt.

One rule: what a page shows is what was signed. Configuration adds captions, layout and the
verification site, never a fact. Personal numbers are masked as the official samples are.
No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element, fromstring

from fep.domain.kind import Kind, Province
from fep.domain.money import NotMoney, format_fen, parse_fen
from fep.domain.text import mask
from fep.render.page_view import A5, PLAIN, Account, PageDetail, PageItem, PageView
from fep.render.slip import ItemView, ReceiptView

_DATE = re.compile(r"[0-9]{8}")


def read(original: bytes, kind: Kind | None, province: Province | None, url: str = "") -> PageView:
    """Return the page of `<Header>…</Header><EInvoiceData>…</EInvoiceData>`.

    Without `kind` there is no 其他信息 and the layout is the plain one. `url` is the address
    of the receipt's own page, for a QR template that names it.
    """
    root = fromstring(b"<EInvoice>" + original + b"</EInvoice>")
    data = root.find("EInvoiceData")
    main = root.find("EInvoiceData/Main")
    assert data is not None, "the signed bytes of a receipt"
    assert main is not None, "the signed bytes of a receipt"
    items = tuple(_item(row) for row in data.iterfind("Details/Item"))
    return PageView(
        face=_face(main, items, kind, province, url),
        items=shown(items, kind.item_limit) if kind else items,
        layout=kind.page_template if kind else PLAIN,
        unit_code=_text(main, "InvoicingParty/InvoicingPartyCode"),
        payer=_account(main, "PayerParty/PayerPartyName", "PayerParty/PayerAcct",
                       "PayerParty/PayerOpBk"),
        receiver=_account(main, "InvoicingParty/RecName", "InvoicingParty/RecAcct",
                          "InvoicingParty/RecOpBk"),
        currency=_text(main, "CurrencyType"),
        pay_code=_text(main, "MainExt/PayCode"),
        seal=_text(main, "InvoicingPartySeal/SealName"),
        verify_url=province.verify_url if province else "",
        order=tuple(member.label for member in kind.faced) if kind else (),
        size=province.page_size if province else A5,
        red=bool(_text(main, "MainExt/RelatedInvoiceNumber")),
        related_code=_text(main, "MainExt/RelatedInvoiceCode"),
        related_number=_text(main, "MainExt/RelatedInvoiceNumber"),
        details=tuple(_detail(row) for row in data.iterfind("AuxDetails/AuxItem")),
    )  # fmt: skip


def shown(items: tuple[PageItem, ...], limit: int) -> tuple[PageItem, ...]:
    """Return the items the face has room for; the last line sums up the rest."""
    if len(items) <= limit:
        return items
    rest = items[limit - 1 :]
    summed = PageItem(f"其余{len(rest)}项见明细", sum(item.amount_fen for item in rest))
    return (*items[: limit - 1], summed)


def _face(
    main: Element,
    items: Iterable[PageItem],
    kind: Kind | None,
    province: Province | None,
    url: str,
) -> ReceiptView:
    payer_code = _text(main, "PayerParty/PayerPartyCode")
    issued = _text(main, "IssueDate")
    limited = shown(tuple(items), kind.item_limit) if kind else tuple(items)
    return ReceiptView(
        title=_text(main, "EInvoiceName"),
        code=_text(main, "EInvoiceCode"),
        number=_text(main, "EInvoiceNumber"),
        check_code=_text(main, "RandomNumber"),
        unit=_text(main, "InvoicingParty/InvoicingPartyName"),
        payer=_text(main, "PayerParty/PayerPartyName"),
        payer_code=mask(payer_code) if payer_code else "",
        issued_on=f"{issued[:4]}-{issued[4:6]}-{issued[6:]}",
        total_fen=parse_fen(_text(main, "TotalAmount")),
        items=tuple(
            ItemView(item.name, item.amount_fen, quantity=item.quantity, unit=item.unit)
            for item in limited
        ),
        other=_others(main, kind),
        money=_moneys(main, kind),
        cashier=_text(main, "HandlingPerson"),
        checker=_text(main, "Checker"),
        remark=_text(main, "Remark"),
        qr=_qr(main, province, url) if province else "",
        hint=province.verify_hint if province else "",
    )


def _qr(main: Element, province: Province, url: str) -> str:
    """Return the text of the QR code, from the province's template."""
    return province.qr_template.format(
        verify_url=province.verify_url,
        code=_text(main, "EInvoiceCode"),
        number=_text(main, "EInvoiceNumber"),
        check=_text(main, "RandomNumber"),
        date=_text(main, "IssueDate"),
        amount=format_fen(parse_fen(_text(main, "TotalAmount"))),
        url=url,
    )


def _others(main: Element, kind: Kind | None) -> tuple[tuple[str, str], ...]:
    found = [
        (member.label, _dashed(member.label, _text(main, f"MainExt/{member.element}")))
        for member in (kind.faced if kind else ())
        if not member.money
    ]
    return tuple((label, value) for label, value in found if value)


def _dashed(label: str, value: str) -> str:
    """Write a date as the face does: 20261121 -> 2026-11-21."""
    if "日期" in label and _DATE.fullmatch(value):
        return f"{value[:4]}-{value[4:6]}-{value[6:]}"
    return value


def _moneys(main: Element, kind: Kind | None) -> tuple[tuple[str, int], ...]:
    found = []
    for member in kind.faced if kind else ():
        if member.money:
            try:
                value = _text(main, f"MainExt/{member.element}")
                found.append((member.label, parse_fen(value or "0")))
            except NotMoney:
                continue  # the caller's free text is no amount: it stays in the document
    return tuple(found)


def _account(main: Element, name: str, number: str, bank: str) -> Account:
    return Account(_text(main, name), _text(main, number), _text(main, bank))


def _item(row: Element) -> PageItem:
    return PageItem(
        name=_text(row, "ItemName"),
        amount_fen=parse_fen(_text(row, "ItemAmount")),
        code=_text(row, "ItemCode"),
        unit=_text(row, "ItemUnit"),
        quantity=_text(row, "ItemQuantity"),
        standard=_text(row, "ItemStd"),
        remark=_text(row, "ItemRemark"),
    )


def _detail(row: Element) -> PageDetail:
    return PageDetail(
        item=_text(row, "AuxItemRelatedName"),
        name=_text(row, "AuxItemName"),
        code=_text(row, "AuxItemCode"),
        unit=_text(row, "AuxItemUnit"),
        quantity=_text(row, "AuxItemQuantity"),
        standard=_text(row, "AuxItemStd"),
        amount=_text(row, "AuxItemAmount"),
        remark=_text(row, "AuxItemRemark"),
    )


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
