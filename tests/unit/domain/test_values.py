"""Small values: dates of the business day, columns of paper, names, masks, what is left."""

from __future__ import annotations

import pytest

from fep.domain import calendar, columns, numbers
from fep.domain.event import BillingEvent, Channel, Item, Payer, check
from fep.domain.kind import Kind, Mapped
from fep.domain.kind_check import admit
from fep.domain.life_red import Ask
from fep.domain.life_sheet import SheetBlock
from fep.domain.link_budget import MS_PER_HOUR, OfflineBudget, OfflineUse
from fep.domain.link_window import Flight
from fep.domain.numbers import Block
from fep.domain.printing import JobFacts, JobState, Step, decide, retry_after_s
from fep.domain.receipt import Receipt, ReceiptState
from fep.domain.text import mask_name

NEW_YEAR_MS = 1_798_732_800_000  # 2027-01-01 00:00 +08:00


def _event(*amounts: int, channels: tuple[Channel, ...] = ()) -> BillingEvent:
    items = tuple(Item(f"0{n}", f"项目{n}", fen) for n, fen in enumerate(amounts))
    payer = Payer(name="欧阳䶮")
    return BillingEvent("U", "001", "k", "K1", payer, sum(amounts), items, (), channels)


def _kind(**changes: object) -> Kind:
    values = {"id": "k", "name": "票据", "receipt_class": "06", "main_ext": (),
              "code_template": "{area2}0601{yy}", "specimen_template": "{code}"}  # fmt: skip
    return Kind(**{**values, **changes})  # type: ignore[arg-type]  # a table of mixed values


@pytest.mark.parametrize(
    ("at_ms", "day", "text"),
    [(NEW_YEAR_MS - 1, "2026-12-31", "2026-12-31T23:59:59+08:00"),
     (NEW_YEAR_MS, "2027-01-01", "2027-01-01T00:00:00+08:00")],
)  # fmt: skip
def test_a_business_day_turns_at_midnight_in_beijing(at_ms: int, day: str, text: str):
    assert (day, text) == (calendar.day_of(at_ms), calendar.iso(at_ms))
    assert at_ms == calendar.to_ms(calendar.local(at_ms))


def test_a_chinese_character_takes_two_columns_and_a_letter_one():
    assert (1, 2) == (columns.char_columns("A"), columns.char_columns("票"))
    assert 8 == columns.columns("A票据 号")


@pytest.mark.parametrize(
    ("align", "padded"), [("left", "票   "), ("right", "   票"), ("center", " 票  ")]
)
def test_text_is_padded_to_its_columns(align: str, padded: str):
    assert padded == columns.pad("票", 5, align)
    assert "票据号码" == columns.pad("票据号码", 5, align)


def test_a_line_is_broken_at_its_width_and_never_before_its_first_character():
    assert ("票A", "据") == columns.wrap("票A据", 3)
    assert ("票", "据") == columns.wrap("票据", 1)
    assert ("",) == columns.wrap("", 8)


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("王五、赵六、钱七、吴十）", 10, ("王五、赵", "六、钱七、", "吴十）")),
        ("葡萄糖注射液 500ml", 16, ("葡萄糖注射液 ", "500ml")),
        ("检查费（双侧）", 8, ("检查费", "（双侧）")),
        ("d'Artagnan Mueller", 15, ("d'Artagnan ", "Mueller")),
        ("票据号码0000012345", 12, ("票据号码", "0000012345")),
        ("0123456789012", 5, ("01234", "56789", "012")),
        ("。。。", 2, ("。", "。", "。")),
    ],
)
def test_words_and_closing_marks_stay_together_where_it_costs_little(
    text: str, width: int, lines: tuple[str, ...]
):
    assert lines == columns.wrap(text, width)
    assert text == "".join(lines)


def test_what_moves_the_cursor_or_hides_is_no_text_for_paper():
    assert columns.has_control("a\x1bb")
    assert not columns.has_control("票据 A")
    assert "a b c" == columns.clean("a\nb\tc\u202e\x1b")


