"""A receipt in the words of the medical dialect: addresses, QR code, times, names.

Rule: every field that a client indexes is there, empty when there is nothing to say; no null
ever (facts/his-api 1.5).
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import msgspec

from fep.domain.calendar import local
from fep.domain.faults import refuse
from fep.domain.kind import Unit
from fep.domain.money import format_fen
from fep.domain.receipt import Receipt
from fep.render.qr_small import small_png
from fep.services.callers import Caller
from fep.services.face import qr_content
from fep.services.his_context import HisContext
from fep.settings_web import PAGE_PATH
from fep.store import medical
from fep.store.life import Standing, named_q

URL_MAX = 60
"""Clients keep addresses in columns of 100 and in QR codes of their own (facts/his-api 4)."""


def moment(at_ms: int) -> str:
    """Return a time as yyyyMMddHHmmssSSS of +08:00."""
    return f"{local(at_ms):%Y%m%d%H%M%S}{at_ms % 1000:03d}"


def number(fen: int) -> msgspec.Raw:
    """Return an amount as a JSON number with two decimals; no float is made."""
    return msgspec.Raw(format_fen(fen).encode())


class Words:
    """Tells receipts to callers."""

    def __init__(self, ctx: HisContext) -> None:
        self._ctx = ctx

    def unit(self, caller: Caller) -> Unit:
        """Return the one unit a caller speaks for. Raises Refused HIS_UNIT."""
        named = caller.codes.unit
        seen = [code for code in self._ctx.units if caller.sees(code)]
        code = named if named in seen else seen[0] if len(seen) == 1 and not named else ""
        if not code:
            raise refuse("HIS_UNIT", appid=caller.appid)
        return self._ctx.units[code]

    def point(self, caller: Caller, place: str, unit: Unit) -> str:
        """Return our point of a placeCode. Raises Refused HIS_POINT, AUTH_SCOPE."""
        point = caller.codes.point_of(place, unit)
        caller.scope(unit.code, point)
        return point

    def standing(self, caller: Caller, code: str, number_: str, check: str = "") -> Standing:
        """Return where a receipt of the caller's unit stands. Raises Refused RCP_UNKNOWN.

        A 校验码 that is given must be the receipt's.
        """
        found = self._ctx.store.read(named_q, code, number_) if len(code) <= 8 else None
        mine = found is not None and found.receipt.unit == self.unit(caller).code
        if found is None or not mine or found.life.value in ("frozen", "burned"):
            raise refuse("RCP_UNKNOWN")
        if check and check != found.receipt.check_code:
            raise refuse("RCP_UNKNOWN")
        return found

    async def again(self, receipt: Receipt, said: medical.Said) -> str:
        """Note a call that was answered with the receipt it has; returns its business time.

        A system whose busNo changes at every attempt knows its bill by the last one: lists
        that told of the first would have it written off as a stranger (facts/his-api 4).
        """
        kept = self._ctx.store.read(medical.kept_q, receipt.unit, receipt.key)
        if kept is None:  # it came through another door: now its own words are known too
            await self._ctx.store.do("medical.keep", medical.keep_txn, said)
            return said.bus_at
        if kept.bus_no != said.bus_no:
            await self._ctx.store.do(
                "medical.name", medical.name_txn, receipt.unit, receipt.key, said.bus_no
            )
        return kept.bus_at

    def name(self, receipt: Receipt | Any) -> str:
        """Return the billName."""
        kind = self._ctx.kinds.get(receipt.kind)
        return kind.name if kind is not None else receipt.kind

    # addresses
    def urls(self, caller: Caller, receipt: Receipt) -> dict[str, str]:
        """Return pictureUrl and pictureNetUrl; both are always there."""
        url = self._ctx.url_of(receipt)
        net = ""
        if caller.codes.net_base and url:
            net = f"{caller.codes.net_base}{PAGE_PATH}{url.rpartition('/')[2]}"
        return {
            "pictureUrl": url if len(url) <= URL_MAX else "",
            "pictureNetUrl": net if len(net) <= URL_MAX else "",
        }

    def qr(self, receipt: Receipt) -> str:
        """Return the QR code: base64 of a PNG of one bit and at most 370 bytes.

        What the province wants it to say, when that is short enough; else the receipt's page,
        else its identifiers.
        """
        province = self._ctx.provinces[self._ctx.units[receipt.unit].province]
        told = receipt
        if province.red_sign == "positive":
            told = replace(receipt, amount_fen=abs(receipt.amount_fen))
        url = self._ctx.url_of(receipt)
        plain = ",".join((told.code, told.number, told.check_code, told.issued_on.replace("-", ""),
                          format_fen(told.amount_fen)))  # fmt: skip
        return base64.b64encode(small_png((qr_content(told, province, url), url, plain))).decode()

    # answers
    def issued(self, caller: Caller, receipt: Receipt, bus_no: str, bus_at: str) -> dict[str, Any]:
        """Return the answer of an issue method."""
        return {
            "billBatchCode": receipt.code,
            "billNo": receipt.number,
            "random": receipt.check_code,
            "createTime": moment(receipt.issued_at),
            "billQRCode": self.qr(receipt),
            **self.urls(caller, receipt),
            "billBusDate": bus_at or moment(receipt.issued_at),
            "busNo": bus_no,
        }

    def scarlet(self, caller: Caller, red: Receipt, bus_at: str, bus_no: str) -> dict[str, Any]:
        """Return the answer of a reversal."""
        return {
            "eScarletBillBatchCode": red.code,
            "eScarletBillNo": red.number,
            "eScarletRandom": red.check_code,
            "createTime": moment(red.issued_at),
            "billQRCode": self.qr(red),
            **self.urls(caller, red),
            "billBusDate": bus_at or moment(red.issued_at),
            "busNo": bus_no,
        }
