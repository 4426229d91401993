"""What stands on a receipt page, and the plain data a template gets.

Owns the values and their wording as text: amounts with two decimals, words, marks. Rules:
nothing is left out for want of room (a template scales), and a template decides where
things stand, never what they say. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fep.domain.columns import clean
from fep.domain.money import Fen, format_fen
from fep.domain.printing import FIRST_COPY
from fep.render.slip import ReceiptView
from fep.render.words import amount_in_words

# The layout of a receipt whose kind is no longer configured.
PLAIN = "simple"
A5, A4 = "a5", "a4"
SIZES = (A5, A4)
_USE = re.compile(r"(?:财务|收费|电子票据|票据|业务|结算|捐赠)?(?:专用)?章$")
CURRENCIES = {"CNY": "人民币", "": "人民币"}
OFFLINE = "离线开具，联网后可查验"


@dataclass(frozen=True, slots=True)
class PageItem:
    """A line of the face; quantity and standard are texts as signed."""

    name: str
    amount_fen: Fen
    code: str = ""
    unit: str = ""
    quantity: str = ""
    standard: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class PageDetail:
    """A line of the detail list (明细); all texts as signed."""

    item: str
    name: str
    code: str = ""
    unit: str = ""
    quantity: str = ""
    standard: str = ""
    amount: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """全称, 账号, 开户银行 of one side."""

    name: str = ""
    number: str = ""
    bank: str = ""


@dataclass(frozen=True, slots=True)
class PageView:
    """The facts of a page: the face shared with the slip, and what only a page has room for.

    `items` are all items, `face.items` those of the slip. `related_*` name the blue receipt
    of a red one; `paper` is the sheet this receipt was exchanged for (换开); `notes` are
    further marks as they shall read; `specimen` puts 样票 across everything. `red` says that
    it is a red receipt: a province may write its amounts without a sign. `order` is that of
    the captions of 其他信息, amounts among them; `size` is that of the paper.
    """

    face: ReceiptView
    items: tuple[PageItem, ...]
    layout: str = PLAIN
    unit_code: str = ""
    payer: Account = Account()
    receiver: Account = Account()
    currency: str = "CNY"
    pay_code: str = ""
    seal: str = ""
    verify_url: str = ""
    related_code: str = ""
    related_number: str = ""
    paper: str = ""
    notes: tuple[str, ...] = ()
    red: bool = False
    specimen: bool = False
    supervised: bool = False
    details: tuple[PageDetail, ...] = ()
    issued_ms: int = 0
    order: tuple[str, ...] = ()
    size: str = A5


def marks(view: PageView) -> tuple[str, ...]:
    """Return the marks at the top right, the gravest first."""
    face = view.face
    found = [
        "样票" if view.specimen else "",
        "红字票据" if view.red else "",
        f"补打 第{face.copy - FIRST_COPY}次" if face.copy > FIRST_COPY else "",
        f"已换开纸质票据 {view.paper}" if view.paper else "",
        *view.notes,
        OFFLINE if face.offline else "",
    ]
    return tuple(clean(mark) for mark in found if mark)


def page_data(view: PageView, qr: str) -> dict[str, Any]:
    """Return what a template reads as `d`; `qr` is the drawing of the code or empty."""
    face = view.face
    seal, use = split_seal(view.seal, face.unit)
    data: dict[str, Any] = {
        "title": face.title, "code": face.code, "number": face.number,
        "check_code": face.check_code, "issued_on": face.issued_on,
        "unit": face.unit, "unit_code": view.unit_code,
        "payer": face.payer, "payer_code": face.payer_code,
        "payer_account": view.payer.number, "payer_bank": view.payer.bank,
        "receiver": {"name": view.receiver.name, "account": view.receiver.number,
                     "bank": view.receiver.bank},
        "total": format_fen(face.total_fen), "words": amount_in_words(face.total_fen),
        "red": view.red, "currency": CURRENCIES.get(view.currency, view.currency),
        "items": [_item(item) for item in view.items],
        "other": [[label, value] for label, value in _others(view) if value],
        "channels": [[label, format_fen(fen)] for label, fen in face.channels],
        "remark": face.remark, "cashier": face.cashier, "checker": face.checker,
        "pay_code": view.pay_code, "seal": {"name": seal, "use": use},
        "hint": face.hint, "verify_url": view.verify_url, "marks": list(marks(view)),
        "related_code": view.related_code, "related_number": view.related_number,
        "specimen": view.specimen, "supervised": view.supervised, "size": view.size,
        "details": [_detail(row) for row in view.details],
    }  # fmt: skip
    shown: dict[str, Any] = _cleaned(data)
    return {**shown, "qr": qr}


def _others(view: PageView) -> list[tuple[str, str]]:
    """Return captions and texts of 其他信息 in the order of the face."""
    face = view.face
    found = [*face.other, *((label, format_fen(fen)) for label, fen in face.money)]
    order = {label: place for place, label in enumerate(view.order)}
    return sorted(found, key=lambda entry: order.get(entry[0], len(order)))


def texts(data: Any) -> Iterator[str]:
    """Yield every text of the data but the drawing of the QR code."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for name, value in data.items():
            if name != "qr":
                yield from texts(value)
    elif isinstance(data, list):
        for value in data:
            yield from texts(value)


def split_seal(name: str, unit: str) -> tuple[str, str]:
    """Split a seal's name into ring and foot: 示范医院财务专用章 -> (示范医院, 财务专用章).

    A seal that names its use only carries the unit on its ring.
    """
    found = _USE.search(name)
    if found is None:
        return name, ""
    return name[: found.start()] or unit, found.group()


def bare(number: str) -> str:
    """Drop decimals that say nothing: 3.00 -> 3."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def _item(item: PageItem) -> dict[str, str]:
    quantity = bare(item.quantity)
    return {
        "code": item.code, "name": item.name, "unit": item.unit, "quantity": quantity,
        "count": "/".join(part for part in (quantity, item.unit) if part),
        "standard": item.standard, "amount": format_fen(item.amount_fen),
        "remark": item.remark,
    }  # fmt: skip


def _detail(row: PageDetail) -> dict[str, str]:
    return {
        "item": row.item, "name": row.name, "code": row.code, "unit": row.unit,
        "quantity": bare(row.quantity), "standard": row.standard, "amount": row.amount,
        "remark": row.remark,
    }  # fmt: skip


def _cleaned(value: Any) -> Any:
    """Return data with every text on one visible line."""
    if isinstance(value, str):
        return clean(value).strip()
    if isinstance(value, dict):
        return {name: _cleaned(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_cleaned(entry) for entry in value]
    return value
