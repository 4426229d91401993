"""The glyph process: length-prefixed requests on stdin, answers on stdout, nothing else.

A frame is a 4-byte big-endian length and a payload of at most MAX_FRAME bytes.
Request: id u32, height u16, bold u8, text UTF-8. Answer: id u32, status u8, then for
DRAWN width u16 and rows, for MISSING the characters, for FAILED nothing. Ends at EOF.
"""

from __future__ import annotations

import struct
import sys
from typing import BinaryIO

DRAWN, MISSING, FAILED = 0, 1, 2
MAX_FRAME = 256 * 1024
_REQUEST = struct.Struct(">IHB")
_ANSWER = struct.Struct(">IB")
_LENGTH = struct.Struct(">I")
MAX_HEIGHT = 96


class BadFrame(Exception):
    """The peer sent what the frame does not allow."""


def frame(payload: bytes) -> bytes:
    """Return `payload` with its length in front."""
    return _LENGTH.pack(len(payload)) + payload


class Frames:
    """Takes bytes as they come, gives whole payloads."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads `data` completes. Raises BadFrame for a length out of bounds."""
        self._rest += data
        payloads = []
        while len(self._rest) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._rest)
            if size > MAX_FRAME:
                raise BadFrame(size)
            end = _LENGTH.size + size
            if len(self._rest) < end:
                break
            payloads.append(self._rest[_LENGTH.size : end])
            self._rest = self._rest[end:]
        return payloads


def request(id_: int, text: str, height_dots: int, bold: bool) -> bytes:
    """Return the frame that asks for a line."""
    return frame(_REQUEST.pack(id_, height_dots, bold) + text.encode("utf-8"))


def answer(payload: bytes) -> bytes:
    """Return the payload that answers a request payload."""
    from fep.render.glyphs import NoFont, draw

    id_, height, bold = _REQUEST.unpack_from(payload)
    text = payload[_REQUEST.size :].decode("utf-8")
    if not 8 <= height <= MAX_HEIGHT:
        return _ANSWER.pack(id_, FAILED)
    try:
        drawn = draw(text, height, bool(bold))
    except NoFont:
        return _ANSWER.pack(id_, MISSING) + text.encode("utf-8")
    if drawn.missing:
        return _ANSWER.pack(id_, MISSING) + drawn.missing.encode("utf-8")
    return _ANSWER.pack(id_, DRAWN) + drawn.width_bytes.to_bytes(2, "big") + drawn.rows


def read_answer(payload: bytes) -> tuple[int, int, bytes]:
    """Return (id, status, rest) of an answer payload. Raises BadFrame."""
    if len(payload) < _ANSWER.size:
        raise BadFrame(len(payload))
    id_, state = _ANSWER.unpack_from(payload)
    return id_, state, payload[_ANSWER.size :]


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until the source ends."""
    while True:
        head = source.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return
        (size,) = _LENGTH.unpack(head)
        if size > MAX_FRAME:
            return
        payload = source.read(size)
        if len(payload) < size:
            return
        sink.write(frame(answer(payload)))
        sink.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
