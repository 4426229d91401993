"""The receipt page of a phone: title, state, facts, items, total, more, QR, downloads.

Owns what stands where. Rules: every text goes through `fill` and is escaped there; no script,
nothing fetched from another place; what the receipt says is shown as signed, captions in the
reader's language; the payer's identity number is masked before it comes here. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fep.render.h5_markup import Markup, fill, joined
from fep.render.h5_style import STYLE
from fep.render.h5_words import other_language, words

_PAGE = """<!doctype html>
<html lang="{html_lang}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex,nofollow,noarchive">
<meta name="format-detection" content="telephone=no"><meta name="referrer" content="no-referrer">
<title>{title}</title><style>{style}</style></head><body><main>{body}</main></body></html>
"""
_HEAD = """<header><div class="top"><p class="issuer">{unit}</p>
<a class="toggle" href="?lang={to}" hreflang="{to}">{toggle}</a></div>
<h1>{title}</h1><div class="marks">{marks}</div>{hints}</header>"""
_MARK = '<span class="mark {tone}">{text}</span>'
_HINT = '<p class="hint">{text}</p>'
_RELATED = '<p class="hint">{caption} <a class="mono" href="{href}">{name}</a></p>'
_RELATED_PLAIN = '<p class="hint">{caption} <span class="mono">{name}</span></p>'
_PAIR = '<div><dt>{caption}</dt><dd class="mono">{value}</dd></div>'
_SECTION = "<h2>{caption}</h2><dl>{pairs}</dl>"
_ITEMS = """<h2>{items}</h2><table><thead><tr><th>{item}</th><th class="num">{count}</th>
<th class="num">{amount}</th></tr></thead><tbody>{rows}</tbody></table>"""
_ROW = '<tr><td>{name}{more}</td><td class="num">{count}</td><td class="num">{amount}</td></tr>'
_SMALL = '<span class="small">{text}</span>'
_TOTAL = """<div class="total"><p><span>{total}（{figures}）</span><b>￥{sum}</b></p>
<p><span>{words}</span><span>{in_words}</span></p></div>"""
_DETAILS = """<details><summary>{details}（{size} {lines}）</summary><table><thead><tr>
<th>{detail_name}</th><th class="num">{count}</th><th class="num">{amount}</th></tr></thead>
<tbody>{rows}</tbody></table></details>"""
_QR = '<div class="qr">{drawing}<p>{verify}</p>{site}{hint}</div>'
_LINE = "<p>{text}</p>"
_BUTTONS = """<div class="buttons"><a href="{token}.pdf">{pdf}</a>
<a href="{token}.png">{png}</a></div>"""
_NOTICE = '<div class="notice"><h1>{what}</h1><p>{hint}</p></div>'
_SPECIMEN = """<svg class="sheet" aria-hidden="true"><defs><pattern id="mark" width="340"
height="260" patternUnits="userSpaceOnUse"><text x="170" y="150" text-anchor="middle"
transform="rotate(-24 170 130)">样票</text></pattern></defs>
<rect width="100%" height="100%" fill="url(#mark)"/></svg>"""


@dataclass(frozen=True, slots=True)
class Related:
    """The red receipt of a blue one, or the other way round; `token` leads to its page."""

    name: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class H5View:
    """A receipt page. `data` is `page_view.page_data`; `state` and `delivery` are captions.

    `state`: valid, reversed, reversing, red, specimen. `delivery`: pending, applied,
    supervised or empty. `unlisted` counts detail lines that only the PDF has room for.
    """

    data: Mapping[str, Any]
    token: str
    state: str
    delivery: str = ""
    related: Related | None = None
    unlisted: int = 0


def page(view: H5View, drawing: str, language: str = "zh") -> str:
    """Return the whole page; `drawing` is the SVG of the QR code, ours, or empty."""
    say = words(language)
    parts = [
        _head(view, say, language),
        _facts(view, say),
        _items(view.data["items"], say),
        _total(view, say),
        _section(say["other"], view.data["other"]),
        _section(say["channels"], [(name, f"￥{sum_}") for name, sum_ in view.data["channels"]]),
        _section(say["unit"], _foot(view, say)),
        _details(view, say),
        _code(view, drawing, say),
        fill(_BUTTONS, token=view.token, pdf=say["pdf"], png=say["png"]),
        _specimen(view),
    ]
    return _whole(say, view.data["title"], joined(parts))


def notice(name: str, language: str = "zh") -> str:
    """Return a page that says why there is no receipt to show; `name` is of h5_words."""
    say = words(language)
    return _whole(say, say["title"], fill(_NOTICE, what=say[name], hint=say[f"{name}_hint"]))


def _whole(say: Mapping[str, str], title: str, body: Markup) -> str:
    return fill(
        _PAGE, html_lang=say["html_lang"], title=title, style=Markup(STYLE), body=body
    )  # fmt: skip


def _head(view: H5View, say: Mapping[str, str], language: str) -> Markup:
    marks = [_mark(say[view.state], "good" if view.state == "valid" else "bad")]
    if view.delivery:
        marks.append(_mark(say[view.delivery], "wait" if view.delivery == "pending" else "good"))
    hints = []
    if view.related is not None:
        caption = say["related_blue" if view.state == "red" else "related_red"]
        hints.append(_related(caption, view.related, language))
    hints += [
        fill(_HINT, text=say[f"{name}_hint"])
        for name in (view.state, view.delivery)
        if name in ("specimen", "pending")
    ]
    return fill(
        _HEAD, unit=view.data["unit"], to=other_language(language), toggle=say["toggle"],
        title=view.data["title"], marks=joined(marks), hints=joined(hints),
    )  # fmt: skip


def _mark(text: str, tone: str) -> Markup:
    return fill(_MARK, text=text, tone=tone)


def _related(caption: str, related: Related, language: str) -> Markup:
    if not related.token:
        return fill(_RELATED_PLAIN, caption=caption, name=related.name)
    href = f"{related.token}?lang={language}"
    return fill(_RELATED, caption=caption, name=related.name, href=href)


def _facts(view: H5View, say: Mapping[str, str]) -> Markup:
    names = ("code", "number", "check_code", "issued_on", "payer", "payer_code", "pay_code")
    return fill(
        "<dl>{pairs}</dl>",
        pairs=_pairs((say[name], view.data[name]) for name in names),
    )


def _foot(view: H5View, say: Mapping[str, str]) -> list[tuple[str, str]]:
    data = view.data
    found = [(say["unit"], data["receiver"]["name"] or data["unit"])]
    found += [(say[name], data[name]) for name in ("checker", "cashier", "remark")]
    return found


def _pairs(pairs: Iterable[tuple[str, str]]) -> Markup:
    return joined(fill(_PAIR, caption=name, value=value) for name, value in pairs if value)


def _section(caption: str, pairs: Iterable[tuple[str, str]]) -> Markup:
    shown = _pairs((name, value) for name, value in pairs)
    return fill(_SECTION, caption=caption, pairs=shown) if shown else Markup("")


def _items(items: Iterable[Mapping[str, str]], say: Mapping[str, str]) -> Markup:
    rows = (
        fill(_ROW, name=item["name"], more=_small(item["remark"]), count=item["count"],
             amount=item["amount"])
        for item in items
    )  # fmt: skip
    return fill(
        _ITEMS, items=say["items"], item=say["item"], count=say["count"], amount=say["amount"],
        rows=joined(rows),
    )  # fmt: skip


def _small(text: str) -> Markup:
    return fill(_SMALL, text=text) if text else Markup("")


def _total(view: H5View, say: Mapping[str, str]) -> Markup:
    return fill(
        _TOTAL, total=say["total"], figures=say["figures"], words=say["words"],
        sum=view.data["total"], in_words=view.data["words"],
    )  # fmt: skip


def _details(view: H5View, say: Mapping[str, str]) -> Markup:
    if view.unlisted:
        return fill(_HINT, text=say["more"].replace("{count}", str(view.unlisted)))
    rows = view.data["details"]
    if not rows:
        return Markup("")
    return fill(
        _DETAILS, details=say["details"], size=len(rows), lines=say["lines"],
        detail_name=say["detail_name"], count=say["count"], amount=say["amount"],
        rows=joined(_detail(row, say) for row in rows),
    )  # fmt: skip


def _detail(row: Mapping[str, str], say: Mapping[str, str]) -> Markup:
    price = f"{say['price']} {row['standard']}" if row["standard"] else ""
    more = " · ".join(text for text in (row["item"], price, row["remark"]) if text)
    count = "/".join(text for text in (row["quantity"], row["unit"]) if text)
    return fill(_ROW, name=row["name"], more=_small(more), count=count, amount=row["amount"])


def _code(view: H5View, drawing: str, say: Mapping[str, str]) -> Markup:
    if not drawing:
        return Markup("")
    url, hint = view.data["verify_url"], view.data["hint"]
    site = fill(_LINE, text=f"{say['site']} {url}") if url else Markup("")
    return fill(
        _QR, drawing=Markup(drawing), verify=say["verify"], site=site,
        hint=fill(_LINE, text=hint) if hint else Markup(""),
    )  # fmt: skip


def _specimen(view: H5View) -> Markup:
    """Return 样票 across the whole page, however long it is; it is never translated."""
    return fill(_SPECIMEN) if view.data["specimen"] else Markup("")
