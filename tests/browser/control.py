"""One call over the control socket, and a receipt to ask for."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

ANSWER_S = 20.0
NAME = '欧阳䶮<b onclick="x()">&'


def call(path: Path, method: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a method; an error fails the test."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(ANSWER_S)
        line.connect(str(path))
        with line.makefile("rwb") as file:
            file.readline()
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": asked}
            file.write(json.dumps(request, ensure_ascii=False).encode() + b"\n")
            file.flush()
            answer = json.loads(file.readline())
    assert "result" in answer, answer
    result: dict[str, Any] = answer["result"]
    return result


def params(unit: str, key: str, **changes: Any) -> dict[str, Any]:
    """Return the params of an outpatient receipt of 453.34 yuan."""
    asked: dict[str, Any] = {
        "key": key, "unit": unit, "point": "001", "kind": "outpatient",
        "payer": {"name": NAME, "type": "1", "code": "420982199001010059"}, "total": "453.34",
        "items": [
            {"code": "01", "name": "西药费", "number": "1", "unit": "项", "amount": "200.50"},
            {"code": "02", "name": "检查费（CT 平扫及三维重建）", "number": "2", "unit": "次",
             "amount": "252.84", "remark": "含造影剂"},
        ],
        "details": [
            {"item": "01", "code": f"D{n}", "name": f"阿莫西林胶囊 {n}", "spec": "0.25g*24",
             "unit": "盒", "number": "1", "std": "12.5", "amount": "12.5"}
            for n in range(1, 17)
        ],
        "channels": [{"code": "11", "amount": "300.00"}, {"code": "05", "amount": "153.34"}],
        "cashier": "李四", "author": "张三", "checker": "王复核", "remark": "复诊",
        "occurred_at": "20261121113000000", "print": False,
        "ext": {
            "gender": "女", "org_type": "综合医院", "patient_no": "MZ0001",
            "visit_date": "20261121", "insurance_type": "职工", "insurance_no": "Y123",
            "fund_pay": "300.00", "other_pay": "0.00", "account_pay": "100.00",
            "cash_pay": "53.34", "self_pay": "53.34", "self_cost": "0.00",
        },
    }  # fmt: skip
    return {**asked, **changes}
