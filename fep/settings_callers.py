"""callers/*.toml: business systems that the command line made, one file each.

Rules: a file says the same as a [[callers]] of fep.toml; the two never name the same caller.
What a caller may do is checked here wherever it is written; its key is only looked at, never
told. Nothing is written here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fep.settings_toml import Source, Trail

if TYPE_CHECKING:
    from fep.settings_types import CallerSettings

ROOM = "callers"
SEALED = b"fep-sealed-1 "
"""How a key file begins that fepctl has encrypted."""


def everyone(
    source: Source,
    callers: Iterable[CallerSettings],
    files: Iterable[tuple[Source, CallerSettings]],
) -> Iterator[tuple[Source, Trail, CallerSettings]]:
    """Yield every caller with the place where it is written."""
    for place, caller in enumerate(callers):
        yield source, ("callers", place), caller
    for own, caller in files:
        yield own, (), caller


def check_caller(source: Source, trail: Trail, caller: CallerSettings) -> None:
    """Note what is wrong with addresses and with the way to the old front-end."""
    for place, text in enumerate(caller.addresses):
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            source.wrong((*trail, "addresses", place), f"不是 IP 地址或网段：{text}",
                         f"neither an address nor a network: {text}", "10.1.0.0/16")  # fmt: skip
    if caller.upstream and not is_base(caller.upstream):
        source.wrong((*trail, "upstream"), "应为 http:// 或 https:// 开头的网址，只到端口为止",
                     "must be http:// or https:// with host and port only",
                     "http://10.0.0.9:7001")  # fmt: skip
    if caller.upstream_appid and not caller.upstream:
        source.wrong((*trail, "upstream_appid"), "没有 upstream，此项无用",
                     "is of no use without upstream", weak=True)  # fmt: skip


def is_base(text: str) -> bool:
    """Say whether a text is the address of a server, without path, user or query."""
    try:
        url = urlsplit(text)
        named = bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return (
        url.scheme in ("http", "https") and named and url.path in ("", "/")
        and not (url.query or url.fragment or "@" in url.netloc) and text.isascii()
    )  # fmt: skip


def belongs(file: str, key: str) -> bool:
    """Say whether a problem is one of callers."""
    return key.startswith("callers") or file.replace("\\", "/").split("/")[-2:-1] == [ROOM]
