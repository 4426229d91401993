"""[web] of fep.toml: receipt pages and /healthz, and the address that is told to people.

Rules: nothing listens until somebody says where; an address of the local network never gets
into a QR code unless configuration says so in so many words; a whole page address fits into
URL_MAX characters, because business systems store it in short fields.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta

from fep.settings_places import parse_endpoint
from fep.settings_toml import Source

PAGE_PATH = "/r/"
TOKEN_CHARS = 16
URL_MAX = 60
PUBLIC_URL_MAX = URL_MAX - len(PAGE_PATH) - TOKEN_CHARS
_LOCAL_NAMES = (".local", ".lan", ".home", ".internal", ".intranet", ".localdomain", ".corp")


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[web]: off while `listen` is empty. Times in seconds."""

    listen: tuple[str, ...] = ()
    public_url: str = ""
    allow_lan_url: bool = False
    proxies: tuple[str, ...] = ()
    max_connections: Annotated[int, Meta(ge=1, le=10_000)] = 64
    max_wrong_per_minute: Annotated[int, Meta(ge=1, le=10_000)] = 10
    max_renders: Annotated[int, Meta(ge=1, le=8)] = 2
    request_s: Annotated[float, Meta(ge=1, le=120)] = 15.0

    @property
    def base(self) -> str:
        """Return the public address without a slash at its end, empty when there is none."""
        return self.public_url.rstrip("/")


def check_web(source: Source, web: WebSettings, templates: Iterable[tuple[Source, str]]) -> None:
    """Note what is wrong in [web]; `templates` are the QR templates of the provinces."""
    for place, text in enumerate(web.listen):
        try:
            parse_endpoint(text)
        except ValueError as error:
            source.wrong(("web", "listen", place), f"监听地址写法不对：{error}",
                         f"not an endpoint: {error}", "tcp:7580")  # fmt: skip
    for place, text in enumerate(web.proxies):
        if _address(text) is None:
            source.wrong(("web", "proxies", place), f"不是 IP 地址：{text}",
                         f"not an IP address: {text}", "10.0.0.5")  # fmt: skip
    if web.public_url:
        _public(source, web)
    for province, template in templates:
        if "{url}" in template and not web.public_url:
            province.wrong(("qr_template",), "使用了 {url}，但 [web] public_url 为空",
                           "uses {url}, but [web] public_url is empty",
                           'public_url = "https://…"')  # fmt: skip


def _public(source: Source, web: WebSettings) -> None:
    trail = ("web", "public_url")
    try:
        parts = urlsplit(web.public_url)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        source.wrong(trail, f"不是网址：{error}", f"not a URL: {error}", "https://p.example.org")
        return
    if not _plain(parts, web.public_url):
        source.wrong(
            trail,
            "应为 https://主机[/路径]，不带参数",
            "must be https://host[/path], without query",
            "https://p.example.org",
        )
        return
    if len(web.base) > PUBLIC_URL_MAX:
        source.wrong(trail,
                     f"网址过长：加上 {PAGE_PATH} 与 {TOKEN_CHARS} 位后不得超过 {URL_MAX} 字符",
                     f"too long: with {PAGE_PATH} and {TOKEN_CHARS} characters it may have"
                     f" {URL_MAX} at most", f"≤ {PUBLIC_URL_MAX}")  # fmt: skip
    if is_local(host) and not web.allow_lan_url:
        source.wrong(trail, "这是内网地址，患者扫码打不开",
                     "an address of the local network: a payer's phone cannot reach it",
                     "allow_lan_url = true")  # fmt: skip
    if parts.scheme == "http":
        source.wrong(trail, "未加密，票据内容会明文传输",
                     "not encrypted: receipts would travel in the clear", "https://…",
                     weak=True)  # fmt: skip
    if not web.listen:
        source.wrong(("web", "listen"), "给出了网址，但没有监听地址",
                     "an address is told, but nothing listens", '["tcp:7580"]',
                     weak=True)  # fmt: skip


def _plain(parts: SplitResult, text: str) -> bool:
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and text.isascii()
        and text.isprintable()
        and not any(char in text for char in " ?#@<>\"'\\%")
    )


def is_local(host: str) -> bool:
    """Say whether a host is only known in, or only reached from, the local network."""
    address = _address(host)
    if address is not None:
        return not address.is_global
    name = host.lower().rstrip(".")
    return "." not in name or name.endswith(_LOCAL_NAMES)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
