"""Builds the web door from settings; where it is off, nothing of it is loaded or made.

Rule: pages are a convenience. A door that cannot be opened is logged, and the node issues on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from fep.domain.faults import Refused, refuse
from fep.ports import Clock, Entropy
from fep.services.desk_context import DeskContext
from fep.services.issue import Issue
from fep.services.web_token import SECRET_FILE, Tokens, UrlOf, no_url, secret_of, url_of
from fep.settings import Settings
from fep.store.writer import Store

if TYPE_CHECKING:
    from fep.services.web import Web


def tokens_of(settings: Settings, entropy: Entropy, log: Any) -> Tokens | None:
    """Return the maker of page tokens, None while [web] is empty or its secret is not usable."""
    if not settings.web.listen and not settings.web.base:
        return None
    try:
        return Tokens(secret_of(settings.node.data, entropy))
    except Refused as error:
        log.error("web.secret", fault=error.code, why=error.zh)
        return None


def addresses(settings: Settings, tokens: Tokens | None) -> UrlOf:
    """Return the function that tells the address of a receipt's page."""
    if tokens is None or not settings.web.base:
        return no_url
    return url_of(settings.web.base, tokens)


def make_web(
    reactor: Any,
    clock: Clock,
    settings: Settings,
    tokens: Tokens | None,
    desk: DeskContext,
    unable: Callable[[], list[str]],
    log: Any,
) -> Web | None:
    """Return the web door, None when it is off."""
    if tokens is None or not settings.web.listen:
        return None
    # twisted.web is only loaded where it is used.
    from fep.services.web import Web
    from fep.services.web_page import Shop

    return Web(reactor, clock, settings.web, desk, Shop(settings, tokens), unable, log)


def web_faults(settings: Settings, web: Web | None) -> list[Refused]:
    """Return why a page door that is configured is not open."""
    if web is not None:
        return web.faults
    if not settings.web.listen:
        return []
    return [refuse("WEB_SECRET", path=settings.node.data / SECRET_FILE, why="web.secret")]


def unable_to_issue(
    issue: Issue, store: Store, signers: Iterable[Callable[[], Refused | None]]
) -> list[str]:
    """Return the fault codes that keep every new receipt from being issued now."""
    found = []
    if store.dead:
        found.append("STORE_DEAD")
    if issue.stopping:
        found.append("STOPPING")
    if issue.fenced or store.fenced:
        found.append("FENCED")
    if issue.held is not None:
        found.append(issue.held.code)
    faults = [fault() for fault in signers]
    if faults and all(fault is not None for fault in faults):
        found += sorted({fault.code for fault in faults if fault is not None})
    return found
