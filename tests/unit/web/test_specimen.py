"""Test units: 样票 on everything, numbers of a person only, nothing leaves, no budget used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fep.domain.columns import columns
from fep.domain.faults import Refused
from fep.domain.link_budget import OfflineBudget
from fep.domain.printing import Text
from fep.render.slip import SPECIMEN, WIDTH, slip
from fep.services.budget import unanswered_q
from fep.services.specimen import admit
from fep.store import issuing, numbers, specimen
from tests.harness.checkers import check_all
from tests.harness.storeroom import CODE, UNIT, Storeroom
from tests.unit.desk.desk_site import _UNIT
from tests.unit.render_page.views import FACE
from tests.unit.services.counter import Counter, Notes

TEST_UNIT = replace(_UNIT, test=True, dest="")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Storeroom]:
    """An open store with ten numbers a person imported, at a site whose unit is a test unit."""
    room = Storeroom(tmp_path / "site")
    (tmp_path / "site" / "units").mkdir()
    (tmp_path / "site" / "units" / "u.toml").write_text(f'code = "{UNIT}"\ntest = true\n')
    room.open()
    room.grant(1, 10)
    yield room
    room.close()


def _sealed(room: Storeroom, key: str, dest: str = "") -> Any:
    (frozen,) = room.freeze(room.draft(key, test=not dest))
    receipt = frozen.receipt
    original = room.store.read(lambda conn: frozen.original)
    seal = issuing.Seal(receipt, room.cert_id, room.key.sign(original), dest, "")
    room.done(room.store.group("seal", issuing.seal_txn, seal))
    return receipt


def test_a_specimen_has_no_upload_row_and_the_checkers_want_it_so(room: Storeroom) -> None:
    _sealed(room, "OP1")
    room.close()

    assert [] == [str(found) for found in check_all(room.site, None, None, None)]


def test_the_checkers_find_a_specimen_that_would_leave(room: Storeroom) -> None:
    _sealed(room, "OP1", dest="province")
    room.close()

    found = [str(each) for each in check_all(room.site, None, None, None)]

    assert found == [f"I6: {CODE}-0000000001 (sealed) has 1 upload rows"]


def test_a_group_of_real_and_test_receipts_uploads_the_real_ones(room: Storeroom) -> None:
    frozen = room.freeze(*(room.draft(key) for key in ("OP1", "OP2", "OP3")))
    seals = [
        issuing.Seal(each.receipt, room.cert_id, room.key.sign(each.original), dest, "")
        for each, dest in zip(frozen, ("province", "", "province"), strict=True)
    ]

    room.all_of([room.store.group("seal", issuing.seal_txn, seal) for seal in seals])

    rows = room.store.read(
        lambda conn: conn.exec_driver_sql("SELECT id, receipt_id FROM upload").fetchall()
    )
    assert [tuple(row) for row in rows] == [(1, 1), (2, 3)]


def test_a_used_up_budget_does_not_stop_specimens_and_they_use_none(tmp_path: Path) -> None:
    counter = Counter(tmp_path / "site", limits=OfflineBudget(None, 2, None))
    try:
        answers = [counter.issued(f"T{n}", test=True) for n in range(4)]
        answers += [counter.issued(f"R{n}") for n in range(3)]

        codes = [answer if isinstance(answer, str) else "" for answer in answers]
        assert codes[:-1] == [""] * 6
        assert codes[-1] == "OFF_COUNT"
        assert counter.budget.use().count == 2
    finally:
        counter.close()


def test_a_specimen_whose_signer_is_silent_gives_no_share_back(tmp_path: Path) -> None:
    counter = Counter(tmp_path / "site", limits=OfflineBudget(None, 5, None))
    try:
        counter.issued("R1")
        counter.signer.at_once = False
        counter.call("T1", test=True)

        counter.wait(4)

        assert counter.budget.use().count == 1
    finally:
        counter.close()


def test_after_a_restart_frozen_specimens_are_not_counted(room: Storeroom) -> None:
    room.freeze(room.draft("OP1", test=True))

    assert room.store.read(unanswered_q) == (1, 1234)
    assert room.store.read(unanswered_q, {UNIT}) == (0, 0)


# numbers
def _grant(room: Storeroom, source: str, first: int = 100) -> numbers.Grant:
    return numbers.Grant(UNIT, CODE, f"{first:010d}", f"{first + 9:010d}", source, "evidence")


def test_blocks_of_the_platform_are_laid_aside_at_start(room: Storeroom) -> None:
    room.done(room.store.do("grant", numbers.grant_txn, _grant(room, "platform")))

    admit(room.store, {UNIT: TEST_UNIT}, Notes())

    assert [block.first for block in room.store.heads.blocks[UNIT, CODE]] == [1]


def test_a_grant_for_a_test_unit_is_journalled_and_not_taken(room: Storeroom) -> None:
    blocks = dict(room.store.heads.blocks)

    taken = room.done(room.store.do("g", specimen.grant_refused_txn, _grant(room, "platform")))

    assert taken is False
    assert room.store.heads.blocks == blocks


# a unit never changes its mind
def test_a_unit_that_issued_real_receipts_never_becomes_a_test_unit(room: Storeroom) -> None:
    _sealed(room, "OP1", dest="province")

    admit(room.store, {UNIT: _UNIT}, Notes())
    with pytest.raises(Refused) as refused:
        admit(room.store, {UNIT: TEST_UNIT}, Notes())

    assert (refused.value.code, refused.value.details["was"]) == ("UNIT_TEST", "false")


def test_a_test_unit_never_becomes_a_real_one(room: Storeroom) -> None:
    _sealed(room, "OP1")

    admit(room.store, {UNIT: TEST_UNIT}, Notes())
    with pytest.raises(Refused) as refused:
        admit(room.store, {UNIT: _UNIT}, Notes())

    assert (refused.value.code, refused.value.details["was"]) == ("UNIT_TEST", "true")


def test_before_its_first_receipt_a_unit_may_become_either(room: Storeroom) -> None:
    admit(room.store, {UNIT: TEST_UNIT}, Notes())
    admit(room.store, {UNIT: _UNIT}, Notes())


# on paper
def test_a_slip_says_it_first_and_last() -> None:
    texts = [part.text for part in slip(replace(FACE, specimen=True)).parts
             if isinstance(part, Text)]  # fmt: skip

    assert (texts[0], texts[-1]) == (SPECIMEN, SPECIMEN)
    assert columns(SPECIMEN) <= WIDTH


def test_a_real_slip_never_says_it() -> None:
    assert SPECIMEN not in repr(slip(FACE))
