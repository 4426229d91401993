"""Receipts of a former front-end answer for themselves: found through every door, changed by none.

Rules: an imported receipt is told with the state `imported`; the dialect's questions about one
are answered with what the file said, and with empty text where it said nothing; what would
change it is refused with a sentence that names the way, never as unknown.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from fep.domain.calendar import iso, local
from fep.domain.faults import refuse
from fep.domain.money import format_fen
from fep.domain.receipt import einvoice_id
from fep.services.callers import Caller
from fep.services.his_context import Answered, HisContext
from fep.store import imports, receipts
from fep.store.imports import OldReceipt
from fep.store.writer import Store
from fep.wire.dialects import medical_methods as tables
from fep.wire.dialects.medical_envelope import OK
from fep.wire.dialects.medical_table import read

_CHANGES = ("writeOffEBill", "writeOffEBillToPaper", "turnPaper", "reTurnPaper", "getBillDetail",
            "sendBillNotice", "noticeEBill", "receiveArreasFeedBack")  # fmt: skip


class Imports:
    """The receipts that were taken in."""

    def __init__(self, store: Store, his: HisContext | None = None) -> None:
        """Take the store; with `his` a dialect may also reverse, where the province allows."""
        self._store = store
        self._his = his
        self._answers: Mapping[str, Callable[[OldReceipt], dict[str, Any]]] = {
            "getEBillByBusNo": _by_bus_no,
            "getEBillStatesByBillInfo": _states,
            "getEBillPicUrl": _urls,
            "getEBillNotifyPic": _notice_picture,
            "getEBillAccountStatus": lambda one: {"state": "0"},
            "getElectBilllListTotal": lambda one: {"total": 0},
        }

    # from the window
    def told(self, caller: Caller, *, code: str = "", number: str = "", unit: str = "",
             key: str = "") -> dict[str, Any] | None:  # fmt: skip
        """Return an imported receipt as the socket API tells it, None when there is none."""
        if code and number:
            found = self._store.read(imports.by_number_q, code, number)
        else:
            found = self._store.read(imports.by_key_q, unit, key)
        return as_told(found) if found is not None and caller.sees(found.unit) else None

    def found(self, caller: Caller, text: str, unit: str) -> list[dict[str, Any]]:
        """Return imported receipts of a number or key that a caller may see."""
        rows = self._store.read(imports.find_q, text, imports.FOUND_MAX)
        return [as_told(one) for one in rows if caller.sees(one.unit) and unit in ("", one.unit)]

    # from the dialects
    async def __call__(
        self, caller: Caller, method: str, params: Mapping[str, Any]
    ) -> Answered | None:
        """Answer a question of a dialect; None when the receipt is not an imported one.

        Raises Refused OLD_RECEIPT, LIFE_REVERSED.
        """
        given = {str(name).strip(): value for name, value in params.items()}
        found = self._named(caller, method, given)
        if found is None:
            return None
        answer = self._answers.get(method)
        if answer is not None:
            return Answered(OK, answer(found))
        if method.startswith("writeOff") and found.state == "reversed":
            raise refuse("LIFE_REVERSED", receipt=found.ref, red=_red(found))
        if method == "writeOffEBill" and self._his is not None:
            return Answered(OK, await self._write_off(self._his, caller, given, found))
        if method in _CHANGES:
            raise refuse("OLD_RECEIPT", receipt=found.ref)
        return None

    async def _write_off(
        self, his: HisContext, caller: Caller, given: Mapping[str, Any], one: OldReceipt
    ) -> dict[str, Any]:
        """Reverse an imported receipt. Raises what `receipt.reverse` raises."""
        # The words of the dialect draw QR codes: only loaded where it is spoken.
        from fep.services.medical_words import Words

        call = read(tables.WRITE_OFF, given)
        words, unit = Words(his), his.units.get(one.unit)
        if unit is None:
            raise refuse("OLD_RECEIPT", receipt=one.ref)
        done = await his.reversals.reverse(caller, {
            "unit": one.unit, "key": f"red-{one.ref}", "code": one.code, "number": one.number,
            "reason": call["reason"], "operator": call["operator"],
            "point": words.point(caller, call["placeCode"], unit),
            "occurred_at": call["busDateTime"],
        })  # fmt: skip
        told = done["receipt"]
        red = self._store.read(receipts.by_number_q, str(told["code"]), str(told["number"]))
        assert red is not None, told
        return words.scarlet(caller, red, call["busDateTime"], one.key)

    def _named(self, caller: Caller, method: str, given: Mapping[str, Any]) -> OldReceipt | None:
        if method == "getEBillByBusNo":
            key = str(given.get("busNo") or "").strip()
            units = [caller.codes.unit] if caller.codes.unit else sorted(caller.units - {"*"})
            for unit in units or self._store.read(imports.units_q):
                found = self._store.read(imports.by_key_q, unit, key)
                if found is not None and caller.sees(found.unit):
                    return found
            return None
        code, number = (str(given.get(n) or "").strip() for n in ("billBatchCode", "billNo"))
        check = str(given.get("random") or "").strip()
        found = self._store.read(imports.by_number_q, code, number)
        if found is None or not caller.sees(found.unit):
            return None
        return None if check and found.check_code and check != found.check_code else found


class FormerKeys:
    """Refuses to issue again what a former system issued; costs nothing while none was taken in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.any = bool(store.read(imports.imports_q))

    def __call__(self, unit: str, key: str) -> None:
        """Raise Refused OLD_KEY for the key of a live imported receipt that is none of ours."""
        if not self.any:
            return
        old = self._store.read(imports.by_key_q, unit, key)
        if old is None or old.state != "normal":
            return
        if self._store.read(receipts.event_q, unit, key) is None:
            raise refuse("OLD_KEY", key=key, receipt=old.ref)


