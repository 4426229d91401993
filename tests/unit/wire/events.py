"""A plain outpatient event in the shape of `receipt.issue`."""

from __future__ import annotations

import copy
from typing import Any

_EVENT: dict[str, Any] = {
    "unit": "H001", "point": "001", "kind": "outpatient", "key": "OP1",
    "payer": {"name": "欧阳䶮", "type": "1", "code": "420982198803120059"},
    "total": "126.50",
    "items": [
        {"code": "060103", "name": "化验费", "amount": "106.50", "unit": "项", "std": "35.5",
         "number": "3"},
        {"code": "060101", "name": "诊察费", "amount": "20.00"},
    ],
    "details": [{"item": "060103", "name": "血清肌酐测定", "amount": "35.5000", "std": "35.5",
                 "number": "1.00"}],
    "channels": [{"code": "11", "amount": "100.00"}, {"code": "05", "amount": "26.50"}],
    "cashier": "王芳", "occurred_at": "20261121083015120", "ext": {"gender": "男"},
}  # fmt: skip


def event(**changes: Any) -> dict[str, Any]:
    """Return params with some members changed; None takes a member out."""
    params = copy.deepcopy(_EVENT)
    for name, value in changes.items():
        if value is None:
            params.pop(name, None)
        else:
            params[name] = value
    return params
