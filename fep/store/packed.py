"""Stored documents, compressed once: plain zlib streams that any zlib opens.

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


def unpack(data: bytes) -> bytes:
    """Return what was packed. Raises zlib.error on damage."""
    return zlib.decompress(data)
