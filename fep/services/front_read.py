"""What the front makes of a request's path, headers and body before a door sees them. Pure.

Rules: a path is decoded once and then plain, or refused: no dots, no empty segments, no hidden
slash, no control characters. A coded body unpacks to the bound and no further. A content
coding that is none (HIS clients send `Content-Encoding: UTF-8`) is no coding.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

PATH_BYTES_MAX = 2048
QUERY_FIELDS_MAX = 64


class BadPath(ValueError):
    """A path that nobody with honest wishes sends."""


class TooBig(ValueError):
    """A body that unpacks to more than its bound."""


class BadCoding(ValueError):
    """A body that is not in the coding it claims."""


def target(uri: bytes) -> tuple[str, dict[str, str]]:
    """Return path and query of a request target. Raises BadPath."""
    if len(uri) > PATH_BYTES_MAX or not uri.isascii():
        raise BadPath("length or bytes")
    text = uri.decode("ascii")
    if not text.startswith("/"):  # the absolute form, as a client behind a proxy sends it
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise BadPath("target") from error
        if parts.scheme not in ("http", "https") or not parts.path.startswith("/"):
            raise BadPath("target")
        text = parts.path + (f"?{parts.query}" if parts.query else "")
    path, _, query = text.partition("?")
    return _plain(path), _fields(query)


def _plain(path: str) -> str:
    if "%2f" in path.lower() or "%5c" in path.lower():
        raise BadPath("a hidden slash")
    try:
        plain = unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPath("not UTF-8") from error
    if not plain.isprintable() or "\\" in plain or "%" in plain:
        raise BadPath("characters")
    segments = plain.split("/")[1:]
    if any(segment.strip() in (".", "..") for segment in segments):
        raise BadPath("dots")
    if "" in segments[:-1]:
        raise BadPath("an empty segment")
    return plain


def _fields(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX))
    except ValueError as error:
        raise BadPath("query") from error


def headers_of(raw: Iterable[tuple[bytes, Sequence[bytes]]]) -> dict[str, str]:
    """Return headers by name in lower case; what came more than once is joined by commas."""
    return {
        name.decode("latin-1").lower(): ", ".join(value.decode("latin-1") for value in values)
        for name, values in raw
    }


def unpacked(body: bytes, coding: str, limit: int) -> bytes:
    """Return the body without its content coding. Raises TooBig, BadCoding."""
    coding = coding.strip().lower()
    if coding in ("gzip", "x-gzip"):
        return _inflated(body, (zlib.MAX_WBITS | 16,), limit)
    if coding == "deflate":
        return _inflated(body, (zlib.MAX_WBITS, -zlib.MAX_WBITS), limit)
    return body


def _inflated(body: bytes, windows: tuple[int, ...], limit: int) -> bytes:
    for window in windows:
        unpack = zlib.decompressobj(window)
        try:
            plain = unpack.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(plain) > limit:
            raise TooBig(f"more than {limit} bytes")
        if not unpack.eof:
            raise BadCoding("cut short")
        return plain
    raise BadCoding("not in the coding it claims")


def peer_of(peer: str, headers: Mapping[str, str], proxies: frozenset[str]) -> str:
    """Return the caller's address: that of the connection, or what our own proxies tell."""
    if peer not in proxies:
        return peer
    hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    for hop in reversed(hops):
        if hop not in proxies:
            return hop[:64]
    return peer


def is_tls(peer: str, secure: bool, headers: Mapping[str, str], proxies: frozenset[str]) -> bool:
    """Say whether the caller's side of the way is encrypted, as far as we can know."""
    return secure or (peer in proxies and headers.get("x-forwarded-proto", "") == "https")
