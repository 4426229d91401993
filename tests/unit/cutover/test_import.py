"""`fepctl receipts import`: a file is there as a whole or not at all, and answers everywhere."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fep.client import Client, RemoteFault
from fep.domain.calendar import CST
from fep.sim.his_content import Content
from fep.wire.old_receipts import Row, Wrong, rows_of, text_of
from tests.harness.town import program
from tests.unit.cutover.office import Office

HEAD = (
    "票据代码,票据号码,校验码,业务流水号,交款人,金额,开票时间,状态,票据种类,红票代码,红票号码,"
    "开票点,收费员,项目\n"
)
LINES = (
    "42060121,0000000101,af3c4e,OLD-1,张三丰,12.30,20260131093000000,正常,门诊,,,,,\n"
    "42060121,0000000102,b87b2c,OLD-2,李四,400.00,2026-02-01 10:00:00,已冲红,门诊,"
    "42060121,0000000900,,,\n"
    "42060121,0000000104,c3c23a,OLD-4,赵六,20.30,20260202093000000,正常,outpatient,,,"
    "001,孙七,060101:诊察费:12.30;060107:西药费:8.00\n"
)


def lines(text: str) -> list[tuple[int, str]]:
    """Return line and column of everything wrong in a file."""
    found = [row for row in rows_of(text, "U") if isinstance(row, Wrong)]
    return [(wrong.line, wrong.column) for wrong in found]


def test_a_column_is_known_by_its_name_in_any_of_three_tongues():
    dialect = "billBatchCode,billNo,totalAmt,createTime,random\n1,00000002,3.00,20260131,x\n"
    (row,) = rows_of(dialect, "U")

    assert isinstance(row, Row)
    assert ("1", "00000002", 300, "x") == (
        row.values["code"], row.values["number"], row.amount_fen, row.values["check_code"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("1,00000002,abc,20260131", "amount"),
        ("1,00000002,3.00,yesterday", "issued_at"),
        ("1,00000002,3.00,2026/2/30 8:00", "issued_at"),
        ("1,2,3.00,20260131", "number"),
        ("1,,3.00,20260131", "number"),
        ("4.2E+7,00000002,3.00,20260131", "code"),
        (f"1,{'2' * 21},3.00,20260131", "number"),
    ],
)
def test_what_cannot_be_read_is_told_by_line_and_column(line: str, column: str):
    text = f"code,number,amount,issued_at\n7,00000008,1.00,20260131\n{line}\n"

    assert [(3, column)] == lines(text)


def test_a_time_is_read_as_a_spreadsheet_rewrites_it():
    text = "code,number,amount,issued_at\n7,00000008,1.00,2026/1/5 8:05\n"

    (row,) = rows_of(text, "U")

    assert isinstance(row, Row)
    assert datetime(2026, 1, 5, 8, 5, tzinfo=CST).timestamp() * 1000 == row.issued_at


def test_a_receipt_twice_in_a_file_is_an_error_of_the_second_line():
    text = "code,number,amount,issued_at\n1,00000002,1.00,20260131\n1,00000002,1.00,20260131\n"

    assert [(3, "number")] == lines(text)
    assert [(1, "number")] == lines("code,amount,issued_at\n")


def test_a_file_may_be_gbk_or_utf_8_with_a_mark():
    assert HEAD == text_of(HEAD.encode("gbk"))
    assert HEAD == text_of(HEAD.encode("utf-8-sig"))


@pytest.fixture(scope="module")
def taken(office: Office, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """The office with a file of three old receipts in it."""
    file = tmp_path_factory.mktemp("csv") / "old.csv"
    file.write_text(HEAD + LINES, "gbk")
    looked = office.ctl("receipts", "import", str(file))
    told = office.ctl("receipts", "import", str(file), "--apply", "--reason", "割接")
    again = office.ctl("receipts", "import", str(file), "--apply", "--reason", "割接")
    assert (3, 0, 3, 0) == (looked["new"], looked["imported"], told["imported"], again["new"])
    (entry,) = office.journal("receipts.imported")
    assert (3, 43260) == (entry["body"]["count"], entry["body"]["amount_fen"])
    return office


def his_key(office: Office) -> str:
    """Return the key of the caller that the site was founded with."""
    return (office.town.place / "keys" / "caller-his.key").read_text().strip()


def test_an_old_receipt_is_found_at_the_socket_by_number_and_by_key(taken: Office):
    with Client.tcp("127.0.0.1", taken.town.port, appid="his", key=his_key(taken).encode()) as one:
        by_number = one.call("receipt.get", code="42060121", number="0000000101")["receipt"]
        by_key = one.call("receipt.get", unit=taken.town.unit, key="OLD-2")["receipt"]
        found = one.call("receipt.find", key="OLD-1")["receipts"]

    assert ("imported", "12.30", "OLD-1") == (
        by_number["state"], by_number["amount"], by_number["key"]
    )  # fmt: skip
    assert "reversed" == by_key["life"]
    assert [by_number] == found


def test_what_the_former_system_issued_is_not_issued_again(taken: Office):
    content = Content(seed=5, unit=taken.town.unit, point=taken.town.point, kind="outpatient",
                      at="20261121093000000")  # fmt: skip
    bill = json.loads(content.call(1).params)
    with Client.tcp("127.0.0.1", taken.town.port, appid="his", key=his_key(taken).encode()) as one:
        with pytest.raises(RemoteFault, match="OLD_KEY"):
            one.call("receipt.issue", **{**bill, "key": "OLD-1"})
        after_red = one.call("receipt.issue", **{**bill, "key": "OLD-2"})

    assert "OLD-2" == after_red["receipt"]["key"]


def ask(office: Office, method: str, **fields: Any) -> tuple[str, Any]:
    """Call a method of medical-web."""
    return office.dialect(f"/medical-web/api/medical/{method}", "his", his_key(office), fields)


def test_an_old_receipt_answers_the_dialect(taken: Office):
    bill = {"billBatchCode": "42060121", "billNo": "0000000102"}
    state, told = ask(taken, "getEBillStatesByBillInfo", **bill)
    found, by_bus_no = ask(taken, "getEBillByBusNo", busNo="OLD-1", busDateTime="20260131093000000")

    assert ("S0000", "1", "0000000900") == (state, told["isScarlet"], told["scarletBillNo"])
    assert ("S0000", "af3c4e") == (found, by_bus_no["random"])
    assert by_bus_no["billQRCode"]


def test_an_old_receipt_without_its_items_is_not_reversed_and_says_why(taken: Office):
    paper = {"reason": "r", "operator": "o", "busDateTime": "20260301093000000",
             "placeCode": taken.town.point}  # fmt: skip
    live, why = ask(taken, "writeOffEBill", billBatchCode="42060121", billNo="0000000101", **paper)
    red, phrase = ask(taken, "writeOffEBill", billBatchCode="42060121", billNo="0000000102",
                      **paper)  # fmt: skip

    assert live != "S0000"
    assert "OLD_CONTENT" in why
    assert red != "S0000"
    assert "已冲销，不能冲销开票" in phrase


def test_where_the_province_allows_it_a_red_receipt_of_ours_reverses_an_old_one(taken: Office):
    fields = {"billBatchCode": "42060121", "billNo": "0000000104", "reason": "退费",
              "operator": "孙七", "busDateTime": "20261121093000000",
              "placeCode": taken.town.point}  # fmt: skip
    result, told = ask(taken, "writeOffEBill", **fields)
    again, phrase = ask(taken, "writeOffEBill", **fields)
    _, states = ask(taken, "getEBillStatesByBillInfo", **fields)
    name = f"{told['eScarletBillBatchCode']}-{told['eScarletBillNo']}"
    shown = taken.ctl("receipts", "show", name)
    slip = taken.town.place / "red.png"
    taken.ctl("receipts", "render", name, "--format", "slip", "--out", str(slip))

    assert "S0000" == result, told
    assert "S0000" != again
    assert "已冲销，不能冲销开票" in phrase
    assert ("1", told["eScarletBillNo"]) == (states["isScarlet"], states["scarletBillNo"])
    assert "-20.30" in json.dumps(shown)
    assert slip.read_bytes().startswith(b"\x89PNG")
    now = datetime.now(CST)
    shift = taken.ctl("day", "shift", "孙七", "--from", f"{now - timedelta(days=1):%Y-%m-%d %H:%M}",
                      "--to", f"{now + timedelta(hours=1):%Y-%m-%d %H:%M}")  # fmt: skip
    (day,) = shift["units"]
    with Client.tcp("127.0.0.1", taken.town.port, appid="his", key=his_key(taken).encode()) as one:
        feed = one.call("event.list", since=0, limit=500)["events"]
    _, own = ask(taken, "getEBillStatesByBillInfo", billBatchCode=told["eScarletBillBatchCode"],
                 billNo=told["eScarletBillNo"])  # fmt: skip
    number = told["eScarletBillNo"]

    assert ["reversed"] == [
        e["type"] for e in feed if e["receipt"] and e["receipt"]["amount"] == "-20.30"
    ]
    assert ("1", number) == (own["isScarlet"], own["scarletBillNo"])
    assert [("060101", -1230), ("060107", -800)] == [
        (item["item"], item["net_fen"]) for item in day["items"]
    ]
    (entry,) = taken.journal("receipt.reversing_old")
    assert ("42060121-0000000104", name) == (entry["ref"], entry["body"]["red"])


def test_the_technician_finds_it_with_the_payer_masked(taken: Office):
    told = taken.ctl("receipts", "find", "OLD-1")

    assert ["张**"] == [one["payer"] for one in told["imported"]]


def test_a_file_with_one_wrong_line_changes_nothing(taken: Office, tmp_path: Path):
    file = tmp_path / "bad.csv"
    good = "42060121,0000000103,c,OLD-3,王五,1.00,20260201,正常,,,,,,\n"
    changed = LINES.splitlines(True)[0].replace("12.30", "99.00")
    file.write_text(HEAD + good + changed, "utf-8")
    command = [program("fepctl"), "-c", str(taken.town.config), "receipts", "import", str(file),
               "--apply", "--reason", "r"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)

    assert 1 == done.returncode
    with (
        Client.tcp("127.0.0.1", taken.town.port, appid="his", key=his_key(taken).encode()) as one,
        pytest.raises(RemoteFault, match="RCP_UNKNOWN"),
    ):
        one.call("receipt.get", code="42060121", number="0000000103")
