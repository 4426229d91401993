"""The local print component of a cashier's PC: `/extend?dllName=…&func=…&payload=…`.

Pure. What programs there send (facts/his-api 3.10): base64 of `{method, params}`, not escaped in
the address, so that a plus comes as a blank. The component's own answers are bare codes.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

GOOD, NO_PARAMETER, NO_LIBRARY = "T2000", "2001", "2002"
NO_INIT_PARAMETER, NO_INNER_PARAMETER, FAILED = "T2001", "T2004", "T2005"
LIBRARY = "nontaxindustry"
FIELDS_MAX, METHOD_MAX = 20, 60
INIT = "initparams"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A business call; `envelope` is its signed envelope as JSON."""

    method: str
    envelope: bytes


def asked(sent: bytes) -> Wanted | str:
    """Return the business call in an address's query and a form, or the bare code of an answer."""
    try:
        pairs = parse_qsl(sent.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except (ValueError, UnicodeDecodeError):
        return NO_PARAMETER
    told = {name.lower(): value for name, value in pairs}
    if not (told.get("dllname") and told.get("func") and told.get("payload")):
        return NO_PARAMETER
    if told["dllname"].lower() != LIBRARY:
        return NO_LIBRARY
    payload = _object(told["payload"])
    method, params = payload.get("method"), payload.get("params")
    if not isinstance(method, str) or not isinstance(params, dict) or not _plain(method):
        return NO_INNER_PARAMETER
    if method.lower() == INIT:
        return _initialised(params)
    return Wanted(method, json.dumps(params, ensure_ascii=False).encode())


def _initialised(params: dict[str, Any]) -> str:
    """`InitParams` names a server and a key; ours are here, so that it has only to be whole."""
    data = params.get("data")
    inner = _object(data) if isinstance(data, str) else data
    told = inner if isinstance(inner, dict) and inner else params
    return GOOD if told.get("url") and told.get("appkey") else NO_INIT_PARAMETER


def _plain(method: str) -> bool:
    return 0 < len(method) <= METHOD_MAX and method.isascii() and method.isalnum()


def _object(text: str) -> dict[str, Any]:
    """Return the object in base64 of JSON, empty for anything else."""
    raw = "".join(text.replace(" ", "+").split())
    try:
        value = json.loads(base64.b64decode(raw + "=" * (-len(raw) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
