"""The page of a receipt for page printers: read from the signed document, drawn by a process
of its own, one at a time for each device's loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
from sqlalchemy import Connection
from twisted.internet.threads import deferToThread

from fep.domain.faults import refuse
from fep.domain.printing import Page
from fep.domain.receipt import ReceiptState
from fep.render import page
from fep.render.page_view import PageView
from fep.services.desk_context import DeskContext
from fep.services.desk_render import page_of_q
from fep.services.web_page import layout_room
from fep.store.life import standing_q
from fep.store.receipts import by_id_q, original_q

RENDER_S = 20.0


class PagePress:
    """Called with receipt id and copy, answers the page as PDF. Raises Refused RND_*."""

    def __init__(self, desk: Callable[[], DeskContext]) -> None:
        self._desk = desk

    async def __call__(self, receipt_id: int, copy: int) -> Page:
        """Return the page."""
        desk = self._desk()
        name, view = await desk.read(_page_q, desk, receipt_id, copy)
        return Page(await deferToThread(_drawn, desk, view), name)


def _page_q(
    conn: Connection, desk: DeskContext, receipt_id: int, copy: int
) -> tuple[str, PageView]:
    receipt = by_id_q(conn, receipt_id)
    if receipt is None or receipt.state is not ReceiptState.SEALED:
        raise refuse("RCP_UNKNOWN")
    original = original_q(conn, receipt_id)
    view = page_of_q(
        conn, standing_q(conn, receipt), original, desk.settings, url=desk.url_of(receipt)
    )
    return receipt.ref, replace(view, face=replace(view.face, copy=copy), details=())


def _drawn(desk: DeskContext, view: PageView) -> bytes:
    assert desk.settings is not None
    with page.PageProcess() as process:
        told = msgspec.to_builtins(view)
        room = layout_room(desk.settings, view.layout)
        return process.render(told, "pdf", room, timeout_s=RENDER_S)[0]
