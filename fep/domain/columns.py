"""Column arithmetic of receipt paper.

One rule: printable ASCII is one column, everything else is two, because that is how the
printers' own fonts (GBK, GB18030) advance. Text is never shortened here, only broken.
No I/O here.
"""

from __future__ import annotations

import unicodedata

# Categories that move the cursor, hide or reorder text instead of showing something:
# controls, format characters (bidi overrides, zero width), surrogates, separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
MAX_TEXT = 20_000
# A line never begins with one of these, and never ends with one of those, where it can be helped.
_CLOSING = frozenset("，。、；：！？）》】」』〉”’％…·,.;:!?)]}>%")
_OPENING = frozenset("（《【「『〈“‘￥([{<")


def char_columns(char: str) -> int:
    """Return 1 for printable ASCII, else 2."""
    return 1 if " " <= char <= "~" else 2


def columns(text: str) -> int:
    """Return the width of `text` in ASCII columns."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(1 if " " <= char <= "~" else 2 for char in text)


def has_control(text: str) -> bool:
    """Say whether `text` holds a character that could command a device or hide."""
    if text.isprintable():
        return False
    return any(unicodedata.category(char) in _UNSEEN for char in text)


def clean(text: str) -> str:
    """Return one visible line: line breaks and tabs become spaces, other unseen are dropped."""
    spaced = "".join(" " if char in "\t\r\n\v\f\x85\u2028\u2029" else char for char in text)
    return "".join(char for char in spaced if unicodedata.category(char) not in _UNSEEN)


def wrap(text: str, width: int) -> tuple[str, ...]:
    """Break `text` into lines of at most `width` columns; at least one line comes back.

    A line never ends before its first character, be that wider than `width`. Words of ASCII and
    closing marks are kept together where that costs at most a third of the line.
    """
    assert width >= 1, width
    if columns(text) <= width:
        return (text,)
    lines: list[str] = []
    line: list[str] = []
    used = 0
    for char in text[:MAX_TEXT]:
        wide = char_columns(char)
        if line and used + wide > width:
            keep = _part(line, char, width)
            lines.append("".join(line[:keep]))
            line = line[keep:]
            used = columns("".join(line))
        line.append(char)
        used += wide
    lines.append("".join(line))
    return tuple(lines)


def _part(line: list[str], following: str, width: int) -> int:
    """Return how many characters of a full line stay on it."""
    keep, after, carried = len(line), following, 0
    while keep > 0 and carried <= width // 3:
        before = line[keep - 1]
        joined = after in _CLOSING or before in _OPENING or (_in_word(before) and _in_word(after))
        if not joined:
            return keep
        keep, after, carried = keep - 1, before, carried + char_columns(before)
    return len(line)


def _in_word(char: str) -> bool:
    return char.isascii() and char.isalnum()


def pad(text: str, width: int, align: str = "left") -> str:
    """Fill `text` with spaces to `width` columns; longer text comes back unchanged."""
    room = max(0, width - columns(text))
    if align == "right":
        return " " * room + text
    if align == "center":
        return " " * (room // 2) + text + " " * (room - room // 2)
    return text + " " * room
