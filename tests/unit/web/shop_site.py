"""A desk site with a web shop on it: real store, real documents, a fixed secret."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from fep.services.web import Asked, Reply, Web
from fep.services.web_page import Shop
from fep.services.web_token import Tokens
from fep.settings_web import WebSettings
from tests.unit.desk.desk_site import DeskSite

BASE = "https://p.example.org"


class Heard:
    """A log that keeps what was said, facts included."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, _level: str) -> Any:
        return lambda name, **facts: self.said.append((name, facts))


class ShopSite(DeskSite):
    """Three receipts, and a web door that nobody listens at."""

    def __init__(self, path: Path, **web: Any) -> None:
        super().__init__(path)
        self.settings.web = WebSettings(listen=("tcp:0",), public_url=BASE, **web)
        self.tokens = Tokens(b"s" * 32)
        self.shop = Shop(self.settings, self.tokens)  # type: ignore[arg-type]  # the desk site has what is asked
        self.reasons: list[str] = []
        self.log = Heard()
        self.web = Web(
            Clock(), self.clock, self.settings.web, self.context, self.shop,
            lambda: self.reasons, self.log,
        )  # fmt: skip

    def token(self, place: int = 0) -> str:
        """Return the token of one of the receipts."""
        return self.tokens.of(self.receipts[place])

    def get(self, path: str, source: str = "10.0.0.1", **more: Any) -> Reply:
        """Ask for a path."""
        asked = Asked(path, source, **more)
        reply = self.room.done(Deferred.fromCoroutine(self.web.reply(asked)))
        assert isinstance(reply, Reply)
        return reply

    def page(self, place: int = 0, **more: Any) -> str:
        """Return the HTML of a receipt's page."""
        reply = self.get(f"/r/{self.token(place)}", **more)
        assert reply.status == 200
        return reply.body.decode()

    def make_tests(self) -> None:
        """Turn every unit into a test unit."""
        units = self.settings.units
        units.update({code: replace(unit, test=True) for code, unit in units.items()})
