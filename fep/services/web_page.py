"""What a web page shows of a receipt, read from the store for one token.

Rules: a token is proved before anything of the receipt is looked at; only sealed receipts are
shown; what is shown comes from the signed document. A document beyond BIG_BYTES leaves its
detail list to the PDF. Never logs a token, never journals: looking is free for the holder.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from fep.domain.life import Life
from fep.domain.receipt import Receipt, ReceiptState
from fep.render import page, qr
from fep.render.h5 import H5View, Related
from fep.render.h5 import page as h5_page
from fep.render.page_view import PageView, page_data
from fep.services.desk_render import page_of_q
from fep.services.web_token import Tokens, url_of
from fep.settings import Settings, template_dir
from fep.store.life import Standing, standing_q
from fep.store.receipts import by_id_q, original_q

TEMPLATES = "templates"
BIG_BYTES = 256 * 1024
ROOM = 1000  # a phone scrolls: the page shows all items, a sheet of paper only some
RENDER_S = 10.0
PNG_PPI = 160
_LIST, _ROW = b"<AuxDetails>", b"<AuxItem>"
_NO_LIST = b"<AuxDetails></AuxDetails></EInvoiceData>"


class Shop:
    """Finds receipts by token and turns them into HTML, PDF or PNG. Runs in any thread."""

    def __init__(self, settings: Settings, tokens: Tokens) -> None:
        self._settings = settings
        self._tokens = tokens

    def html_q(self, conn: Connection, token: str, language: str) -> str | None:
        """Return the page, None when the token is nobody's."""
        found = self._standing(conn, token)
        if found is None:
            return None
        original, unlisted = _bounded(original_q(conn, found.receipt.id))
        view = self._view(conn, found, original, room=ROOM)
        drawing = qr.svg(view.face.qr) if view.face.qr else ""
        shown = H5View(
            data=page_data(view, ""), token=token, state=state_of(found, view),
            delivery="" if view.specimen else delivery_of(found),
            related=self._related(found), unlisted=unlisted,
        )  # fmt: skip
        return h5_page(shown, drawing, language)

    def view_q(self, conn: Connection, token: str, form: str) -> tuple[str, PageView] | None:
        """Return (code-number, page) for a file; the PDF alone has room for the detail list."""
        found = self._standing(conn, token)
        if found is None:
            return None
        view = self._view(conn, found, original_q(conn, found.receipt.id))
        return found.receipt.ref, view if form == "pdf" else replace(view, details=())

    def render(self, view: PageView, form: str) -> bytes:
        """Return the file; in a process of its own. Raises Refused RND_*."""
        templates = layout_room(self._settings, view.layout)
        with page.PageProcess() as process:
            return process.render(
                msgspec.to_builtins(view), form, templates, ppi=PNG_PPI, timeout_s=RENDER_S
            )[0]

    def _standing(self, conn: Connection, token: str) -> Standing | None:
        id_ = self._tokens.id_of(token)
        receipt = by_id_q(conn, id_) if id_ is not None else None
        if receipt is None or not self._tokens.fits(token, receipt):
            return None
        if receipt.state is not ReceiptState.SEALED:
            return None
        return standing_q(conn, receipt)

    def _view(self, conn: Connection, found: Standing, original: bytes, room: int = 0) -> PageView:
        base = self._settings.web.base
        url = url_of(base, self._tokens)(found.receipt) if base else ""
        return page_of_q(conn, found, original, self._settings, url=url, room=room)

    def _related(self, found: Standing) -> Related | None:
        other = found.red if found.red is not None else found.blue
        if other is None:
            return None
        return Related(other.ref, self._tokens.of(other) if _shown(other) else "")


def layout_room(settings: Settings, layout: str) -> Path:
    """Return the directory of a layout: the site's own before the one that ships."""
    own = settings.root / TEMPLATES
    return own if (own / f"{layout}.typ").is_file() else template_dir() / TEMPLATES


def state_of(found: Standing, view: PageView) -> str:
    """Return the caption of what the receipt is worth now."""
    if view.specimen:
        return "specimen"
    if found.life in (Life.REVERSED, Life.REVERSING):
        return found.life.value
    return "red" if view.red else "valid"


def delivery_of(found: Standing) -> str:
    """Return the caption of where the platform stands; a refusal is ours to put right."""
    if found.supervised_at:
        return "supervised"
    return "applied" if found.delivery == "applied" else "pending"


def _shown(receipt: Receipt) -> bool:
    return receipt.state is ReceiptState.SEALED


def _bounded(original: bytes) -> tuple[bytes, int]:
    """Return a document small enough to be read here, and how many detail lines it lost."""
    if len(original) <= BIG_BYTES:
        return original, 0
    head, _, tail = original.partition(_LIST)
    return head + _NO_LIST, tail.count(_ROW)
