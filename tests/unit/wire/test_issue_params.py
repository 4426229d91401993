"""Bad input gets a stable code that names the field; both readers agree."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.domain.faults import Refused
from fep.wire import issue_params

from .events import event


def _refusal(params: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        issue_params.parse(params)
    return caught.value


def _item(**changes: Any) -> list[dict[str, Any]]:
    return [{"code": "1", "name": "诊察费", "amount": "126.50"} | changes]


CASES = [
    (event(total="1e30"), "REQ_FIELD_MONEY", "total"),
    (event(total="NaN"), "REQ_FIELD_MONEY", "total"),
    (event(total="126.500"), "REQ_FIELD_MONEY", "total"),
    (event(total=126.5), "REQ_FIELD_TYPE", "total"),
    (event(total="0.00"), "EVT_TOTAL", ""),
    (event(total="-126.50"), "EVT_TOTAL", ""),
    (event(total="126.51"), "EVT_ITEMS_SUM", ""),
    (event(items=_item(amount="126.505")), "REQ_FIELD_MONEY", "items[0].amount"),
    (event(items=_item(std="1.0000001")), "REQ_FIELD_DECIMAL", "items[0].std"),
    (event(items=[]), "EVT_ITEMS_NONE", ""),
    (event(channels=[{"code": "02", "amount": "1.00"}]), "EVT_CHANNELS_SUM", ""),
    (event(channels=[{"code": "02", "amount": "1.001"}]), "REQ_FIELD_MONEY",
     "channels[0].amount"),
    (event(key=None), "REQ_FIELD_MISSING", "key"),
    (event(payer={"name": ""}), "REQ_FIELD_MISSING", "payer.name"),
    (event(payer={"name": "王", "sex": "1"}), "REQ_FIELD_UNKNOWN", "payer.sex"),
    (event(payer={"name": "王", "type": "3"}), "REQ_FIELD_VALUE", "payer.type"),
    (event(totl="1"), "REQ_FIELD_UNKNOWN", "totl"),
    (event(key="K" * 51), "REQ_FIELD_LENGTH", "key"),
    (event(payer={"name": "王\x1dV\x00"}), "REQ_FIELD_TEXT", "payer.name"),
    (event(ext={"gender": "男\x1b@"}), "REQ_FIELD_TEXT", "ext.gender"),
    (event(ext={"gender": 1}), "REQ_FIELD_TYPE", "ext.gender"),
    (event(items={"a": 1}), "REQ_FIELD_TYPE", "items"),
    ([], "REQ_FIELD_TYPE", "params"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "code", "field"), CASES)
def test_bad_input_is_refused_by_code_and_field(params: Any, code: str, field: str):
    refused = _refusal(params)

    assert (code, field) == (refused.code, str(refused.details.get("field", "")))
    assert refused.zh
    assert refused.en


def test_blanks_are_made_plain_and_rare_characters_kept():
    read = issue_params.parse(event(payer={"name": "欧阳\t䶮\r\n𬭎㛃"}))

    assert "欧阳 䶮  𬭎㛃" == read.payer.name


def test_too_many_details_are_refused():
    many = event(details=[{"item": "1", "name": "x"}] * 11)

    with pytest.raises(Refused) as caught:
        issue_params.parse(many, details_max=10)

    assert "REQ_FIELD_LENGTH" == caught.value.code


texts = st.text(st.characters(codec="utf-8"), max_size=8)
amounts = st.sampled_from(["1.00", "1.0", "1", "-1", "1.001", "x", "", "1e2"])
values = st.one_of(texts, amounts, st.none(), st.integers(), st.booleans())


@given(
    st.sampled_from(["key", "total", "cashier", "print", "occurred_at", "nosuch"]),
    values,
    st.sampled_from(["amount", "std", "name", "unit", "nosuch"]),
    values,
    st.sampled_from(["name", "type", "code", "nosuch"]),
    values,
)
def test_the_quick_reader_answers_what_the_careful_one_answers(
    top: str, top_value: Any, item: str, item_value: Any, payer: str, payer_value: Any
):
    params = event()
    params[top] = top_value
    params["items"][0][item] = item_value
    params["payer"][payer] = payer_value

    quick = issue_params._quick(msgspec.json.encode(params), 100)

    if quick is not None and not _has_odd_text(params):
        assert issue_params.careful(params) == quick


def _has_odd_text(value: Any) -> bool:
    """Text the quick reader is never shown: `parse` hands it to the careful one."""
    if isinstance(value, str):
        return not value.isprintable()
    if isinstance(value, dict):
        return any(_has_odd_text(inner) for inner in value.values())
    return isinstance(value, list) and any(_has_odd_text(inner) for inner in value)
