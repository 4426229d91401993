"""Frames between a caller and the page process: a 4-byte big-endian length, then JSON. Pure."""

from __future__ import annotations

import json
import struct
from typing import Any

LENGTH = struct.Struct(">I")
MAX_BYTES = 32 * 1024 * 1024


def frame(value: Any) -> bytes:
    """Return `value` as JSON with its length in front."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return LENGTH.pack(len(body)) + body


def unframed(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header of an answer and what follows. Raises ValueError when it is cut off."""
    if len(data) < LENGTH.size:
        raise ValueError("no answer")
    (size,) = LENGTH.unpack_from(data)
    end = LENGTH.size + size
    if len(data) < end:
        raise ValueError("the answer is cut off")
    return dict(json.loads(data[LENGTH.size : end])), data[end:]
