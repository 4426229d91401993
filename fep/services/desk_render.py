"""Desk method `receipts.page`: the facts of a receipt page, read from the signed document.

Rules: no page of a receipt that is not signed; what is drawn is drawn by the caller's own
page process, never by the daemon; the payer's name is on the page, so the daemon journals
who took it, as it does for an export.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection

from fep.domain.faults import refuse
from fep.domain.faults_desk import desk_refuse
from fep.domain.life import Life
from fep.domain.money import parse_fen
from fep.domain.receipt import Receipt, ReceiptState
from fep.render import page_document
from fep.render.page_view import SIZES, PageView
from fep.services.desk_context import DeskContext, Method, Params
from fep.services.desk_receipts import named
from fep.services.face import CHANNEL_NAMES
from fep.store.life import Standing, standing_q
from fep.store.receipts import by_number_q, event_by_id_q, original_q

APPLIED = "applied"


class PageParams(Params):
    """receipts.page: `copy` above 1 marks a reprint; `details` adds the detail list.

    `paper` is a5 or a4, empty for that of the province.
    """

    name: str
    copy: int = 1
    details: bool = False
    paper: str = ""


async def receipt_page(ctx: DeskContext, asked: PageParams) -> dict[str, Any]:
    """Return the facts of a receipt's page; the daemon journals who took them."""
    code, number = named(asked.name)
    if ctx.settings is None:
        raise desk_refuse("CTL_ABSENT", what="units, kinds, provinces")
    view = await ctx.read(_page_q, code, number, ctx, asked)
    if ctx.store is not None:
        await ctx.store.do("receipt.rendered", _rendered_txn, asked.name, ctx.peer)
    return {"name": asked.name, "view": msgspec.to_builtins(view)}


def _rendered_txn(tx: Any, name: str, peer: str) -> None:
    tx.journal("receipt.rendered", name, {"who": peer})


def _page_q(
    conn: Connection, code: str, number: str, ctx: DeskContext, asked: PageParams
) -> PageView:
    receipt = by_number_q(conn, code, number)
    if receipt is None:
        raise refuse("RCP_UNKNOWN")
    if receipt.state is not ReceiptState.SEALED:
        raise desk_refuse("RCP_UNSIGNED", name=receipt.ref)
    original = original_q(conn, receipt.id)
    standing = standing_q(conn, receipt)
    view = page_of_q(conn, standing, original, ctx.settings, url=ctx.url_of(receipt))
    return replace(
        view,
        face=replace(view.face, copy=max(asked.copy, 1)),
        details=view.details if asked.details else (),
        size=asked.paper if asked.paper in SIZES else view.size,
    )


def page_of_q(
    conn: Connection, standing: Standing, original: bytes, settings: Any, *, url: str = "",
    room: int = 0,
) -> PageView:  # fmt: skip
    """Return the page of a sealed receipt; `room` is how many items it shows (0: its kind's)."""
    receipt = standing.receipt
    unit = settings.units.get(receipt.unit)
    province = settings.provinces.get(unit.province) if unit else None
    kind = settings.kinds.get(receipt.kind)
    if kind is not None and room:
        kind = replace(kind, item_limit=room)
    view = page_document.read(original, kind, province, url)
    specimen = bool(unit and unit.test)
    face = replace(
        view.face,
        channels=_channels_q(conn, receipt),
        specimen=specimen,
        offline=not (specimen or standing.supervised_at or standing.delivery == APPLIED),
    )
    return replace(
        view,
        face=face,
        red=view.red or receipt.amount_fen < 0,
        paper=standing.sheet,
        notes=_notes(standing),
        specimen=specimen,
        supervised=bool(standing.supervised_at),
        issued_ms=receipt.issued_at,
    )


def _notes(standing: Standing) -> tuple[str, ...]:
    """Say what became of a blue receipt."""
    if standing.life is Life.REVERSED and standing.red is not None:
        return (f"已冲红 {standing.red.ref}",)
    return ("正在冲红",) if standing.life is Life.REVERSING else ()


def _channels_q(conn: Connection, receipt: Receipt) -> tuple[tuple[str, int], ...]:
    """Return the ways of paying: they are not in the document, only in the event."""
    row = event_by_id_q(conn, receipt.event_id)
    if row is None:
        return ()
    told = msgspec.json.decode(row.params).get("channels") or []
    return tuple(
        (CHANNEL_NAMES.get(entry["code"], entry["code"]), parse_fen(entry["amount"]))
        for entry in told
    )


METHODS: dict[str, Method] = {"receipts.page": Method("admin", PageParams, receipt_page)}
