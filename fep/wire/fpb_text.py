"""Text forms of a batch file, for gates that let only text or XML pass (fpb1.md, 2.1).

`txt`: base64 in lines of 76 characters. `xml`: one element `FPB1` with the same lines.
The bytes inside are the container, unchanged; base64 also keeps patient data away from
keyword filters. What is no text form is returned as it is: the container's own checks
decide. Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, Literal

from fep.wire.fpb import FILE_MAX_BYTES, MAGIC

Form = Literal["binary", "txt", "xml"]

LINE_CHARS: Final = 76
TEXT_MAX_BYTES: Final = FILE_MAX_BYTES * 4 // 3 + FILE_MAX_BYTES // 56 + 4096
_XML_HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n<FPB1>\n'
_XML_TAIL: Final = b"</FPB1>\n"
_XML: Final = re.compile(rb"\s*(?:<\?xml[^>]*\?>)?\s*<FPB1>([A-Za-z0-9+/=\s]*)</FPB1>\s*")
_BLANK: Final = re.compile(rb"\s+")
_MAGIC64: Final = base64.b64encode(MAGIC)[:5]  # "RlBCM": the first bytes of every container


def dress(content: bytes, form: Form) -> bytes:
    """Return the file as it crosses the gate."""
    if form == "binary":
        return content
    text = base64.b64encode(content)
    lines = [text[at : at + LINE_CHARS] for at in range(0, len(text), LINE_CHARS)]
    body = b"\n".join(lines) + b"\n"
    return body if form == "txt" else _XML_HEAD + body + _XML_TAIL


def undress(raw: bytes) -> bytes:
    """Return the container inside a file, the file itself when it is in no text form."""
    if raw.startswith(MAGIC) or len(raw) > TEXT_MAX_BYTES:
        return raw
    match = _XML.fullmatch(raw)
    text = _BLANK.sub(b"", match[1] if match else raw)
    if not text.startswith(_MAGIC64):
        return raw
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return raw
