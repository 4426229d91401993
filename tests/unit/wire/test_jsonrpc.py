"""Lines, duplicate members, authentication of frames."""

from __future__ import annotations

import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.domain.faults import Refused
from fep.wire import jsonrpc, strictjson


def _code(line: bytes) -> str:
    with pytest.raises(Refused) as caught:
        jsonrpc.parse(line)
    return caught.value.code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "REQ_PARSE"),
        (b"\xff\xfe", "REQ_PARSE"),
        (b'{"jsonrpc":"2.0","method":"x","id":NaN}', "REQ_PARSE"),
        (b'{"jsonrpc":"2.0","method":"a","method":"b","id":1}', "REQ_DUPLICATE_KEY"),
        (b'{"jsonrpc":"2.0","method":"a","params":{"k":1,"\\u006b":2},"id":1}',
         "REQ_DUPLICATE_KEY"),
        (b"[]", "REQ_SHAPE"),
        (b'{"jsonrpc":"1.0","method":"a","id":1}', "REQ_SHAPE"),
        (b'{"jsonrpc":"2.0","id":1}', "REQ_SHAPE"),
        (b'{"jsonrpc":"2.0","method":"a","id":true}', "REQ_SHAPE"),
        (b'{"jsonrpc":"2.0","method":"a","id":1,"extra":1}', "REQ_FIELD_UNKNOWN"),
        (b"[" * 100_000, "REQ_PARSE"),
    ],
)  # fmt: skip
def test_a_malformed_line_has_a_stable_code(line: bytes, code: str):
    assert code == _code(line)


_LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)


def _branches(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    objects = st.dictionaries(st.text(max_size=4), inner, max_size=3)
    return st.lists(inner, max_size=3) | objects


@given(st.recursive(_LEAVES, _branches, max_leaves=8))
def test_honest_json_is_read_as_any_reader_reads_it(value: object):
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        try:
            encoded = text.encode()
        except UnicodeEncodeError:
            continue
        assert value == strictjson.loads(encoded)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_lines_are_the_same_however_the_stream_is_cut(data: bytes, cuts: list[int]):
    whole = jsonrpc.LineFeed(64).feed(data)
    feed, found, start = jsonrpc.LineFeed(64), [], 0
    for cut in [*sorted(cuts), len(data)]:
        found += feed.feed(data[start:cut])
        start = max(start, cut)

    assert whole == found


def test_a_line_too_long_is_dropped_and_the_next_one_read():
    feed = jsonrpc.LineFeed(8)

    assert [None, b"ok"] == feed.feed(b"123456789012345\nok\n")


def test_a_frame_carries_its_mac_as_last_member():
    key, challenge = b"k" * 64, "c" * 32
    signed = b'{"jsonrpc":"2.0","method":"m","id":1,"seq":1'
    mac = hmac.new(key, b"fep1|his|" + challenge.encode() + b"|" + signed + b"}", "sm3")
    line = signed + b',"mac":"' + mac.hexdigest().encode() + b'"}'

    assert mac.hexdigest() == jsonrpc.frame_mac("hmac-sm3", key, "his", challenge, line)
    assert jsonrpc.frame_mac("hmac-sm3", key, "his", challenge, signed + b"}") is None
    assert jsonrpc.same("ab", "AB")
    assert not jsonrpc.same("ab", None)


def test_gbk_callers_are_read_in_their_encoding():
    line = '{"jsonrpc":"2.0","method":"m","params":{"a":"王芳"},"id":1}'.encode("gbk")

    assert {"a": "王芳"} == jsonrpc.parse(line, "gbk").params
    assert "REQ_PARSE" == _code(line)
