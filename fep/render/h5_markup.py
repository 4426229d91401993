"""HTML by plain templates: `{name}` is filled in and escaped, unless it is Markup already.

Rules: text becomes Markup only through `fill`; a name that a template lacks or a value that is
missing is an error of ours, told at once. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

_PLACE = re.compile(r"\{([a-z_]+)\}")


class Markup(str):
    """HTML that may be put into HTML as it is."""

    __slots__ = ()


def fill(template: str, /, **values: object) -> Markup:
    """Return the template with its places filled. Raises KeyError for a missing value."""
    return Markup(_PLACE.sub(lambda place: shown(values[place.group(1)]), template))


def shown(value: object) -> str:
    """Return a value as HTML: escaped, in text and in quoted attributes alike."""
    return value if isinstance(value, Markup) else escape(str(value), quote=True)


def joined(parts: Iterable[Markup]) -> Markup:
    """Return pieces of HTML one after the other."""
    return Markup("".join(parts))
