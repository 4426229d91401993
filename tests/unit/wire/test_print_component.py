"""The local print component: bare codes, and payloads as real programs send them."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from fep.wire.dialects.print_component import Wanted, asked

HEAD = "dllName=NontaxIndustry&func=CallNontaxIndustry&payload="
PARAMS = {"appid": "A", "data": "e30=", "noise": "1", "version": "1.0", "sign": "张>>>???"}


def _packed(told: object) -> str:
    return base64.b64encode(json.dumps(told, ensure_ascii=False).encode()).decode()


def _sent(told: object, head: str = HEAD) -> bytes:
    return (head + _packed(told)).encode()


CALL = {"method": "printElectBill", "params": PARAMS}


@pytest.mark.parametrize(
    "sent",
    [
        _sent(CALL), _sent(CALL, HEAD.replace("func", "Func")), _sent(CALL).replace(b"=", b"="),
        (HEAD + quote(_packed(CALL), safe="")).encode(), _sent(CALL).rstrip(b"="),
        _sent(CALL).replace(b"+", b" "), b"&" + _sent(CALL),
    ],
)  # fmt: skip
def test_a_call_is_read_however_it_is_escaped(sent: bytes):
    found = asked(sent)

    assert isinstance(found, Wanted)
    assert ("printElectBill", PARAMS) == (found.method, json.loads(found.envelope))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "2001"), (b"dllName=NontaxIndustry", "2001"), (b"\xff", "2001"),
        (b"&".join([b"a=b"] * 30), "2001"),
        (_sent(CALL, HEAD.replace("NontaxIndustry&", "Other&")), "2002"),
        (_sent([]), "T2004"), (_sent({"method": "x"}), "T2004"),
        (_sent({"method": "../x", "params": {}}), "T2004"),
        (_sent({"method": "x" * 61, "params": {}}), "T2004"),
        ((HEAD + "!!!").encode(), "T2004"),
        (_sent({"method": "InitParams", "params": {"url": "u", "appkey": "k"}}), "T2000"),
        (_sent({"method": "InitParams",
                "params": {"data": _packed({"url": "u", "appkey": "k"})}}), "T2000"),
        (_sent({"method": "InitParams", "params": {"data": _packed({"url": "u"})}}), "T2001"),
        (_sent({"method": "InitParams", "params": {}}), "T2001"),
    ],
)  # fmt: skip
def test_what_is_no_call_is_answered_by_a_bare_code(sent: bytes, code: str):
    assert code == asked(sent)
