"""Two readers of a call, one answer: what the quick one takes is what the careful one reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fep.domain.faults import Refused
from fep.sim.his_content import Content
from fep.sim.his_dialect import Saying
from fep.wire.dialects import medical_methods, medical_quick, standard
from fep.wire.dialects.medical_envelope import Asked
from fep.wire.dialects.medical_issue import COMMON, ISSUE, renamed
from fep.wire.dialects.medical_quick import KEPT_MAX, quick
from fep.wire.dialects.medical_table import Field, read
from tests.unit.medical.clinic import bill

TABLES = (ISSUE, COMMON, standard.ISSUE, medical_methods.BATCH, medical_methods.NOTICE)
NAMES = sorted({field.name for field in ISSUE} | {"acnumberPay", "cardno", " payer", "payer ", ""})
ROWS = ("chargeDetail", "listDetail", "payChannelDetail", "otherInfo")
IN_ROWS = ("sortNo", "chargeCode", "chargeName", "name", "unit", "std", "number", "amt", "selfAmt",
           "payChannelValue", "infoNo", "remark")  # fmt: skip
ODD: tuple[Any, ...] = (
        None, True, False, "", " ", "x", " x", "x ", "x y", "a, ", "\t", "\u3000", "\u2028", "䶮",
        "\\", '"', "null", ":null", "1", "01", "0.00", "-0.00", "12.5", "12.50", "12.505", "1e3",
        "１２", "+1", "100000000000.00", "9" * 41, "x" * 50, "x" * 51, "2026-11-21", "20261121",
        "20261121093011", "2026/1/2 08:09", "20269921", "3", "-1", "2147483648", [], {}, [None],
        [{}], "[]", 0, 1, -1, 2**31, 10**41, 12.5,
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.decimals(-1000, 1000, places=3, allow_nan=False).map(float), st.text(max_size=4),
)  # fmt: skip


def _careful(table: tuple[Field, ...], text: bytes) -> Any:
    try:
        return read(table, renamed(Asked(text, "utf-8").fields()))
    except Refused as refused:
        return refused.code


def _agree(table: tuple[Field, ...], text: bytes) -> bool:
    """Say whether the quick reader took it; what it took is what the careful one reads."""
    taken = quick(table, text)
    if taken is None:
        return False
    careful = _careful(table, text)
    assert careful == taken
    assert list(careful) == list(taken)
    return True


@settings(max_examples=200)
@given(
    st.sampled_from(TABLES),
    st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=3),
    st.lists(st.tuples(st.sampled_from(ROWS), st.sampled_from(IN_ROWS), VALUES), max_size=3),
    st.sets(st.sampled_from(NAMES), max_size=2), st.booleans(), st.booleans(),
)  # fmt: skip
def test_what_the_quick_reader_takes_the_careful_one_reads_the_same(
    table: tuple[Field, ...], outer: list[tuple[str, Any]], inner: list[tuple[str, str, Any]],
    without: set[str], tight: bool, plain: bool,
) -> None:  # fmt: skip
    call = {name: value for name, value in bill().items() if name not in without} | dict(outer)
    call["billCode"] = "0101"
    for rows, name, value in inner:
        if isinstance(call.get(rows), list):
            call[rows] = [{**row, name: value} for row in call[rows] if isinstance(row, dict)]
    text = json.dumps(call, ensure_ascii=plain, separators=(",", ":") if tight else None)

    _agree(table, text.encode(errors="replace"))


def test_no_single_odd_value_is_taken_for_another() -> None:
    plain = bill(otherInfo=[], otherMedicalList=[])
    for value in ODD:
        calls = [
            {**plain, name: value}
            for name in (
                "busNo",
                "payer",
                "totalAmt",
                "busDateTime",
                "consultationDate",
                "fundPay",
                "remark",
                "isArrears",
                "chargeDetail",
                "listDetail",
                "acnumberPay",
                " tel",
            )
        ]
        calls += [
            {**plain, rows: [{**row, name: value} for row in plain[rows]]}
            for rows in ("chargeDetail", "listDetail", "payChannelDetail")
            for name in (*plain[rows][0], "medReimburseRate", "medCareReimburseRate")
        ]
        for call in calls:
            _agree(ISSUE, json.dumps(call, ensure_ascii=False, separators=(",", ":")).encode())


def test_bills_as_they_come_are_read_quickly() -> None:
    content = Content(seed=4, unit="H001", point="001", kind="outpatient", at="20261121093011123")
    calls = [Saying().bill(content.call(number).params)[1] for number in range(60)]
    calls += [bill(otherInfo=[]), bill(otherInfo=[], tel=None, otherMedicalList=[])]
    calls[-2] |= {"otherMedicalList": [{"infoNo": "1", "infoName": "02", "infoValue": "50.00"}]}

    for call in calls:
        text = json.dumps(call, ensure_ascii=False, separators=(",", ":")).encode()
        assert _agree(ISSUE, text)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b'{"busNo":"\xff"}', b"[" * 100_000])
def test_what_is_no_call_is_left_to_the_careful_reader(text: bytes) -> None:
    assert quick(ISSUE, text) is None


def test_numbers_written_in_endless_ways_do_not_fill_memory() -> None:
    for number in range(KEPT_MAX + 10):
        row = {"chargeCode": "1", "chargeName": "x", "amt": "1.00", "std": f"1.{number:04d}1"}
        text = json.dumps(bill(chargeDetail=[row], otherInfo=[], otherMedicalList=[]),
                          ensure_ascii=False, separators=(",", ":"))  # fmt: skip
        assert quick(ISSUE, text.encode()) is not None

    assert len(medical_quick._shapes["price"]) <= KEPT_MAX