def test_the_way_of_paying_is_part_of_what_makes_two_events_the_same():
    cash, card = _event(100, channels=(Channel("02", 100),)), _event(100)

    check(cash)
    check(card)
    assert cash.content() != card.content()
    assert cash.content() == _event(100, channels=(Channel("02", 100),)).content()


def test_a_strict_kind_takes_an_event_within_its_rules():
    kind = _kind(required=("key", "payer.name"), negative_lines=False, overflow="refuse",
                 item_limit=2)  # fmt: skip

    admit(kind, _event(100, 200))
    assert 300 == _event(100, 200).total_fen


def test_items_and_captions_stand_in_their_own_orders_and_the_rest_follows():
    labels = (Mapped("A", "ext.a", "性别"), Mapped("B", "ext.b"), Mapped("C", "ext.c", "年龄"))
    kind = _kind(item_order=("项目1",), main_ext=labels, face_order=("年龄",))

    assert ["项目1", "项目0"] == [item.name for item in kind.ordered(_event(1, 2).items)]
    assert ["年龄", "性别"] == [member.label for member in kind.faced]


def test_a_wish_to_reverse_is_the_same_for_the_same_receipt_whatever_is_said():
    ask = Ask("U", "R1", "42060126", "0000000007", "退费")

    assert "42060126-0000000007" == ask.blue
    assert ask.content() == Ask("U", "R2", "42060126", "0000000007", "录错", "王芳").content()
    assert ask.content() != Ask("U", "R1", "42060126", "0000000008", "退费").content()


def test_a_sheet_is_named_with_its_zeros():
    block = SheetBlock(1, "U", "001", "042126", 1, 30, 12, 8)

    assert (19, "042126-00000012") == (block.left, block.ref(block.next))


def test_numbers_in_hand_are_those_of_all_blocks_and_expired_ones_are_passed_over():
    old, good = Block(1, "U", "C", 1, 3, 2, 500), Block(2, "U", "C", 7, 7, 7)

    assert 3 == numbers.left((old, good))
    assert (2, 1) == (numbers.take((old, good), 500) or ())[:2]
    assert (7, 2, (old,)) == numbers.take((old, good), 501)
    assert numbers.take((old,), 501) is None


def test_the_limit_of_one_receipt_holds_once_the_platform_is_silent():
    budget = OfflineBudget(None, None, None, 500)

    assert budget.verdict(OfflineUse(119_999), 501) is None
    assert "OFF_SINGLE" == getattr(budget.verdict(OfflineUse(120_000), 501), "code", "")
    assert budget.verdict(OfflineUse(120_000), 500) is None


def test_a_limit_of_nothing_is_used_up():
    assert 100 == OfflineBudget(None, 0, None, None).used_percent(OfflineUse())
    assert 0 == OfflineBudget(None, None, None, None).warning(OfflineUse(MS_PER_HOUR, 9, 9))


def test_a_flight_ends_with_its_last_record():
    assert 14 == Flight(1, 1, 10, 5, 100, b"").last_rec


def test_a_printer_is_tried_again_after_growing_pauses():
    assert [1.0, 1.0, 2.0, 5.0, 10.0, 30.0, 30.0] == [retry_after_s(n) for n in range(7)]


def test_paper_that_is_out_asks_for_nothing_more():
    assert (JobState.PRINTED, ()) == decide(JobState.STREAMING, Step.PRINTED, JobFacts(1))


def test_a_caller_is_told_the_facts_of_a_receipt():
    receipt = Receipt(
        1, 1, "U", "k", "001", "42060126", "0000000007", ReceiptState.SEALED, -1230, "a1B2c3",
        "欧阳䶮", NEW_YEAR_MS, "2027-01-01", "K1",
    )  # fmt: skip

    told = receipt.told()
    assert ("-12.30", "2027-01-01T00:00:00+08:00") == (told["amount"], told["issued_at"])
    assert ("42060126-0000000007", "7000000000-62106024") == (receipt.ref, told["einvoice_id"])


def test_a_name_is_masked_but_for_its_first_character():
    assert ("欧**", "王", "") == (mask_name("欧阳䶮"), mask_name("王"), mask_name(""))
