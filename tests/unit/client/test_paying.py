"""The client's till: short waits with one key until the terminal has spoken."""

from __future__ import annotations

from typing import Any

from fep.client.paying import STEP_S, Payment, Till

MEMBERS = {"unit": "u", "key": "k", "op": "pay", "way": "show", "terminal": "pos-1",
           "amount": "1.00", "ended_at": None, "id": 7}  # fmt: skip


class FrontEnd:
    """Tells one state after the other and keeps what it was asked."""

    def __init__(self, *states: str, shown: str = "") -> None:
        self.states, self.shown = list(states), shown
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def sure(self, method: str, **params: Any) -> Any:
        self.asked.append((method, params))
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"payment": {**MEMBERS, "state": state, "shown": self.shown}, "repeated": False}


def paid(front: FrontEnd, **more: Any) -> Payment:
    return Till(front.sure).pay(unit="u", key="k", terminal="pos-1", amount="1.00", **more)


def test_a_payment_is_asked_with_one_key_until_it_has_ended():
    front = FrontEnd("acked", "acked", "approved", shown="https://pay.example/1")
    seen: list[str] = []

    found = paid(front, way="show", on_shown=seen.append)

    assert found.taken
    assert ["https://pay.example/1"] == seen
    assert [("payment.pay", "k", 1)] + [("payment.pay", "k", STEP_S)] * 2 == [
        (method, params["key"], params["wait_s"]) for method, params in front.asked
    ]


def test_patience_has_an_end_and_says_what_is_known():
    front = FrontEnd("acked")

    found = paid(front, patience_s=10)

    assert found.under_way
    assert [1, STEP_S, 1, 0] == [params["wait_s"] for _, params in front.asked]


def test_an_unknown_payment_is_an_answer():
    front = FrontEnd("unknown")

    assert "unknown" == paid(front).state
    assert 1 == len(front.asked)


def test_void_refund_and_the_rest_name_their_payment():
    front = FrontEnd("approved")
    till = Till(front.sure)

    till.void(unit="u", key="v", of="k")
    till.refund(unit="u", key="r", of="k", amount="1.00")
    till.get(unit="u", key="k")
    till.inquire(unit="u", key="k")
    till.cancel(unit="u", key="k")
    till.tie(unit="u", key="k", receipt_key="e")
    till.reprint(unit="u", key="k")

    assert ["void", "refund", "get", "inquire", "cancel", "tie", "reprint"] == [
        method.removeprefix("payment.") for method, _ in front.asked
    ]
    assert [] == Till(lambda *_, **__: {"payments": []}).of(unit="u", receipt_key="e")
    assert {"of": "k", "amount": "1.00"}.items() <= front.asked[1][1].items()
