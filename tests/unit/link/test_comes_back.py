"""What the platform sends beside grants: numbers and certificates revoked, messages delivered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.store.link import CONTROL
from fep.store.link_in import EFFECTS
from fep.store.revocation import revoked_q
from fep.wire.fpb_record import Record, idem
from tests.harness.storeroom import CODE, UNIT
from tests.unit.life.ward import Ward

FIRST = "0000000001"


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    """A ward with fifty numbers in one block."""
    ward = Ward(tmp_path / "site")
    yield ward
    assert [] == ward.violations()


def _come(ward: Ward, op: str, body: dict[str, Any], identity: str) -> Any:
    """Let a record of channel 2 take effect."""
    record = Record(7, op, identity, 1, body, bytes(32), b"h" * 32)
    return ward.do("control", lambda tx: EFFECTS[CONTROL][op](tx, "province", record))


def _revoke(ward: Ward, **changes: Any) -> Any:
    body = {"code": CODE, "first": FIRST, "reason": "收回", "revoke_id": "R1", **changes}
    return _come(ward, "REVOKE", body, idem(CODE, FIRST, "REVOKE", "R1"))


def test_revoked_numbers_are_never_given_and_the_answer_names_them(ward: Ward):
    ward.issue()

    result = _revoke(ward)

    assert ("OK", "0000000002-0000000050") == (result.result, result.detail)
    (answer,) = ward.room.freeze(ward.room.draft("next"))
    assert "NUM_NONE" == answer.code
    ended = [json.loads(bytes(row.line)) for row in ward.rows("journal")]
    (line,) = [line for line in ended if line["op"] == "numbers.returned"]
    assert (True, "收回") == (line["body"]["revoked"], line["body"]["reason"])


def test_a_block_that_is_not_open_cannot_be_revoked(ward: Ward):
    _revoke(ward)

    assert ("REJECT", "NUM_BLOCK") == (_revoke(ward).result, _revoke(ward).code)


@pytest.mark.parametrize(
    ("changes", "code"), [({"reason": 5}, "shape"), ({"first": "0000000002"}, "idem")]
)
def test_a_revocation_that_does_not_hold_together_changes_nothing(
    ward: Ward, changes: dict[str, Any], code: str
):
    result = _revoke(ward, **changes)

    assert ("REJECT", code) == (result.result, result.code)
    assert ["active"] == [row.state for row in ward.rows("number_block")]


def test_a_revoked_certificate_is_remembered_once(ward: Ward):
    body = {"unit": UNIT, "serial": "004D", "reason": "遗失"}
    identity = idem(UNIT, "4d", "REVOKE_UNIT")

    results = [_come(ward, "REVOKE_UNIT", body, identity).result for _ in range(2)]
    wrong = [_come(ward, "REVOKE_UNIT", {**body, "serial": serial}, identity).code
             for serial in ("xyz", "4e", 5)]  # fmt: skip

    assert ["OK", "DUP"] == results
    assert ["shape", "idem", "shape"] == wrong
    assert {(UNIT, "4d")} == ward.room.store.read(revoked_q)


def test_a_message_that_arrived_is_shown_with_its_receipt(ward: Ward):
    receipt = ward.issue()

    results = []
    for number, said in enumerate(("untold", "told", "untold")):
        body = {"code": receipt.code, "number": receipt.number, "mark": said, "at": 5,
                "evidence": "短信回执", "mark_id": f"M{number}"}  # fmt: skip
        identity = idem(receipt.code, receipt.number, "MARK", f"M{number}")
        results.append(_come(ward, "MARK", body, identity).result)

    assert ["OK", "OK", "DUP"] == results
    assert "delivered" == ward.standing(receipt).told()["message"]
