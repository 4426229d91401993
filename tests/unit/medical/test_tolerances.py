"""Everything that clients in the field do to an envelope, one test each (facts/his-api 1.5)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from fep.services.http_values import HttpRequest
from fep.services.medical import PREFIX
from tests.unit.medical.clinic import APPID, Clinic, bill, caller, named, packed, sign

ISSUE = "invoiceEBillOutpatient"


def _sent(clinic: Clinic, method: str, body: bytes, **headers: str) -> tuple[str, Any]:
    return clinic.opened(clinic.ask(clinic.post(method, body, **headers)))


def _number(clinic: Clinic, key: str = "B1") -> str:
    found = clinic.by_key(key)
    assert found is not None
    return str(found.number)


def test_the_signature_vector_of_the_tables_is_ours():
    from fep.wire.dialects.medical_envelope import signature

    made = signature(APPID, "eyJ0ZXN0VmFsdWUiOiJwaW5nIn0=", "0" * 31 + "1",
                     b"demo-key-not-a-secret", "1.0")  # fmt: skip

    assert "25360A8519B1E0BAF4585CBD1293DEDE" == made


@pytest.mark.parametrize("kind", ["application/json", "text/plain;charset=utf8"])
def test_a_form_encoded_body_under_a_json_content_type_is_read(clinic: Clinic, kind: str):
    body = urlencode(clinic.envelope(bill())).encode()

    result, told = _sent(clinic, ISSUE, body, content_type=kind)

    assert "S0000" == result
    assert told["billNo"] == _number(clinic)


def test_a_form_whose_plus_signs_became_blanks_is_read(clinic: Clinic):
    envelope = clinic.envelope({"testValue": "ÿ>ÿ>ÿ>ÿ>ÿ?~~~"})
    assert "+" in envelope["data"] + packed("ÿ>ÿ>")
    text = "&".join(f"{name}={value}" for name, value in envelope.items())

    assert ("S0000", "操作成功") == _sent(clinic, "testServerConnect", text.encode())


def test_a_content_encoding_header_of_utf_8_is_not_refused(clinic: Clinic):
    body = json.dumps(clinic.envelope(bill())).encode()

    assert "S0000" == _sent(clinic, ISSUE, body, content_encoding="UTF-8")[0]


def test_trailing_spaces_in_the_method_are_cut_off(clinic: Clinic):
    body = json.dumps(clinic.envelope({"testValue": "1"})).encode()

    for tail in (" ", "%20", "%20%20"):
        assert "S0000" == _sent(clinic, f"testServerConnect{tail}", body)[0]


def test_a_random_in_the_query_is_ignored(clinic: Clinic):
    body = json.dumps(clinic.envelope({"testValue": "1"})).encode()
    path = f"{PREFIX}testServerConnect"

    request = HttpRequest("POST", path, {"random": " 1795219200000"}, {}, body, "10.0.0.7")

    assert "S0000" == clinic.opened(clinic.ask(request))[0]


def test_trailing_spaces_in_key_names_are_cut_off(clinic: Clinic):
    plain, spaced = bill(), {f"{name} ": value for name, value in bill(busNo="B2").items()}
    spaced["listDetail "] = [
        {f" {name} ": value for name, value in row.items()} for row in plain["listDetail"]
    ]
    clinic.good(ISSUE, plain)

    clinic.good(ISSUE, spaced)

    assert clinic.by_key("B2").amount_fen == clinic.by_key("B1").amount_fen


def test_the_outer_keys_may_have_spaces_too(clinic: Clinic):
    envelope = {f"{name} ": value for name, value in clinic.envelope({}).items()}

    assert "S0000" == _sent(clinic, "testServerConnect", json.dumps(envelope).encode())[0]


def _as_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_texts(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_as_texts(one) for one in value]
    return str(value) if isinstance(value, int | float) else value


def test_numbers_as_strings_and_strings_as_numbers_are_the_same_bill(clinic: Clinic):
    first = clinic.issue("B1")

    assert first == clinic.good(ISSUE, _as_texts(bill()))
    assert first == clinic.good(ISSUE, bill(payerType=1, busType="02", tel=13800000000))


def test_an_amount_keeps_its_fen_however_it_is_written(clinic: Clinic):
    written = ["126.5", "126.50", 126.5, "126.5000", "1.265E+2", " 126.50 ", "+126.50"]

    for place, total in enumerate(written):
        clinic.issue(f"B{place}", totalAmt=total)
        assert 12650 == clinic.by_key(f"B{place}").amount_fen


def test_an_amount_of_a_tenth_of_a_fen_is_refused_never_rounded(clinic: Clinic):
    text = clinic.bad(ISSUE, bill(totalAmt="126.505"))

    assert "totalAmt" in text
    assert clinic.by_key("B1") is None


def test_a_decimal_number_in_json_never_becomes_a_float(clinic: Clinic):
    text = json.dumps(bill()).replace('"totalAmt": 126.5', '"totalAmt": 126.50000000000000001')
    data = packed(text)
    body = json.dumps({"appid": APPID, "data": data, "noise": "n", "version": "1.0",
                       "sign": sign(data, "n")}).encode()  # fmt: skip

    assert "E0006" == _sent(clinic, ISSUE, body)[0]


def test_null_empty_and_absent_are_equal(clinic: Clinic):
    full = bill(remark="", openID=None, weChatOrderNo=None, cardNo=None)
    bare = {name: value for name, value in full.items() if value not in ("", None)}

    assert clinic.good(ISSUE, full) == clinic.good(ISSUE, bare)


def test_both_date_forms_are_one_date(clinic: Clinic):
    for key, written in (("A", "20261121"), ("B", "2026-11-21"), ("C", "2026-11-21 00:00:00")):
        clinic.issue(key, consultationDate=written)
        assert "<MedicalDate>20261121</MedicalDate>" in clinic.document(key)


def test_a_list_sent_as_a_string_is_a_list(clinic: Clinic):
    first = clinic.issue("B1")

    for name in ("chargeDetail", "listDetail", "payChannelDetail", "otherInfo"):
        text = json.dumps(bill()[name], ensure_ascii=False)
        assert first == clinic.good(ISSUE, bill(**{name: text}))


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_line_ends_in_base64_are_read_and_signed_as_they_came(clinic: Clinic, end: str):
    plain = packed(bill())
    data = end.join(plain[at : at + 76] for at in range(0, len(plain), 76)) + end
    body = {"appid": APPID, "data": data, "noise": "n", "version": "1.0", "sign": sign(data, "n")}

    assert "S0000" == _sent(clinic, ISSUE, json.dumps(body).encode())[0]


def test_base64_without_padding_or_of_the_address_alphabet_is_read(clinic: Clinic):
    data = packed({"testValue": "ÿÿ>>"}).rstrip("=").replace("+", "-").replace("/", "_")
    body = {"appid": APPID, "data": data, "noise": "n", "version": "1.0", "sign": sign(data, "n")}

    assert "S0000" == _sent(clinic, "testServerConnect", json.dumps(body).encode())[0]


def test_a_bom_before_the_body_and_before_the_fields_is_cut_off(clinic: Clinic):
    data = base64.b64encode(b"\xef\xbb\xbf" + json.dumps(bill()).encode()).decode()
    body = {"appid": APPID, "data": data, "noise": "n", "version": "1.0", "sign": sign(data, "n")}

    assert "S0000" == _sent(clinic, ISSUE, b"\xef\xbb\xbf" + json.dumps(body).encode())[0]


def test_noise_and_version_may_be_numbers_and_the_sign_in_lower_case(clinic: Clinic):
    data = packed({})
    body = {"appid": APPID, "data": data, "noise": 1795219200000, "version": 1.0,
            "sign": sign(data, "1795219200000").lower()}  # fmt: skip

    assert "S0000" == _sent(clinic, "testServerConnect", json.dumps(body).encode())[0]


def test_a_raw_line_end_inside_a_string_is_a_blank(clinic: Clinic):
    text = json.dumps(bill(remark="第一行@第二行"), ensure_ascii=False).replace("@", "\r\n")
    data = packed(text)
    body = {"appid": APPID, "data": data, "noise": "n", "version": "1.0", "sign": sign(data, "n")}

    assert "S0000" == _sent(clinic, ISSUE, json.dumps(body).encode())[0]
    assert "第一行  第二行" in clinic.document("B1")


def test_a_gbk_caller_is_read_and_answered_in_gbk(tmp_path: Path):
    clinic = Clinic(tmp_path, caller(encoding="gbk"))
    data = packed(bill(payer="张三丰"), "gbk")
    body = {"appid": APPID, "data": data, "noise": "n", "version": "1.0", "sign": sign(data, "n")}

    answer = clinic.ask(clinic.post(ISSUE, json.dumps(body).encode()))
    result, _ = clinic.opened(answer, coding="gbk")
    asked = {**body, "data": packed({"busNo": "没有"}, "gbk")}
    asked["sign"] = sign(asked["data"], "n")
    refused = clinic.ask(clinic.post("getEBillByBusNo", json.dumps(asked).encode()))

    assert "S0000" == result
    assert "张三丰" == clinic.by_key("B1").payer
    assert "没有此票据" in clinic.opened(refused, coding="gbk")[1]
    clinic.close()


def test_utf_16_inside_the_base64_is_read_and_answered_alike(clinic: Clinic):
    data = packed(bill(), "utf-16-le")
    body = {"appid": APPID, "data": data, "noise": "n", "version": "1.0", "sign": sign(data, "n")}

    answer = clinic.ask(clinic.post(ISSUE, json.dumps(body).encode()))

    assert "S0000" == clinic.opened(answer, coding="utf-16-le")[0]


def test_the_aliases_of_the_specifications_samples_are_understood(clinic: Clinic):
    fields = bill()
    fields["acnumberPay"] = fields.pop("accountPay")
    answer = clinic.good(ISSUE, fields)

    assert "20.00" == clinic.good("getBillDetail", named(answer))["accountPay"]


def test_unknown_fields_are_ignored(clinic: Clinic):
    first = clinic.issue("B1")

    assert first == clinic.good(ISSUE, bill(chrgtypeCode="x", bigInsurance=[1, {"a": 2}]))


def test_a_department_is_found_in_the_field_of_each_version(clinic: Clinic):
    """Up to 3.1.0 `category` is the name and the code may stand in `patientCategory`."""
    old = {"category": "儿科", "patientCategory": "0305", "patientCategoryCode": ""}
    new = {"category": "", "patientCategory": "儿科", "patientCategoryCode": "0305"}

    for key, fields in (("OLD", old), ("NEW", new)):
        answer = clinic.issue(key, **fields)
        assert "儿科" == clinic.good("getBillDetail", named(answer))["category"]


def test_every_broken_envelope_is_http_200_and_an_e_code(clinic: Clinic):
    bodies = [
        b"", b"{", b"[]", b"null", b"appid", b"\xff\xfe\x00", b"{}", b'{"appid":"DEMOAPP01"}',
        b'{"appid":{"a":1},"data":"e30=","sign":"x"}', b"appid=DEMOAPP01&data=e30%3D&sign=1",
        b"[" * 200_000, b'{"a":' * 100_000, b'{"appid":' + b"9" * 100_000 + b"}",
    ]  # fmt: skip

    for place, body in enumerate(bodies):
        answer = clinic.ask(clinic.post("testServerConnect", body, peer=f"10.1.0.{place}"))
        assert 200 == answer.status
        inner = json.loads(base64.b64decode(json.loads(answer.body)["data"]))
        assert inner["result"].startswith("E")
        assert base64.b64decode(inner["message"]).decode()


def test_every_broken_content_is_http_200_and_an_e_code(clinic: Clinic):
    texts = [
        "", "null", "[]", '"x"', "{", "x" * 1000, "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000, '{"busNo":' + "9" * 5000 + "}",
        '{"busNo":1e999999999}', '{"totalAmt":NaN}', "\x00\x01",
    ]  # fmt: skip

    for text in texts:
        data = packed(text) or "===="
        body = {"appid": APPID, "data": data, "noise": "n", "sign": sign(data, "n", "")}
        answer = clinic.ask(clinic.post(ISSUE, json.dumps(body).encode()))
        inner = json.loads(base64.b64decode(json.loads(answer.body)["data"]))
        assert 200 == answer.status
        assert "[REQ_" in base64.b64decode(inner["message"]).decode()


def test_garbage_in_base64_is_an_e_code(clinic: Clinic):
    body = {"appid": APPID, "data": "不是base64!", "noise": "n", "version": "1.0",
            "sign": sign("不是base64!", "n")}  # fmt: skip

    assert "E0003" == _sent(clinic, "testServerConnect", json.dumps(body).encode())[0]


def test_another_http_method_is_http_200_and_an_e_code(clinic: Clinic):
    for method in ("GET", "HEAD", "PUT"):
        request = HttpRequest(method, f"{PREFIX}testServerConnect", {}, {}, b"", "10.0.0.7")
        assert 200 == clinic.ask(request).status


def test_a_method_of_another_case_or_name_is_not_offered(clinic: Clinic):
    for name in ("returnpaper", "nothing", "", "../../etc/passwd", "x" * 5000):
        assert "未提供" in clinic.bad(name)
