"""Stored documents, compressed once: plain zlib streams that any zlib opens.

A receipt's document shrinks sixfold and is kept for years. A request is small, gains little
and would cost a tenth of the issuing rate: it is only framed, in the same format.

A window of 8 KiB is all that a receipt needs, and memory that small is never given back to
the kernel and asked for again: half the price of the default.
"""

from __future__ import annotations

import zlib

_LEVEL, _WINDOW_BITS, _MEMORY_LEVEL = 1, 13, 6


def pack(data: bytes) -> bytes:
    """Return the zlib stream of `data`."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)
    return stream.compress(data) + stream.flush()


def frame(data: bytes) -> bytes:
    """Return a zlib stream that holds `data` as it is."""
    stream = zlib.compressobj(0, zlib.DEFLATED, _WINDOW_BITS, 1)
    return stream.compress(data) + stream.flush()


def unpack(data: bytes) -> bytes:
    """Return what was packed or framed. Raises zlib.error on damage."""
    return zlib.decompress(data)