def as_told(one: OldReceipt) -> dict[str, Any]:
    """Return the members of `receipt.get` for a receipt of a former front-end."""
    reversed_ = one.state == "reversed"
    told = {
        "code": one.code, "number": one.number, "check_code": one.check_code,
        "einvoice_id": einvoice_id(one.code, one.number), "unit": one.unit,
        "point": one.other("point"), "kind": one.other("kind"),
        "amount": format_fen(one.amount_fen), "issued_at": iso(one.issued_at),
        "state": "imported", "key": one.key, "payer": one.payer, "print_job": None,
        "life": "reversed" if reversed_ else "imported", "sheet": one.other("sheet") or None,
    }  # fmt: skip
    return {**told, "url": one.other("url")} if one.other("url") else told


def _moment(at_ms: int) -> str:
    return f"{local(at_ms):%Y%m%d%H%M%S}{at_ms % 1000:03d}"


def _red(one: OldReceipt) -> str:
    return "-".join(filter(None, (one.other("red_code"), one.other("red_number"))))


def _qr(one: OldReceipt) -> str:
    # zxing-cpp is only loaded where it is used.
    from fep.render.qr_small import small_png

    plain = ",".join((one.code, one.number, one.check_code, f"{local(one.issued_at):%Y%m%d}",
                      format_fen(one.amount_fen)))  # fmt: skip
    return base64.b64encode(small_png((one.other("net_url"), one.other("url"), plain))).decode()


def _urls(one: OldReceipt) -> dict[str, Any]:
    return {"pictureUrl": one.other("url"), "pictureNetUrl": one.other("net_url")}


def _scarlet(one: OldReceipt) -> dict[str, Any]:
    return {
        "isScarlet": "1" if one.state == "reversed" else "0",
        "scarletBillBatchCode": one.other("red_code"),
        "scarletBillNo": one.other("red_number"),
        "scarletRandom": one.other("red_check_code"),
        "scarletBillQRCode": "", "scarletCreateTime": "", "scarletBillBusDate": "",
    }  # fmt: skip


def _by_bus_no(one: OldReceipt) -> dict[str, Any]:
    at = _moment(one.issued_at)
    return {
        "billBatchCode": one.code, "billNo": one.number, "random": one.check_code,
        "createTime": at, "billQRCode": _qr(one), **_urls(one), "billBusDate": at,
        "busNo": one.key, **_scarlet(one), "scarletPictureUrl": "", "scarletPictureNetUrl": "",
    }  # fmt: skip


def _states(one: OldReceipt) -> dict[str, Any]:
    code, _, number = one.other("sheet").rpartition("-")
    return {
        "billName": one.other("kind"), "billBatchCode": one.code, "billNo": one.number,
        "random": one.check_code, "ivcDateTime": _moment(one.issued_at), "state": "1",
        "isPrtPaper": "1" if one.other("sheet") else "0", "pBillBatchCode": code,
        "pBillNo": number, "pCreateTime": "", "pBillBusDate": "", **_scarlet(one),
    }  # fmt: skip


def _notice_picture(one: OldReceipt) -> dict[str, Any]:
    return {"billBatchCode": one.code, "billNo": one.number, "random": one.check_code,
            "createTime": _moment(one.issued_at), "billQRCode": _qr(one),
            "pictureData": ""}  # fmt: skip
