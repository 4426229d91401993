"""The envelope of the medical dialect: who calls, what is asked, what is answered.

Rules: the signature is over `data` exactly as received; every tolerance that clients in the
field need is here and nowhere else (facts/his-api 1.5); an answer is base64 in base64, ASCII
outside, on one line. A number keeps the digits it was sent with: no float is ever made.
Never: a call, a clock, a key of its own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from fep.domain.faults import refuse

FORM_FIELDS_MAX = 40
APPID_MAX, NOISE_MAX, VERSION_MAX, SIGN_MAX = 64, 128, 20, 64
OK = "S0000"
DONE = "操作成功"
"""What an acknowledgement says: kiosk pages compare with it (facts/his-api 1.4)."""

_FRESH = hashlib.md5(usedforsecurity=False)
_SLICE_BYTES = 2047  # more at once lets go of the interpreter lock (fep.crypto.sm3)
_BOM = b"\xef\xbb\xbf"
_BLANKS = re.compile(r"\s+")
_STANDARD = str.maketrans("-_", "+/")
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(float_hook=str)


class Envelope(msgspec.Struct, frozen=True):
    """One request as it came. `head` goes before `appid=` in what is signed."""

    appid: str
    data: str
    noise: str
    version: str
    sign: str
    head: str = ""
    more: tuple[tuple[str, str], ...] = ()  # further members of the outer object, by name

    def other(self, name: str) -> str:
        """Return another member of the outer object, empty when it is not there."""
        return next((value for key, value in self.more if key == name), "")


def signature(appid: str, data: str, noise: str, key: bytes, version: str, head: str = "") -> str:
    """Return the sign of an envelope: MD5 in upper-case hex, members in the fixed order."""
    text = f"{head}appid={appid}&data={data}&noise={noise}&key=".encode(errors="replace")
    running = _FRESH.copy()
    for start in range(0, len(text), _SLICE_BYTES):
        running.update(text[start : start + _SLICE_BYTES])
    running.update(key + f"&version={version}".encode(errors="replace"))
    return running.hexdigest().upper()


def fits(envelope: Envelope, key: bytes) -> bool:
    """Say whether the envelope was signed with `key`; constant time, either case of hex."""
    given = envelope.sign.strip().upper().encode(errors="replace")
    good = False
    # A form may have turned "+" into a blank, a MIME encoder may have signed before it wrapped.
    came = envelope.data
    forms = (came,) if _solid(came) else (came, came.replace(" ", "+"), _BLANKS.sub("", came))
    for data in dict.fromkeys(forms):
        expected = signature(
            envelope.appid, data, envelope.noise, key, envelope.version, envelope.head
        )
        good |= hmac.compare_digest(expected.encode(), given)
    return good


def _solid(data: str) -> bool:
    """Say whether there is no blank anywhere; a split is a tenth of what a pattern costs."""
    return len(data.split(maxsplit=1)) == 1 and not (data[:1].isspace() or data[-1:].isspace())


def opened(body: bytes) -> Envelope:
    """Return the envelope of a body, JSON or form-encoded whatever its content type says.

    Raises Refused REQ_PARSE, REQ_FIELD_MISSING, REQ_FIELD_LENGTH.
    """
    body = body.removeprefix(_BOM).strip()
    members = _json(body) if body[:1] == b"{" else _form(body)
    outer = {str(name).strip(): _text(value) for name, value in members.items()}
    for name, limit in (("appid", APPID_MAX), ("noise", NOISE_MAX), ("version", VERSION_MAX),
                        ("sign", SIGN_MAX)):  # fmt: skip
        if len(outer.get(name, "")) > limit:
            raise refuse("REQ_FIELD_LENGTH", field=name, limit=limit)
    for name in ("appid", "data", "sign"):
        if not outer.get(name):
            raise refuse("REQ_FIELD_MISSING", field=name)
    appid, data, noise, version, sign = (
        outer.pop(name, "") for name in ("appid", "data", "noise", "version", "sign")
    )
    return Envelope(appid, data, noise, version, sign, more=tuple(outer.items()))


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError as error:
        raise refuse("REQ_PARSE", why="form") from error
    if not pairs:
        raise refuse("REQ_PARSE", why="neither JSON nor a form")
    return dict(pairs)


def _json(text: bytes) -> dict[str, Any]:
    value = parsed(text)
    if not isinstance(value, dict):
        raise refuse("REQ_PARSE", why="not an object")
    return value


def parsed(text: bytes) -> Any:
    """Return the value of a JSON text; decimals stay text. Raises Refused REQ_PARSE.

    Old clients write raw line ends into strings: those are read by the patient parser.
    """
    try:
        return _decoder.decode(text)
    except RecursionError as error:
        raise refuse("REQ_PARSE", why="nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        try:
            return json.loads(text, strict=False, parse_float=str, parse_int=str,
                              parse_constant=_no_constant)  # fmt: skip
        except (ValueError, RecursionError):
            raise refuse("REQ_PARSE", why=_why(error)) from error


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _why(error: Exception) -> str:
    """Return where the text stops being JSON, never what stands there: it may be a patient."""
    found = re.search(r"byte (\d+)", str(error))
    return f"byte {found[1]}" if found else "JSON"


def _text(value: Any) -> str:
    """Return a member of the outer object as text; what is no scalar counts as absent."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return str(value) if abs(value) < 10**40 else ""
    return value if isinstance(value, str) else ""


