"""[http] and [tls] of fep.toml: the HTTP doors of business systems, and the site's certificate.

Rules: nothing listens until somebody says where; an `ssl:` endpoint needs [tls]; every bound of
the front has its key here. Nothing is read here.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from fep.settings_places import parse_endpoint
from fep.settings_toml import Source, Trail

Size = Annotated[int, Meta(ge=65_536, le=4_294_967_296)]
Seconds = Annotated[float, Meta(ge=1, le=600)]


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[http]: off while `listen` is empty."""

    listen: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    max_connections: Annotated[int, Meta(ge=1, le=10_000)] = 256
    max_calls: Annotated[int, Meta(ge=1, le=10_000)] = 256
    max_body_bytes: Size = 16_777_216
    max_held_bytes: Size = 67_108_864
    request_s: Seconds = 30.0
    idle_s: Seconds = 60.0


class TlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[tls]: PEM files for every `ssl:` endpoint of [api] and [http]."""

    cert: Path = Path("keys/tls.crt")
    key: Path = Path("keys/tls.key")


def is_tls(endpoint: str) -> bool:
    """Say whether an endpoint string speaks TLS."""
    return endpoint.startswith("ssl:")


def check_http(source: Source, http: HttpSettings, api: tuple[str, ...]) -> None:
    """Note what is wrong in [http]; `api` are the endpoints of [api]."""
    taken = set(api)
    for place, text in enumerate(http.listen):
        trail: Trail = ("http", "listen", place)
        try:
            parse_endpoint(text)
        except ValueError as error:
            source.wrong(trail, f"监听地址写法不对：{error}", f"not an endpoint: {error}",
                         "tcp:17001")  # fmt: skip
        if text in taken:
            source.wrong(trail, "与另一监听地址重复", "listens where another entry already does")
        taken.add(text)
    for place, text in enumerate(http.proxies):
        if not _is_address(text):
            source.wrong(("http", "proxies", place), f"不是 IP 地址：{text}",
                         f"not an IP address: {text}", "10.0.0.5")  # fmt: skip
    if http.max_held_bytes < http.max_body_bytes:
        source.wrong(("http", "max_held_bytes"), "小于一个请求的上限 max_body_bytes",
                     "is less than max_body_bytes, one request",
                     str(http.max_body_bytes))  # fmt: skip


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
