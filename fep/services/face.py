"""The face of a receipt: what a person reads, put together from the stored event and the
configuration it was issued under. Personal numbers are masked as the official samples are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from fep.domain.calendar import local
from fep.domain.event import BillingEvent, Item
from fep.domain.kind import Kind, Province, Unit
from fep.domain.money import NotMoney, format_fen, parse_fen
from fep.domain.receipt import Receipt
from fep.domain.text import mask
from fep.render.slip import RED_MARK, ItemView, ReceiptView
from fep.services.reversal import any_event_q
from fep.services.web_token import UrlOf, no_url
from fep.store import receipts

# facts/standards 9: payChannelCode.
CHANNEL_NAMES = {
    "02": "现金", "04": "支付宝", "05": "微信", "07": "银行卡", "11": "医保支付",
}  # fmt: skip


class Faces:
    """Reads receipts back as views."""

    def __init__(
        self,
        units: Mapping[str, Unit],
        kinds: Mapping[str, Kind],
        provinces: Mapping[str, Province],
        offline: Callable[[], bool],
        url_of: UrlOf = no_url,
    ) -> None:
        self._units = units
        self._offline = offline
        self._url_of = url_of
        self._kinds = kinds
        self._provinces = provinces

    def view_q(self, conn: Connection, receipt_id: int, copy: int = 1) -> ReceiptView:
        """Return the view of a receipt. Raises KeyError when it or its unit is unknown."""
        receipt = receipts.by_id_q(conn, receipt_id)
        if receipt is None:
            raise KeyError(receipt_id)
        event = any_event_q(conn, receipt, self._bound)
        unit = self._units[receipt.unit]
        province = self._provinces[unit.province]
        view = face(receipt, event, self._kinds[receipt.kind], unit, province, copy,
                    url=self._url_of(receipt))  # fmt: skip
        # 样票 never reach a platform: no link can be waited for.
        return replace(view, offline=True) if self._offline() and not unit.test else view

    def _bound(self, receipt: Receipt) -> tuple[Kind, Province]:
        unit = self._units[receipt.unit]
        return self._kinds[receipt.kind], self._provinces[unit.province]


def face(receipt: Receipt, event: BillingEvent, kind: Kind, unit: Unit, province: Province,
         copy: int, url: str = "") -> ReceiptView:  # fmt: skip
    """Return what is on the face; `url` is the address of the receipt's page."""
    author = event.author or event.cashier
    return ReceiptView(
        title=f"{province.name}{kind.name}{RED_MARK if event.related else ''}",
        code=receipt.code,
        number=receipt.number,
        check_code=receipt.check_code,
        unit=unit.name,
        payer=event.payer.name,
        payer_code=mask(event.payer.code) if event.payer.code else "",
        issued_on=receipt.issued_on,
        total_fen=event.total_fen,
        items=_lines(kind.ordered(event.items), kind.item_limit),
        other=_others(event, kind),
        money=_moneys(event, kind),
        channels=tuple(
            (CHANNEL_NAMES.get(channel.code, channel.code), channel.amount_fen)
            for channel in event.channels
        ),
        cashier=event.cashier or author,
        checker=event.checker or unit.default_checker or author,
        remark=event.remark,
        qr=qr_content(replace(receipt, amount_fen=event.total_fen), province, url),
        hint=province.verify_hint,
        copy=copy,
        specimen=unit.test,
        related=event.related,
    )


def qr_content(receipt: Receipt, province: Province, url: str = "") -> str:
    """Return the text of the QR code, from the province's template."""
    return province.qr_template.format(
        verify_url=province.verify_url,
        code=receipt.code,
        number=receipt.number,
        check=receipt.check_code,
        date=f"{local(receipt.issued_at):%Y%m%d}",
        amount=format_fen(receipt.amount_fen),
        url=url,
    )


def _lines(items: list[Item], limit: int) -> tuple[ItemView, ...]:
    shown = items if len(items) <= limit else items[: limit - 1]
    lines = [
        ItemView(item.name, item.amount_fen, quantity=item.number, unit=item.unit) for item in shown
    ]
    if len(shown) < len(items):
        rest = items[len(shown) :]
        lines.append(ItemView(f"其余{len(rest)}项见明细", sum(item.amount_fen for item in rest)))
    return tuple(lines)


def _value(event: BillingEvent, source: str) -> str:
    if source.startswith("ext."):
        return event.ext.get(source[4:], "")
    if source == "occurred_on":
        return event.occurred_at[:8]
    return str(getattr(event, source, ""))


def _others(event: BillingEvent, kind: Kind) -> tuple[tuple[str, str], ...]:
    found = [
        (member.label, _value(event, member.source)) for member in kind.faced if not member.money
    ]
    return tuple((label, value) for label, value in found if value)


def _moneys(event: BillingEvent, kind: Kind) -> tuple[tuple[str, int], ...]:
    found = []
    for member in kind.faced:
        if member.money:
            try:
                found.append((member.label, parse_fen(_value(event, member.source) or "0")))
            except NotMoney:
                continue  # the caller's free text is no amount: it stays in the document
    return tuple(found)
