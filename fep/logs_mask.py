"""What never reaches a log: people and secrets (invariant I15).

Two nets. The first goes by the name of a value, the second by the look of any text: identity
numbers, mobile numbers, bank cards, long hexadecimal keys. What both let through has no line
ends, no terminal escapes and a bounded length. Pure; nothing is logged here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

HIDDEN = "[hidden]"
TEXT_MAX = 4000
ENTRIES_MAX = 100
DEPTH_MAX = 6

_PRIVATE = frozenset((
    "payer", "patient", "person", "idno", "idcard", "identity", "tel", "phone", "mobile", "email",
    "mail", "card", "account", "acct", "insurance", "birthday", "openid", "ext",
    "items", "details", "params", "original", "request", "cashier", "checker", "author",
    "key", "mac", "token", "passphrase", "password", "passwd", "secret", "noise", "sign",
    "appkey", "pin", "challenge", "credential",
))  # fmt: skip
# The last word says that the value only names such a thing: key_file, card_count, token_ok.
_ABOUT = frozenset(("file", "path", "count", "size", "ok", "ms", "s", "bytes", "state", "kind"))
# A name of ours has a digit or a dot and no blank (f1-0a1b2c3d-0001, crypto.sm2); a person's not.
_OUR_NAME = re.compile(r"(?=.*[0-9.])[A-Za-z0-9_./:-]{1,120}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_YEAR_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_LOOKS = (
    # An identity number holds a date of birth; a receipt's code and number (18 digits) do not.
    (re.compile(rf"(?<!\d)[1-9]\d{{5}}(?:1[89]|20)\d\d{_YEAR_DAY}\d{{3}}[0-9Xx](?!\d)"),
     "[id]"),
    (re.compile(rf"(?<!\d)[1-9]\d{{5}}\d\d{_YEAR_DAY}\d{{3}}(?!\d)"), "[id]"),
    (re.compile(r"(?<!\d)62\d{14}(?:\d{3})?(?!\d)"), "[card]"),
    (re.compile(r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)"),
     "[tel]"),
    (re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32,}(?![0-9A-Za-z])"), "[hex]"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)", re.S),
     "[key]"),
)  # fmt: skip


def masked(members: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Return a copy fit for a log."""
    return {
        clean(str(name), 80): HIDDEN if private(str(name), value) else plain(value, depth)
        for name, value in list(members.items())[:ENTRIES_MAX]
    }


def private(name: str, value: Any) -> bool:
    """Say whether the name of a value forbids to show it."""
    if value is None or isinstance(value, bool) or value == "":
        return False
    words = _HUMP.sub("_", name).lower().replace("-", "_").split("_")
    joined = {first + second for first, second in pairwise(words)}
    if words[-1] in _ABOUT:
        return False
    if (joined | set(words)) & _PRIVATE:
        return True
    return "name" in words and not (isinstance(value, str) and _OUR_NAME.fullmatch(value))


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value of plain types with every text netted and cleaned."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return clean(net(value))
    if depth >= DEPTH_MAX:
        return HIDDEN
    if isinstance(value, Mapping):
        return masked(value, depth + 1)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry, depth + 1) for entry in list(value)[:ENTRIES_MAX]]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    try:
        return clean(net(str(value)))
    except Exception:  # an object that cannot say what it is must not stop a log line
        return f"[{type(value).__name__}]"


def net(text: str) -> str:
    """Return the text with everything that looks like a person or a key taken out."""
    for look, mark in _LOOKS:
        text = look.sub(mark, text)
    return text


def clean(text: str, limit: int = TEXT_MAX, *, keep: str = "") -> str:
    """Return the text on one line: what does not print is written as an escape.

    `keep` names characters that stay, such as the line ends of a traceback.
    """
    if len(text) > limit:
        text = f"{text[: limit * 3 // 4]} … {text[-limit // 4 :]}"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode()
        for char in text
    )
