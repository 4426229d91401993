"""Recorded conversations of a HIS, one a version of the dialect: what is sent, what comes back.

They are written from the published field tables, not from this program. A step of `.in` is
`> method name` and the fields sent; of `.out`, `< result name` and the message. In both,
"$name.field" is a field of the answer of that step; in answers "~…" is a pattern. A message
has exactly the fields written there: clients index them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.medical.clinic import Clinic

TALKS = Path(__file__).parent / "medical"
PATTERNS = {
    "~code": r"[0-9]{8}",
    "~number": r"[0-9]{10}",
    "~check": r"[0-9a-zA-Z]{6}",
    "~at": r"20[0-9]{15}",
    "~png": r"iVBORw0KGgo[0-9A-Za-z+/]{100,496}={0,2}",
    "~url": r"https?://\S{8,52}",
}

# facts/his-api 9, tiers 1 and 2, with what was added to them.
OFFERED = {
    "testServerConnect", "invoiceEBillOutpatient", "invEBillHospitalized", "invEBillRegistration",
    "invEBillCheckUp", "invoiceEBillCommon", "writeOffEBill", "writeOffEBillToPaper",
    "getEBillByBusNo", "getEBillStatesByBillInfo", "getPaperBillNo", "turnPaper", "reTurnPaper",
    "invalidPaper", "invalidBlankBillNo", "getEBillUnPrintList", "getEBillPrintList",
    "getNotPrintList", "getBillDetail", "getValidBillNo", "getValidBillBatchCode",
    "checkTotalData", "checkWriteOffData", "checkDataByPlace", "checkTotalDataByIvcDate",
    "checkDataPlaceByIvcDate", "checkWriteOffDataByIvcDate", "getBillByBusDate",
    "getBillByIvcDate", "getEBillPicUrl", "getEBillNotifyPic", "getEBillAccountStatus",
    "getElectBilllListTotal", "sendBillNotice", "batchInvoiceEBillOutpatient",
    "batchInvoiceEBillHospitalized", "batchInvoiceEBillRegistration",
    "batchInvoiceEBillCheckUp", "getBatchInvoiceEBill",
}  # fmt: skip


def steps(text: str, mark: str) -> Iterator[tuple[str, str, Any]]:
    """Yield (word, name, JSON or text) of a conversation."""
    for part in re.split(rf"(?m)^{mark} ", text)[1:]:
        head, _, body = part.partition("\n")
        word, _, name = head.partition(" ")
        body = body.strip()
        yield word, name, json.loads(body) if body[:1] in ("{", "[") else body


def told(value: Any, answers: dict[str, Any]) -> Any:
    """Return a value with every "$name.field" filled in."""
    if isinstance(value, dict):
        return {name: told(one, answers) for name, one in value.items()}
    if isinstance(value, list):
        return [told(one, answers) for one in value]
    if isinstance(value, str) and value.startswith("$"):
        name, _, field = value[1:].partition(".")
        return answers[name][field]
    return value


def unlike(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Return where an answer is not what is written."""
    if isinstance(wanted, str) and wanted.startswith("~"):
        pattern = PATTERNS.get(wanted, wanted[1:])
        good = isinstance(found, str) and re.fullmatch(pattern, found)
        return [] if good else [f"{path}: {found!r} is not {wanted}"]
    if isinstance(wanted, dict) and isinstance(found, dict):
        if set(wanted) != set(found):
            return [f"{path}: fields {sorted(set(wanted) ^ set(found))}"]
        return [
            line for name in wanted for line in unlike(wanted[name], found[name], f"{path}.{name}")
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [
            line for place, (one, other) in pairs for line in unlike(one, other, f"{path}[{place}]")
        ]
    same = wanted == found and type(wanted) is type(found)
    return [] if same else [f"{path}: {found!r} is not {wanted!r}"]


@pytest.mark.parametrize("version", ["203", "310", "320"])
def test_a_his_of_each_version_is_answered_as_its_tables_say(tmp_path: Path, version: str):
    clinic = Clinic(tmp_path)
    asked = list(steps((TALKS / f"{version}.in").read_text("utf-8"), ">"))
    expected = list(steps((TALKS / f"{version}.out").read_text("utf-8"), "<"))
    assert [name for _, name, _ in asked] == [name for _, name, _ in expected]
    answers: dict[str, Any] = {}
    wrong: list[str] = []

    for (method, name, fields), (result, _, message) in zip(asked, expected, strict=True):
        clinic.tick()
        found = clinic.call(method, told(fields, answers))
        answers[name] = found[1]
        lines = unlike(told(message, answers), found[1])
        if found[0] != result:
            lines = [f"{found[0]} is not {result}: {found[1]}"]
        wrong += [f"{method} ({name}){line}" for line in lines]
    clinic.close()

    assert [] == wrong


def test_the_conversations_hold_every_method_that_is_offered():
    talked = {
        method
        for path in TALKS.glob("*.in")
        for method, _, _ in steps(path.read_text("utf-8"), ">")
    }

    assert set() == OFFERED - talked