# what is inside
class Asked(msgspec.Struct, frozen=True):
    """The business fields as JSON text, and the coding that the caller writes and reads."""

    text: bytes
    coding: str

    def fields(self) -> dict[str, Any]:
        """Return the business fields. Raises Refused REQ_PARSE."""
        return _json(self.text)


def unpacked(envelope: Envelope, coding: str) -> Asked:
    """Return what an envelope holds. Raises Refused REQ_PARSE."""
    try:
        raw = binascii.a2b_base64(envelope.data, strict_mode=True)
    except (binascii.Error, ValueError):
        raw = _patched(envelope.data)
    used, text = _decoded(raw, coding)
    return Asked(text, used)


def _patched(packed: str) -> bytes:
    """Return what base64 holds that was wrapped, cut of its end or made for addresses."""
    packed = _BLANKS.sub("", packed.replace(" ", "+")).translate(_STANDARD).rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise refuse("REQ_PARSE", why="base64") from error


def _decoded(raw: bytes, coding: str) -> tuple[str, bytes]:
    """Return the coding in use and the text as UTF-8."""
    if raw[:2] == b"\xff\xfe" or raw[1:2] == b"\x00":  # a site option "Unicode" of old clients
        coding, read = "utf-16-le", "utf-16-le"
        raw = raw.removeprefix(b"\xff\xfe")
    else:
        raw = raw.removeprefix(_BOM)
        read = "gb18030" if coding == "gbk" else coding
    if read == "utf-8":
        return coding, raw.strip()
    try:
        return coding, raw.decode(read).strip().encode()
    except UnicodeError as error:
        raise refuse("REQ_PARSE", why=read) from error


# what goes back
def answer(
    envelope: Envelope, key: bytes, noise: str, result: str, told: dict[str, Any] | str,
    coding: str = "utf-8",
) -> bytes:  # fmt: skip
    """Return the body of an answer: base64 of the result, whose message is base64 again."""
    message = told if isinstance(told, str) else _encode(told).decode()
    inner = {"result": result, "message": _packed(message, coding)}
    data = _packed(_encode(inner).decode(), coding)
    sign = signature(envelope.appid, data, noise, key, envelope.version, envelope.head)
    return _encode({"data": data, "noise": noise, "sign": sign})


def _packed(text: str, coding: str) -> str:
    return base64.b64encode(text.encode(coding, errors="replace")).decode()
