"""The MISPOS driver against the simulated terminal: what each answer and silence proves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.mispos import codec, load, parse_options
from drivers.mispos.codec import Damaged, Frame, Reader
from fep.domain.payment import Op, Totals, Verdict, Way
from fep.sim.pos import wire
from tests.device.pos_rig import Counter, order

MARK = b"\x02\x00\x0b\x04\x01000001"


def said(reply):
    return reply.verdict.value, reply.fault


# the codec
def test_a_frame_is_what_the_vendor_s_rule_says():
    made = codec.encode(Frame(3, 1, b"PI\x1c"))

    assert b"\x02\x00\x0b\x03\x01000001PI\x1c\x03" == made[:-1]
    assert wire.checksum(made[1:-1]) == made[-1]


FRAMES = [
    Frame(4, 7, b"01\x1c" + b"\x03\x02" * 5 + b"\x1c"), Frame(4, 999_999, b"\x0600\x1c"),
    Frame(6, 1, bytes(range(256))),
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=12), st.binary(max_size=40))
def test_any_split_of_a_stream_with_noise_before_it_gives_the_same_frames(cuts, noise):
    stream = noise.replace(b"\x02", b"?") + b"".join(map(codec.encode, FRAMES))
    reader, found, last = Reader(), [], 0
    for cut in sorted(cut for cut in cuts if cut < len(stream)):
        found += reader.feed(stream[last:cut])
        last = cut
    found += reader.feed(stream[last:])

    assert FRAMES == found


def test_a_megabyte_of_noise_keeps_at_most_one_frame():
    reader = Reader()
    for _ in range(256):
        reader.feed(b"\x02\x0f\xf0\x04\x01999999" * 372)
        assert len(reader._data) <= codec.FRAME_MAX
    reader.stale()

    assert len(reader._data) <= codec.FRAME_MAX


def test_a_frame_whose_end_never_comes_is_given_up_for_the_one_inside():
    reader, whole = Reader(), codec.encode(FRAMES[0])

    assert [] == reader.feed(b"\x02\x04\x00\x04\x01000009" + whole)
    assert [FRAMES[0]] == reader.stale()


def test_a_wrong_sum_is_told_apart_from_noise():
    whole = codec.encode(FRAMES[0])

    assert [Damaged()] == Reader().feed(whole[:-1] + bytes((whole[-1] ^ 1,)))


# payments
@pytest.mark.parametrize("way", list(Way))
def test_an_approved_payment_is_told_with_its_record_and_masked_card(way: Way):
    counter = Counter(card_s=20, pin_s=10, host_s=3)
    asked = order(way=way, code="6217" if way is Way.SCAN else "")

    reply = counter.pay(asked)

    assert ("approved", "") == said(reply)
    assert (asked.serial, 1234) == (reply.record.serial, reply.record.amount_fen)
    assert "622202*********0123" == reply.record.pan
    assert [asked.serial] == counter.acks
    assert 1 == counter.host.debits(asked.serial)


def test_single_bytes_on_the_line_change_nothing():
    counter = Counter()
    counter.cable.split = 1

    assert ("approved", "") == said(counter.pay(order()))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("decline", ("declined", "POS_DECLINED")),
        ("cancel", ("cancelled", "POS_CANCELLED")),
        ("host_timeout", ("silent", "POS_UNKNOWN")),
    ],
)
def test_what_host_and_payer_say_is_told_apart(answer: str, told: tuple[str, str]):
    assert told == said(Counter(answer=answer).pay(order()))


def test_refused_frames_are_sent_again_and_charged_once():
    counter = Counter(naks=3)

    assert ("approved", "") == said(counter.pay(order()))
    assert 1 == counter.host.debits(order().serial)


def test_four_refused_frames_prove_that_nothing_was_taken():
    counter = Counter(naks=4)

    assert ("not_sent", "POS_NOT_SENT") == said(counter.pay(order()))
    assert [] == counter.host.lines


def test_a_refusal_that_may_hide_a_lost_acknowledgement_is_inquired_and_not_sent_again():
    """The terminal took it, its acknowledgement was lost, and then it complains of its printer."""
    counter = Counter(lost_acks=1, sour_replies=1)

    assert ("silent", "POS_UNKNOWN") == said(counter.pay(order()))

    assert 1 == counter.terminal.heard.count("01")
    assert 1 == counter.host.debits(order().serial)
    assert ("approved", "") == said(counter.done(counter.driver.inquire(order())))


def test_a_busy_terminal_after_a_damaged_frame_proves_nothing():
    """The refusal of the first frame may be what was damaged."""
    counter = Counter(naks=1)
    counter.terminal.after_nak = lambda: setattr(counter.knobs, "busy", True)

    assert ("silent", "POS_UNKNOWN") == said(counter.pay(order()))


def test_silence_never_sends_a_payment_again():
    counter = Counter(lost_acks=1, lost_replies=1)

    reply = counter.pay(order())

    assert ("silent", "DEV_TIMEOUT") == said(reply)
    assert 1 == counter.terminal.heard.count("01")
    assert ("approved", "") == said(counter.done(counter.driver.inquire(order())))


@pytest.mark.parametrize("fault", ["wrong_ids", "wrong_amounts"])
def test_a_reply_that_is_not_ours_is_dropped_and_the_record_asked_for(fault: str):
    counter = Counter(**{fault: 1})

    assert ("silent", "DEV_TIMEOUT") == said(counter.pay(order()))
    assert ("approved", "") == said(counter.done(counter.driver.inquire(order())))


def test_a_record_of_another_amount_is_a_mismatch():
    counter = Counter(lost_replies=1, wrong_records=1)
    counter.pay(order())

    assert ("mismatch", "POS_MISMATCH") == said(counter.done(counter.driver.inquire(order())))


def test_a_damaged_reply_is_asked_for_again():
    counter = Counter(bad_replies=1)

    assert ("approved", "") == said(counter.pay(order()))
    assert 1 == counter.host.debits(order().serial)


def test_a_doubled_reply_is_not_taken_for_the_next_payment_s():
    counter = Counter(doubled_replies=1)
    counter.pay(order())

    second = counter.pay(order("26112112000000000002", 500))

    assert ("approved", "") == said(second)
    assert 500 == second.record.amount_fen


def test_a_late_reply_of_an_earlier_payment_is_dropped():
    counter = Counter(late_s=200)
    assert ("silent", "DEV_TIMEOUT") == said(counter.pay(order()))
    counter.knobs.late_s = 0

    second = counter.pay(order("26112112000000000002", 500))

    assert "26112112000000000002" == second.record.serial


def test_a_busy_terminal_is_waited_for():
    counter = Counter(busy=True)

    assert "POS_BUSY" == counter.done(counter.driver.prepare())
    assert ("silent", "POS_BUSY") == said(counter.done(counter.driver.inquire(order())))


def test_an_idle_terminal_without_a_record_says_so():
    counter = Counter()
    counter.driver = counter.new_driver()

    assert ("absent", "POS_ABSENT") == said(counter.done(counter.driver.inquire(order())))


def test_it_signs_in_by_itself_and_tells_a_full_batch():
    counter = Counter(batch_max=1)

    assert ("approved", "") == said(counter.pay(order()))
    assert counter.terminal.signed_in
    assert "POS_BATCH_FULL" == counter.done(counter.driver.prepare())


def test_another_terminal_on_the_line_is_refused():
    counter = Counter()
    counter.driver = counter.new_driver(terminal="87654321")

    assert "DEV_IDENTITY" == counter.done(counter.driver.prepare())


def test_a_dark_terminal_is_told_as_unreachable_or_silent():
    counter = Counter()
    counter.cable.unplugged = True
    assert "DEV_UNREACHABLE" == counter.done(counter.driver.prepare())

    counter.cable.unplugged, counter.knobs.mute = False, True
    assert "DEV_TIMEOUT" == counter.done(counter.driver.prepare())
    assert "DEV_TIMEOUT" == counter.done(counter.driver.ping())


def test_void_and_refund_give_the_money_back():
    counter = Counter()
    first = counter.pay(order()).record
    void = order("26112112000000000002", op=Op.VOID, original_trace=first.trace)
    assert ("approved", "") == said(counter.pay(void))
    second = counter.pay(order("26112112000000000003", 900)).record
    refund = order("26112112000000000004", 400, Op.REFUND, original_ref=second.ref,
                   original_day="20261121")  # fmt: skip
    assert ("approved", "") == said(counter.pay(refund))

    assert 500 == sum(counter.host.net(s) for s in {e["serial"] for e in counter.host.lines})


@pytest.mark.parametrize("lost", [0, 1])
def test_a_settlement_tells_its_totals_also_when_its_reply_is_lost(lost: int):
    counter = Counter()
    counter.pay(order())
    counter.knobs.lost_replies = lost

    assert Totals("000001", 1, 1234, 0, 0) == counter.done(counter.driver.settle())
    assert 1 == counter.terminal.heard.count("52")


def test_a_slip_is_printed_again_by_our_serial():
    counter = Counter()
    counter.pay(order())

    assert "" == counter.done(counter.driver.reprint(order().serial))
    assert "DEV_PROTOCOL" == counter.done(counter.driver.reprint("1"))


@pytest.mark.parametrize("crash", ["before_ack", "after_ack", "after_host", "after_approval",
                                   "mid_reply"])  # fmt: skip
def test_a_terminal_that_goes_dark_leaves_the_payment_to_its_record(crash: str):
    counter = Counter(crash=crash)

    reply = counter.pay(order())
    counter.clock.advance(2.0)
    asked = counter.done(counter.driver.inquire(order()))

    assert Verdict.SILENT is reply.verdict
    charged = counter.host.debits(order().serial)
    assert ("approved" if charged else "absent") == asked.verdict.value
    assert charged == (crash in ("after_approval", "mid_reply"))


def test_a_payer_is_let_go_before_the_host_was_asked_and_not_after():
    counter = Counter(card_s=10)
    counter.clock.callLater(5, counter.driver.cancel)
    assert ("cancelled", "POS_CANCELLED") == said(counter.pay(order()))

    counter.knobs.card_s, counter.knobs.host_s = 0, 10
    counter.clock.callLater(5, counter.driver.cancel)
    second = counter.pay(order("26112112000000000002"))

    assert ("approved", "") == said(second)
    assert 1 == len(counter.host.lines)


def test_what_the_terminal_wants_shown_is_told_and_acknowledged():
    counter = Counter(card_s=1)
    shown: list[str] = []
    counter.driver.on_shown = shown.append

    counter.pay(order(way=Way.SHOW))
    counter.pay(order("26112112000000000002"))

    assert [f"https://pay.example/q/{order().serial}", "请插卡或挥卡"] == shown
    assert 2 == counter.terminal.noticed


def test_a_notice_never_shows_a_card_number():
    told = codec.notice("97\x1c卡号 6222021234567890123 请输入密码\x1c".encode("gbk"))

    assert "卡号 622202*********0123 请输入密码" == told


def test_the_last_batch_it_closed_is_told_until_the_next_one_is():
    counter = Counter()
    counter.pay(order())
    assert "POS_ABSENT" == counter.done(counter.driver.last_settled())

    counter.terminal.night()
    assert Totals("000001", 1, 1234, 0, 0) == counter.done(counter.driver.last_settled())
    counter.done(counter.driver.prepare())
    assert "000002" == counter.driver.batch


def test_a_site_corrects_a_code_of_its_vendor():
    raw = {"transport": {"type": "tcp", "host": "pos"}, "options": {"code_busy": "Z3 Z4",
           "code_refund_card": "05", "merchant": "1"}}  # fmt: skip

    options = parse_options(raw)
    profile = load("landfone").with_codes(options.codes)

    assert {"Z3", "Z4"} == profile.busy
    assert "05" == profile.commands[Op.REFUND, Way.CARD]
    assert "01" == profile.commands[Op.PAY, Way.CARD]
    with pytest.raises(ValueError, match="no code bussy"):
        parse_options({**raw, "options": {"code_bussy": "Z3"}})
