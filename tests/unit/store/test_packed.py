"""What is stored for years is read by any zlib, whatever wrote it."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.store.packed import frame, pack, unpack


@given(st.binary(max_size=20_000))
def test_documents_and_requests_are_plain_zlib_streams(data: bytes):
    for packed in (pack(data), frame(data)):
        assert data == zlib.decompress(packed)
        assert data == unpack(packed)


def test_a_damaged_document_is_an_error_never_other_bytes():
    packed = bytearray(pack(b"<Header>" * 200))
    packed[len(packed) // 2] ^= 0x10

    with pytest.raises(zlib.error):
        unpack(bytes(packed))
