"""The medical door behind the HTTP front: what a kiosk's browser and a Java client really send."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

from tests.unit.front.hall import FrontHall
from tests.unit.medical.clinic import Clinic

PATH = "/his/api/"


def _result(body: bytes) -> str:
    inner = json.loads(base64.b64decode(json.loads(body)["data"]))
    return str(inner["result"])


def test_a_kiosk_page_of_another_origin_may_call(clinic: Clinic):
    """CORS preflight, then a form under a JSON content type, `?random=`, a space in the name."""
    hall = FrontHall(his=clinic.medical.door)
    form = urlencode(clinic.envelope({"testValue": "1"})).encode()

    status, headers, body = hall.ask(
        "OPTIONS", f"{PATH}testServerConnect", Origin="http://kiosk",
        Access_Control_Request_Method="POST", Access_Control_Request_Headers="content-type",
    )  # fmt: skip
    answer = hall.ask(
        "POST", f"{PATH}testServerConnect%20?random=%201795219200000", form,
        Origin="http://kiosk", Content_Type="application/json",
    )  # fmt: skip

    assert (204, b"") == (status, body)
    assert "*" == headers["access-control-allow-origin"]
    assert "content-type" in headers["access-control-allow-headers"].lower()
    assert (200, "*") == (answer[0], answer[1]["access-control-allow-origin"])
    assert "S0000" == _result(answer[2])


def test_a_content_encoding_of_utf_8_reaches_the_door_as_it_is(clinic: Clinic):
    hall = FrontHall(his=clinic.medical.door)
    body = json.dumps(clinic.envelope({})).encode()

    status, headers, answer = hall.ask(
        "POST", f"{PATH}testServerConnect", body, Content_Encoding="UTF-8",
        Accept_Encoding="gzip,deflate",
    )  # fmt: skip

    assert 200 == status
    assert "application/json;charset=UTF-8" == headers["content-type"]
    assert "S0000" == _result(answer)


def test_every_error_is_http_200(clinic: Clinic):
    hall = FrontHall(his=clinic.medical.door)
    forged = json.dumps(clinic.envelope({}, key="guess")).encode()

    for method, name, body in (
        ("POST", "testServerConnect", forged), ("POST", "nothing", b"{}"), ("GET", "x", b""),
        ("POST", "testServerConnect", b"\xff" * 100),
    ):  # fmt: skip
        status, _, answer = hall.ask(method, f"{PATH}{name}", body)
        assert 200 == status
        assert _result(answer).startswith("E")
