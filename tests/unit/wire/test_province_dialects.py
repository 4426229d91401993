"""The bytes of the provinces' dialects: lengths in bytes, MACs, forms, and strange answers."""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import parse_qs

import pytest

from fep.domain.platform import Operation, Parcel, Verdict
from fep.wire.dialects import cnnontax, finance_rest
from fep.wire.dialects.province import Place, Stamp, Terms, Unspoken
from fep.wire.http_answer import AnswerReader, BadAnswer

TERMS = Terms("fep", "秘密", {"H1": Place("A1", "420600", "001")}, {"77": "stale_date"})
STAMP = Stamp(1_772_000_000_123, "id-1")
PARCEL = Parcel(
    Operation.ISSUE, "k", "H1", "42060126", "0000000001", event_key="E1", check_code="abc123",
    amount_fen=1230, original="<Header></Header>张三𠮷".encode(), signature=b"\x30\x01+/=",
    cert_serial="07", issued_at=1_772_000_000_000, signed_at=1_772_000_000_000,
)  # fmt: skip


def _wrong(code: str) -> dict[str, object]:
    return {"error_message": {"error_code": code, "error_msg": "x"}}


def test_the_form_carries_the_digest_of_its_values_in_order():
    form = {k: v[0] for k, v in parse_qs(
        finance_rest.FinanceRest(TERMS).deliver(PARCEL, STAMP).decode(), keep_blank_values=True
    ).items()}  # fmt: skip

    joined = "秘密" + "".join(form[name] for name in finance_rest.SIGNED) + "秘密"
    message = json.loads(base64.b64decode(form["message"]))["message"]
    assert hashlib.md5(joined.encode()).hexdigest() == form["security"]
    assert PARCEL.original == base64.b64decode(message["invoice_data"])
    assert ("0000000001", "12.30") == (message["bill_no"], message["pay_code_info"][0]["amount"])


def test_a_frame_counts_bytes_and_carries_letters_that_gbk_has_not():
    frame = cnnontax.CnNonTax(TERMS).ask(
        Operation.NOTICE,
        {"unit": "H1", "PayCode": "1", "PayerName": "𠮷野", "Amt": "1.00", "PayInfo": ""},
        STAMP,
    )

    whole, rest = cnnontax.cut(frame + b"next")
    number, text = cnnontax.opened(frame, "秘密")
    assert (frame, b"next") == (whole, rest)
    assert (str(len(frame)).ljust(8), "8994") == (frame[:8].decode(), number)
    voucher = cnnontax.parsed(text).findtext("MSG/MOF/VoucherBody/Voucher") or ""
    assert "𠮷野" == cnnontax.parsed(base64.b64decode(voucher)).findtext("PayerName")


def test_a_chinese_letter_counts_two_in_the_length_of_a_frame():
    text = "<CFX>票据</CFX>".encode("gbk")

    frame = cnnontax.framed("5001", text, "t")

    assert (b"102     ", 8 + 8 + 3 + 4 + 15 + 64) == (frame[:8], len(frame))
    assert (None, frame[:-1]) == cnnontax.cut(frame[:-1])


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_the_case_of_a_mac_does_not_matter_but_its_value_does(case):
    frame = cnnontax.framed("5001", b"<CFX/>", "t")
    written = frame[:-64] + case(frame[-64:].decode()).encode()

    assert ("5001", b"<CFX/>") == cnnontax.opened(written, "t")
    with pytest.raises(cnnontax.BadFrame):
        cnnontax.opened(frame, "another")


@pytest.mark.parametrize(
    "data", [b"abcdefgh", b"12      ", b"99999999", b"100     NOTCNTAX1.05001", b"-1      "]
)
def test_what_is_no_frame_is_refused_before_it_is_waited_for(data: bytes):
    with pytest.raises(cnnontax.BadFrame):
        cnnontax.cut(data)


def test_a_frame_in_pieces_is_waited_for():
    frame = cnnontax.framed("5001", b"<CFX/>", "t")

    assert [None] * len(frame) == [cnnontax.cut(frame[:n])[0] for n in range(len(frame))]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"message": {"bill_no": "1"}}, (Verdict.OK, "")),
        (_wrong("2002"), (Verdict.REJECT, "not_yours")),
        (_wrong("77"), (Verdict.REJECT, "stale_date")),
        (_wrong("?"), (Verdict.REJECT, "refused")),
        (_wrong("9001"), (Verdict.RETRY, "busy")),
        ({"something": 1}, (Verdict.DOUBT, "form")),
        ([1], (Verdict.DOUBT, "form")),
    ],
)  # fmt: skip
def test_an_answer_has_one_meaning(answer: object, expected: tuple[Verdict, str]):
    body = base64.b64encode(json.dumps(answer).encode())

    reply = finance_rest.FinanceRest(TERMS).read(Operation.ISSUE, body)

    assert expected == (reply.verdict, reply.why)


@pytest.mark.parametrize("raw", [b"", b"<html>", b"\xff\xfe", base64.b64encode(b"{")])
def test_bytes_that_are_no_answer_are_doubt_in_every_dialect(raw: bytes):
    for dialect in (finance_rest.FinanceRest(TERMS), cnnontax.CnNonTax(TERMS)):
        assert Verdict.DOUBT is dialect.read(Operation.ISSUE, raw).verdict


def test_an_answer_with_a_document_type_is_not_read():
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><CFX><HEAD/></CFX>'
    frame = cnnontax.framed("5001", bomb, "秘密")

    assert Verdict.DOUBT is cnnontax.CnNonTax(TERMS).read(Operation.ISSUE, frame).verdict


def test_what_a_dialect_has_no_words_for_is_never_sent():
    with pytest.raises(Unspoken):
        cnnontax.CnNonTax(TERMS).ask(Operation.ITEMS, {}, STAMP)
    with pytest.raises(Unspoken):
        finance_rest.FinanceRest(TERMS).ask(Operation.NUMBER, {"unit": "H1"}, STAMP)


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("raw", "body", "stays"),
    [
        (HEAD + b"Content-Length: 3\r\n\r\nabc", b"abc", True),
        (HEAD + b"Content-Length: 0\r\nConnection: close\r\n\r\n", b"", False),
        (HEAD + CHUNKED, b"abc", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 1\r\n\r\na", b"a", True),
    ],
)  # fmt: skip
def test_an_http_answer_is_whole_only_with_its_last_byte(raw: bytes, body: bytes, stays: bool):
    reader = AnswerReader()

    told = [reader.feed(raw[n : n + 1]) for n in range(len(raw))]

    assert [None] * (len(raw) - 1) == told[:-1]
    answer = told[-1]
    assert answer is not None
    assert (200, body, stays) == (answer.status, answer.body, answer.stays)


def test_an_answer_without_a_length_ends_with_its_connection():
    reader = AnswerReader()

    assert reader.feed(HEAD + b"\r\nabc") is None
    answer = reader.end()

    assert answer is not None
    assert (b"abc", False) == (answer.body, answer.stays)


@pytest.mark.parametrize(
    "raw",
    [
        b"FTP nonsense\r\n\r\n", HEAD + b"no colon\r\n\r\n", HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"x" * 70_000,
    ],
)  # fmt: skip
def test_what_is_no_http_answer_is_told(raw: bytes):
    with pytest.raises(BadAnswer):
        AnswerReader().feed(raw)
