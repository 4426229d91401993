"""The client beyond one call: lost lines, pages, subscriptions, files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.client import (
    Client,
    Connection,
    RemoteFault,
    Subscription,
    Unreachable,
    Unsubscribed,
)
from fep.client.export import encoded, write
from tests.unit.client.front_end import FrontEnd, refusal
from tests.unit.client.test_client import EVENT, KEY, RECEIPT


@pytest.fixture
def serve() -> Iterator[Callable[..., FrontEnd]]:
    """Return a starter of front-ends that are closed at the end."""
    started: list[FrontEnd] = []

    def start(answer: Any) -> FrontEnd:
        started.append(FrontEnd.tcp(answer, frame_mac=False))
        return started[-1]

    yield start
    for front_end in started:
        front_end.close()


def connect(front_end: FrontEnd, **options: Any) -> Client:
    return Client.tcp("127.0.0.1", front_end.port, appid="his", key=KEY, timeout_s=5, **options)


class Script:
    """Answers by method; `lost` calls of a method get no answer and a cut line."""

    def __init__(self, answers: dict[str, Any], lost: int = 0) -> None:
        self.answers, self.lost = answers, lost
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, request: dict[str, Any]) -> Any:
        method = request["method"]
        if method == "system.auth":
            return {"result": {"appid": "his", "rights": []}}
        self.asked.append((method, request["params"]))
        if self.lost:
            self.lost -= 1
            return None
        answer = self.answers[method]
        return answer.pop(0) if isinstance(answer, list) else answer


ISSUED = {"result": {"receipt": RECEIPT, "repeated": True}}


def test_a_call_with_a_key_is_sent_again_on_a_new_line(serve: Callable[..., FrontEnd]) -> None:
    script = Script({"receipt.issue": ISSUED}, lost=2)

    with connect(serve(script)) as client:
        receipt = client.issue(EVENT)

    assert "0000000001" == receipt.number
    assert [("receipt.issue", EVENT.params())] * 3 == script.asked


def test_tries_are_bounded_and_a_plain_call_is_never_repeated(
    serve: Callable[..., FrontEnd],
) -> None:
    script = Script({}, lost=99)
    front_end = serve(script)

    with connect(front_end, tries=2) as client, pytest.raises(Unreachable) as gone:
        client.issue(EVENT)
    with connect(front_end) as client, pytest.raises(Unreachable):
        client.call("paper.void", first="1")

    assert gone.value.sent
    assert ["receipt.issue"] * 2 + ["paper.void"] == [method for method, _ in script.asked]


def test_a_refusal_is_not_repeated(serve: Callable[..., FrontEnd]) -> None:
    script = Script({"receipt.issue": refusal("BUSY", "繁忙", "busy")})

    with connect(serve(script)) as client, pytest.raises(RemoteFault, match="BUSY"):
        client.issue(EVENT)

    assert 1 == len(script.asked)


def test_pages_are_followed_to_their_end_even_when_one_is_empty(
    serve: Callable[..., FrontEnd],
) -> None:
    pages = [
        {"result": {"receipts": [RECEIPT], "cursor": 9}},
        {"result": {"receipts": [], "cursor": 4}},
        {"result": {"receipts": [{**RECEIPT, "number": "0000000002"}], "cursor": None}},
    ]
    script = Script({"receipt.find": pages})

    with connect(serve(script)) as client:
        found = [one.number for one in client.find(payer="x")]

    assert ["0000000001", "0000000002"] == found
    assert [0, 9, 4] == [params["cursor"] for _, params in script.asked]


def test_the_end_of_a_subscription_says_where_to_go_on(serve: Callable[..., FrontEnd]) -> None:
    said = {"result": {"topics": ["receipt.sealed"], "cursor": 5}}
    front_end = serve(Script({"system.subscribe": said, "system.ping": {
        "result": {}, "method": "system.unsubscribed", "params": {"reason": "slow", "cursor": 17},
    }}))  # fmt: skip

    line = Connection.tcp("127.0.0.1", front_end.port, timeout_s=5)  # it serves one at a time
    with Subscription(line, ["receipt.sealed"]) as listening:
        quiet = listening.next(0.05)
        line.say("system.ping")
        with pytest.raises(Unsubscribed) as ended:
            listening.next(5)

    assert quiet is None
    assert ("slow", 17) == (ended.value.why, ended.value.cursor)


def test_what_an_encoding_lacks_is_named_and_shown_and_nothing_else_changes() -> None:
    rows = [["1", "2", "欧阳䶮"], ["3", "4", "张三"]]

    body, lost = encoded("欧阳䶮,张三", rows, "gbk")

    assert ("欧阳〓,张三", [("1-2", "䶮")]) == (body.decode("gbk"), lost)
    assert ("欧阳䶮".encode("gb18030"), []) == encoded("欧阳䶮", rows, "gb18030")


def test_a_file_is_complete_or_not_there(tmp_path: Path) -> None:
    def slices() -> Iterator[dict[str, Any]]:
        yield {"columns": ["a"], "rows": [["1"]], "money": []}
        raise Unreachable("gone")

    (tmp_path / "a.csv").write_text("before", "utf-8")

    with pytest.raises(Unreachable):
        write(slices(), tmp_path / "a.csv", "utf-8")

    assert ["a.csv"] == [path.name for path in tmp_path.iterdir()]
    assert "before" == (tmp_path / "a.csv").read_text("utf-8")


def test_a_text_that_looks_like_a_formula_is_quoted_and_amounts_are_not(tmp_path: Path) -> None:
    page = {"columns": ["n", "m"], "rows": [["=A1", "-5.00"], ["-x", "1.00"]], "money": [1]}

    done = write([page], tmp_path / "a.csv", "gbk")

    assert 2 == done.rows
    assert b"n,m\r\n'=A1,-5.00\r\n'-x,1.00\r\n" == (tmp_path / "a.csv").read_bytes()
