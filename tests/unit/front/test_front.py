"""Routing, plain paths, CORS, who the caller is, and silence about what broke inside."""

from __future__ import annotations

from typing import Any

import pytest

from fep.domain.faults import refuse
from tests.unit.front.hall import FrontHall, code


def test_the_longest_prefix_takes_the_request_with_its_query() -> None:
    async def deep(_request: Any) -> Any:
        raise refuse("BUSY")

    hall = FrontHall(deep=deep)

    hall.ask("POST", "/his/api/turnPaper%20?random=%201&x=", b"body")
    taken = code(hall.ask("POST", "/his/api/deep/x"))

    (seen,) = hall.seen
    assert (seen.path, seen.query) == ("/his/api/turnPaper ", {"random": " 1", "x": ""})
    assert (seen.method, seen.body, seen.peer) == ("POST", b"body", "10.1.1.1")
    assert taken == (503, "BUSY")


@pytest.mark.parametrize("path", ["/", "/rpc/", "/rpcx", "/RPC", "/his", "/his/api", "/r/abc"])
def test_what_is_no_door_is_not_found(path: str) -> None:
    assert code(FrontHall().ask("POST", path)) == (404, "HTTP_PATH")


@pytest.mark.parametrize("path", [
    "/his/api/../../rpc", "/his/api/%2e%2e/x", "/his/api/.%2E/x", "/his//api/x", "//rpc",
    "/his/api/%2fetc", "/his/api/a%5Cb", "/his/api/a\\b", "/his/api/%00", "/his/api/%0d%0aX",
    "/his/api/%ff", "/his/api/%252e", "*", "rpc", "ftp://h/rpc", "http://[/rpc",
    "/his/api/" + "a" * 3000, "/his/api/x%20/%20..%20/y", "/his/api/x?" + "a=1&" * 100,
])  # fmt: skip
def test_a_path_with_tricks_is_refused_and_reaches_no_door(path: str) -> None:
    hall = FrontHall()

    assert code(hall.ask("POST", path)) == (400, "HTTP_BAD")
    assert hall.seen == []


def test_the_absolute_form_of_a_target_is_its_path() -> None:
    hall = FrontHall()

    hall.ask("POST", "http://other:17001/his/api/x?y=1")

    assert (hall.seen[0].path, hall.seen[0].query) == ("/his/api/x", {"y": "1"})


def test_a_preflight_is_answered_for_dialects_and_for_nothing_else() -> None:
    hall = FrontHall()

    status, headers, body = hall.ask("OPTIONS", "/his/api/turnPaper", Origin="http://kiosk")
    answer = hall.ask("POST", "/his/api/turnPaper", b"{}")
    other = hall.ask("OPTIONS", "/rpc", Origin="http://kiosk")

    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == "*"
    assert "POST" in headers["access-control-allow-methods"]
    assert "Content-Type" in headers["access-control-allow-headers"]
    assert answer[1]["access-control-allow-origin"] == "*"
    assert code(other) == (405, "HTTP_METHOD")
    assert other[1]["allow"] == "POST"
    assert "access-control-allow-origin" not in other[1]


def test_what_breaks_inside_is_told_by_its_reference_alone() -> None:
    async def broken(_request: Any) -> Any:
        raise ValueError("patient 张三")

    hall = FrontHall(rpc=broken)

    answer = hall.ask("POST", "/rpc")

    assert code(answer) == (500, "INTERNAL")
    assert b"ref" in answer[2]
    assert "张三" not in answer[2].decode()
    assert b"Traceback" not in answer[2]
    ((name, facts),) = hall.log.said
    assert (name, facts["error"]) == ("http.failed", "ValueError")
    assert "张三" not in str(facts)


@pytest.mark.parametrize(("host", "forwarded", "proto", "peer", "tls"), [
    ("10.1.1.1", "6.6.6.6", "https", "10.1.1.1", False),
    ("10.0.0.5", "6.6.6.6, 7.7.7.7", "https", "7.7.7.7", True),
    ("10.0.0.5", "7.7.7.7, 10.0.0.5", "http", "7.7.7.7", False),
    ("10.0.0.5", "", "", "10.0.0.5", False),
])  # fmt: skip
def test_only_our_own_proxies_are_believed(
    host: str, forwarded: str, proto: str, peer: str, tls: bool
) -> None:
    hall = FrontHall()

    hall.ask("POST", "/rpc", host=host, X_Forwarded_For=forwarded, X_Forwarded_Proto=proto)

    assert (hall.seen[0].peer, hall.seen[0].tls) == (peer, tls)


def test_an_answer_to_head_has_no_body_and_headers_say_nothing_of_us() -> None:
    status, headers, body = FrontHall().ask("HEAD", "/his/api/x")

    assert (status, body) == (200, b"")
    assert headers["server"] == "fep"
    assert headers["cache-control"] == "no-store"
