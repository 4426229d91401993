"""Text from outside, before it is signed or printed.

TAB, CR and LF become a space; any other control byte is refused with the field's name,
because an injected printer command must never reach paper. Nothing else is altered.
"""

from __future__ import annotations

import re

# C0, DEL, C1, the two noncharacters XML forbids, surrogates, line and paragraph separators
# and the bidirectional overrides that could make a face read otherwise than it is signed.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_BLANKS = str.maketrans("\t\r\n", "   ")


class ForbiddenText(ValueError):
    """The text holds a control character; the argument is its code point."""


def clean(value: str) -> str:
    """Return `value` with TAB, CR and LF as spaces. Raises ForbiddenText."""
    if value.isprintable():
        return value
    found = _FORBIDDEN.search(value)
    if found is not None:
        raise ForbiddenText(f"U+{ord(found.group()):04X}")
    return value.translate(_BLANKS)


def mask(value: str) -> str:
    """Return an identity number with its private digits as asterisks.

    Long numbers keep six and four digits as the official samples do; short ones one each.
    """
    if len(value) >= 15:
        return value[:6] + "*" * (len(value) - 10) + value[-4:]
    if len(value) > 2:
        return value[0] + "*" * (len(value) - 2) + value[-1]
    return "*" * len(value)


def mask_name(value: str) -> str:
    """Return a person's name with all but the first character hidden."""
    return value[:1] + "*" * max(len(value) - 1, 0)
