"""JSON without surprises: a duplicate member is an error, too deep a nesting is one too.

The cheap proof that nothing is duplicated: no backslash in the text and as many quotes in
it as in the decoded value encoded again. Otherwise a slow parser looks at every object.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from fep.domain.faults import refuse

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def loads(text: bytes) -> Any:
    """Return the value of a UTF-8 JSON text.

    Raises Refused REQ_PARSE, REQ_DUPLICATE_KEY.
    """
    try:
        value = _decode(text)
        plain = b"\\" not in text and text.count(b'"') == _encode(value).count(b'"')
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refuse("REQ_PARSE", why=str(error)[:120]) from error
    return value if plain else _careful(text)


def _careful(text: bytes) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise refuse("REQ_PARSE", why=str(error)[:120]) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise refuse("REQ_DUPLICATE_KEY", field=name[:40])
        found[name] = value
    return found


def _constant(name: str) -> Any:
    raise ValueError(name)
