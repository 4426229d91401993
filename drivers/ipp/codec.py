"""IPP requests and answers as bytes (RFC 8010): pure, bounded, nothing of HTTP.

An attribute is (tag, name, values); numbers are ints, everything else that is text is str, and
what is neither stays bytes. Unknown tags are carried, never an error.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

VERSION = b"\x02\x00"
OPERATION, JOB, END, PRINTER = 0x01, 0x02, 0x03, 0x04
INTEGER, BOOLEAN, ENUM = 0x21, 0x22, 0x23
TEXT, NAME, KEYWORD, URI, CHARSET, LANGUAGE, MIME = 0x41, 0x42, 0x44, 0x45, 0x47, 0x48, 0x49
_GROUPS_END = 0x10
_TEXTS = range(0x41, 0x4A)
ATTRIBUTES_MAX = 20_000

Value = int | str | bytes
Attribute = tuple[int, str, Sequence[Value]]
Group = Mapping[str, tuple[Value, ...]]


class Op(IntEnum):
    """Operations of RFC 8011 that a page printer is asked for."""

    PRINT_JOB = 0x0002
    CANCEL_JOB = 0x0008
    GET_JOB = 0x0009
    GET_JOBS = 0x000A
    GET_PRINTER = 0x000B


class JobState(IntEnum):
    """job-state of RFC 8011 5.3.7."""

    PENDING = 3
    HELD = 4
    PROCESSING = 5
    STOPPED = 6
    CANCELED = 7
    ABORTED = 8
    COMPLETED = 9


class NotIpp(ValueError):
    """The bytes are no IPP answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status code (below 0x0100 is success) and the groups by tag, in order."""

    status: int
    groups: tuple[tuple[int, Group], ...]

    @property
    def good(self) -> bool:
        """Say whether the printer did what was asked."""
        return self.status < 0x0100

    def first(self, tag: int) -> Group:
        """Return the first group of a kind, empty when there is none."""
        return next((group for kind, group in self.groups if kind == tag), {})

    def all(self, tag: int) -> list[Group]:
        """Return every group of a kind."""
        return [group for kind, group in self.groups if kind == tag]


def request(
    op: Op, request_id: int, uri: str, operation: Sequence[Attribute],
    job: Sequence[Attribute] = (), body: bytes = b"",
) -> bytes:  # fmt: skip
    """Return the bytes of a request about the printer at `uri`."""
    head: list[Attribute] = [
        (CHARSET, "attributes-charset", ("utf-8",)),
        (LANGUAGE, "attributes-natural-language", ("en",)),
        (URI, "printer-uri", (uri,)),
        *operation,
    ]
    out = [VERSION, struct.pack(">HI", op, request_id), bytes([OPERATION])]
    out += [_attribute(each) for each in head]
    if job:
        out.append(bytes([JOB]))
        out += [_attribute(each) for each in job]
    out += [bytes([END]), body]
    return b"".join(out)


def answer(data: bytes) -> Answer:
    """Return what a printer said. Raises NotIpp for anything that is cut or malformed."""
    if len(data) < 8:  # version, status, request id
        raise NotIpp("short")
    (status,) = struct.unpack_from(">H", data, 2)
    groups: list[tuple[int, dict[str, tuple[Value, ...]]]] = []
    offset, name, count = 8, "", 0
    while True:
        tag, offset = _byte(data, offset)
        if tag == END:
            return Answer(status, tuple(groups))
        if tag < _GROUPS_END:
            groups.append((tag, {}))
            name = ""
            continue
        label, offset = _piece(data, offset)
        raw, offset = _piece(data, offset)
        count += 1
        if not groups or count > ATTRIBUTES_MAX:
            raise NotIpp("attributes")
        name = label.decode("utf-8", "replace") or name
        held = groups[-1][1]
        held[name] = (*(held.get(name, ()) if not label else ()), _value(tag, raw))


def text(group: Group, name: str) -> str:
    """Return the first value of an attribute as text, empty when it is not there."""
    found = group.get(name, ())
    return str(found[0]) if found and not isinstance(found[0], bytes) else ""


def number(group: Group, name: str) -> int | None:
    """Return the first value of an attribute as a number, None when it is none."""
    found = group.get(name, ())
    return found[0] if found and isinstance(found[0], int) else None


def texts(group: Group, name: str) -> tuple[str, ...]:
    """Return every value of an attribute that is text."""
    return tuple(value for value in group.get(name, ()) if isinstance(value, str))


def _attribute(attribute: Attribute) -> bytes:
    tag, name, values = attribute
    out = b""
    for place, value in enumerate(values):
        label = b"" if place else name.encode()
        raw = _raw(tag, value)
        out += struct.pack(">BH", tag, len(label)) + label + struct.pack(">H", len(raw)) + raw
    return out


def _raw(tag: int, value: Value) -> bytes:
    if tag == BOOLEAN:
        return bytes([bool(value)])
    if isinstance(value, int):
        return struct.pack(">i", value)
    return value.encode() if isinstance(value, str) else value


def _value(tag: int, raw: bytes) -> Value:
    if tag in (INTEGER, ENUM) and len(raw) == 4:  # a 32-bit integer
        (value,) = struct.unpack(">i", raw)
        return int(value)
    if tag == BOOLEAN and len(raw) == 1:
        return raw[0]
    return raw.decode("utf-8", "replace") if tag in _TEXTS else raw


def _byte(data: bytes, offset: int) -> tuple[int, int]:
    if offset >= len(data):
        raise NotIpp("cut")
    return data[offset], offset + 1


def _piece(data: bytes, offset: int) -> tuple[bytes, int]:
    if offset + 2 > len(data):
        raise NotIpp("cut")
    (size,) = struct.unpack_from(">H", data, offset)
    offset += 2
    if offset + size > len(data):
        raise NotIpp("cut")
    return data[offset : offset + size], offset + size
