"""The same business through three doors: the same key is the same receipt, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.counter_town import CounterTown, counter_town
from tests.harness.doors import DOORS, Day, Door, Said, Stands, now
from tests.harness.processes import Fleet


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CounterTown]:
    """A daemon with its doors open."""
    place: Path = tmp_path_factory.mktemp("doors")
    with Fleet(place / "world" / "logs") as fleet:
        yield counter_town(place, fleet)


@pytest.fixture
def doors(town: CounterTown) -> Iterator[list[Door]]:
    """One of each."""
    opened: list[Door] = [door(town) for door in DOORS]
    yield opened
    for door in opened:
        door.close()


@pytest.mark.timeout(60)
def test_the_same_key_through_any_door_is_the_same_receipt(doors: list[Door]):
    for first in doors:
        key = f"K-{first.name}"

        told = first.issue(key, "欧阳䶮", "453.34")

        assert [told] * 3 == [door.issue(key, "欧阳䶮", "453.34") for door in doors]
        assert [Stands(told, None, "")] * 3 == [door.query(key) for door in doors]


@pytest.mark.timeout(60)
def test_the_same_key_with_other_content_is_refused_at_every_door(doors: list[Door]):
    doors[0].issue("C-1", "张三", "10.00")

    for door in doors:
        with pytest.raises(Said) as said:
            door.issue("C-1", "张三", "10.01")
        assert "EVT_CONFLICT" in str(said.value) or "C-1" in str(said.value)


@pytest.mark.timeout(60)
def test_a_reversal_through_one_door_stands_at_all_of_them(doors: list[Door]):
    for first in doors:
        key = f"V-{first.name}"
        blue = first.issue(key, "李雷", "20.00")

        red = first.reverse(blue, "退费")

        assert [Stands(blue, red, "")] * 3 == [door.query(key) for door in doors]
        for other in doors:
            if other.name != first.name and {other.name, first.name} != {"socket", "rpc"}:
                with pytest.raises(Said) as said:
                    other.reverse(blue, "退费")
                assert "LIFE_REVERSED" in str(said.value) or "已冲销，不能冲销开票" in str(
                    said.value
                )


@pytest.mark.timeout(60)
def test_a_paper_exchange_through_one_door_stands_at_all_of_them(doors: list[Door]):
    for first in doors:
        key = f"P-{first.name}"
        blue = first.issue(key, "韩梅梅", "30.00")

        sheet = first.exchange(blue)

        assert [Stands(blue, None, sheet)] * 3 == [door.query(key) for door in doors]
        for door in doors:
            with pytest.raises(Said):
                door.reverse(blue, "退费")


@pytest.mark.timeout(60)
def test_every_door_tells_the_same_totals_of_the_day(doors: list[Door]):
    day = f"{now():%Y-%m-%d}"
    before = [door.totals(day) for door in doors]
    for index, door in enumerate(doors):
        receipt = door.issue(f"T-{door.name}", "总数", f"{index + 1}.05")
    doors[1].reverse(receipt, "退费")

    after = [door.totals(day) for door in doors]

    assert before[:1] * 3 == before
    assert after[:1] * 3 == after
    assert (before[0].issued + 3, before[0].reversed + 1) == (after[0].issued, after[0].reversed)
    assert 615 == _fen(after[0]) - _fen(before[0])
    assert -305 == _red(after[0]) - _red(before[0])


def _fen(day: Day) -> int:
    return int(day.issued_amount.replace(".", ""))


def _red(day: Day) -> int:
    return int(day.reversed_amount.replace(".", ""))
