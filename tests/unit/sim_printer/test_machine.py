"""The mechanism: order of replies, paper, cover, cutter, heat, and what each of them keeps."""

from __future__ import annotations

import pytest

from tests.unit.sim_printer.bench import CUT, INIT, fence, fenced, han, raster

STATUS = b"\x10\x04"
ASB = b"\x1da\xff"
ENQ1, ENQ2 = b"\x10\x05\x01", b"\x10\x05\x02"
CLEAR = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
CLEARED = b"\x37\x25\x00"
# Ten lines of 30 rows a second.
SLOW = {"lines_s": 10.0, "cut_s": 0.5}


# replies in order and at once
def test_a_fence_is_answered_when_what_came_before_is_on_paper(bench):
    b = bench(**SLOW)

    b.feed(b"one\ntwo\n" + CUT + fence(b"J001"))

    b.clock.pump([0.05] * 4)
    assert ([], []) == (b.heard, b.lines())
    b.clock.pump([0.05] * 15)
    assert ([fenced(b"J001")], [["one", "two"]]) == (b.heard, b.lines())
    b.clock.pump([0.1] * 5)


def test_fences_and_status_requests_keep_their_order(bench):
    b = bench()

    b.feed(fence(b"AAAA") + b"\x1dr\x01x\n" + fence(b"BBBB") + b"\x1dr2\x1dIC" + fence(b"CCCC"))

    assert [
        fenced(b"AAAA"), b"\x00", fenced(b"BBBB"), b"\x00", b"\x5fTM-T88VI\x00", fenced(b"CCCC"),
    ] == b.heard  # fmt: skip


def test_a_real_time_request_overtakes_what_is_buffered(bench):
    b = bench(**SLOW)

    b.feed(b"one\n" + fence(b"AAAA") + STATUS + b"\x01")
    b.clock.pump([0.1] * 3)

    assert [b"\x12", fenced(b"AAAA")] == b.heard


def test_a_real_time_request_leaves_no_trace_on_paper(bench):
    b = bench()

    b.feed(b"a" + STATUS + b"\x04b\n" + CUT)

    assert [["ab"]] == b.lines()


def test_identity_of_every_kind(bench):
    b = bench("clone_no_procid")

    b.feed(b"".join(b"\x1dI" + bytes((n,)) for n in (1, 49, 2, 65, 66, 67, 68, 69)))

    assert [b"\x20", b"\x20", b"\x03"] == b.heard[:3]
    assert [b"1.0.7", b"Gprinter", b"GP-C80250I", b"SIM0000002", b"CHINA GB2312"] == [
        block[1:-1] for block in b.heard[3:]
    ]


@pytest.mark.parametrize(
    ("profile", "heard"),
    [
        ("epson_full", [b"\x10\x00\x00\x0f", b"\x00", fenced(b"AAAA"), CLEARED]),
        ("clone_no_procid", [b"\x10\x00\x00\x0f", b"\x00", CLEARED]),
        ("clone_no_asb", [b"\x00"]),
        ("mute", []),
    ],
)
def test_profiles_answer_what_their_makes_answer(bench, profile, heard):
    b = bench(profile)

    for question in (ASB, b"\x1dr\x01", fence(b"AAAA"), CLEAR):
        b.feed(question)

    assert heard == b.heard
    b.feed(b"still prints\n" + CUT)
    assert [["still prints"]] == b.lines()


# automatic status
def test_automatic_status_comes_at_once_and_on_every_change(bench):
    b = bench()
    b.feed(ASB)

    for open_ in (True, True, False):
        b.printer.state.cover_open = open_
        b.printer.settle()

    assert ["1000000f", "3800000f", "1000000f"] == [status.hex() for status in b.heard]


def test_only_what_is_asked_for_is_reported(bench):
    b = bench()
    b.feed(b"\x1da\x08")

    b.printer.state.cover_open = True
    b.printer.settle()
    b.printer.load_paper(10)

    assert ["1000000f", "3800030f"] == [status.hex() for status in b.heard]


def test_automatic_status_ends_with_zero_and_with_esc_at(bench):
    for end in (b"\x1da\x00", b"\x1b@"):
        b = bench()
        b.feed(ASB + end)

        b.printer.state.cover_open = True
        b.printer.settle()

        assert ["1000000f"] == [status.hex() for status in b.heard]


# paper
def test_paper_nears_its_end_then_ends_in_the_middle_of_a_line(bench):
    b = bench(paper_rows=100, near_end_rows=60)
    b.feed(ASB)

    b.feed(INIT + ASB + b"one\ntwo\nthree\nfour\nfive\n" + CUT + fence(b"AAAA"))

    reports = [status.hex() for status in b.heard[2:]]
    assert ["1000030f", "18000f0f"] == reports
    assert [(False, ["one", "two", "three", "four"], 100)] == [
        (sheet["cut"], sheet["lines"], sheet["rows"]) for sheet in b.sheets()
    ]


def test_after_new_paper_the_rest_of_the_job_comes_out_on_it(bench):
    b = bench(paper_rows=100, near_end_rows=0)
    b.feed(b"one\ntwo\nthree\nfour\nfive\n" + CUT + fence(b"AAAA"))
    assert [] == b.heard

    b.printer.load_paper(5000)

    assert [(False, 100), (True, 50)] == [(s["cut"], s["rows"]) for s in b.sheets()]
    assert ["five"] == b.sheets()[1]["lines"]
    assert [fenced(b"AAAA")] == b.heard


def test_without_paper_requests_in_order_wait_and_real_time_ones_do_not(bench):
    b = bench()
    b.printer.end_paper()

    b.feed(b"\x1dr\x01" + STATUS + b"\x02" + STATUS + b"\x04")

    assert [b"\x32", b"\x7e"] == b.heard
    b.printer.load_paper(5000)
    assert [b"\x32", b"\x7e", b"\x03"] == b.heard or [b"\x32", b"\x7e", b"\x00"] == b.heard


def test_a_picture_torn_by_the_paper_end_goes_on_where_it_stopped(bench):
    b = bench(paper_rows=100)

    b.feed(raster(72, 150) + CUT)
    b.printer.load_paper(5000)

    assert [(100, 1), (50, 1)] == [(sheet["rows"], sheet["images"]) for sheet in b.sheets()]


# cover
def test_an_open_cover_stops_and_a_closed_one_goes_on(bench):
    b = bench()
    b.printer.state.cover_open = True
    b.printer.settle()

    b.feed(b"x\n" + CUT + STATUS + b"\x02")
    assert ([b"\x16"], []) == (b.heard, b.sheets())

    b.printer.state.cover_open = False
    b.printer.settle()
    assert [["x"]] == b.lines()


# cutter
def jam(b) -> None:
    b.printer.state.cutter_fails_next = True
    b.feed(b"one\n" + CUT + b"two\n" + CUT)
    assert [] == b.sheets()


def test_a_jammed_cutter_stops_and_enq_1_goes_on_with_the_cut(bench):
    b = bench()
    jam(b)
    b.feed(STATUS + b"\x03" + ENQ1)
    assert ([b"\x1a"], []) == (b.heard, b.sheets())

    b.printer.state.cutter_blocked = False
    b.feed(ENQ1)

    assert [["one"], ["two"]] == b.lines()


def test_enq_2_forgets_the_rest_but_not_the_paper(bench):
    b = bench()
    jam(b)
    b.printer.state.cutter_blocked = False

    b.feed(ENQ2 + b"new\n" + CUT)

    assert [["one", "new"]] == b.lines()


def test_enq_2_clears_without_an_error_on_clones_alone(bench):
    for profile, printed in (("epson_full", [["old", "new"]]), ("clone_no_procid", [["new"]])):
        b = bench(profile)
        b.printer.end_paper()
        b.feed(b"old\n" + ENQ2)

        b.printer.load_paper(5000)
        b.feed(b"new\n" + CUT)

        assert printed == b.lines()


# heat and the end
def test_a_hot_head_cools_by_itself(bench):
    b = bench()

    b.printer.heat(3.0)
    b.feed(b"x\n" + CUT + STATUS + b"\x03")
    assert ([b"\x52"], []) == (b.heard, b.sheets())
    b.clock.advance(3.1)

    assert [["x"]] == b.lines()


def test_a_fatal_error_ends_with_the_power_alone(bench):
    b = bench()
    b.printer.state.fatal = True
    b.printer.settle()
    b.feed(b"x\n" + CUT + ENQ1 + ENQ2 + STATUS + b"\x03")
    assert ([b"\x32"], []) == (b.heard, b.sheets())

    b.printer.power_off()
    b.printer.power_on()
    b.feed(b"y\n" + CUT)

    assert [["y"]] == b.lines()


# what is kept and what is lost
def test_a_disconnect_keeps_the_buffer(bench):
    b = bench(**SLOW)
    b.feed(b"one\ntwo\n" + CUT + fence(b"AAAA"))

    b.printer.detach()
    b.clock.pump([0.1] * 20)

    assert ([["one", "two"]], []) == (b.lines(), b.heard)
    assert [fenced(b"AAAA").hex()] == [e["hex"] for e in b.events("reply.withheld")]


def test_power_off_loses_the_buffer_and_keeps_the_paper(bench):
    b = bench(**SLOW)
    b.feed(b"one\ntwo\nthree\n" + CUT)
    b.clock.pump([0.01] * 15)

    b.printer.power_off()
    b.printer.power_on()
    b.feed(b"new\n" + CUT)
    b.clock.pump([0.1] * 20)

    assert [["one", "two", "new"]] == b.lines()


def test_clear_empties_the_buffer_and_says_so(bench):
    b = bench()
    b.printer.end_paper()
    b.feed(b"old\n" + CUT + raster(72, 40)[:1000])

    b.feed(CLEAR)
    assert 0 == b.printer.facts()["buffered"]
    b.printer.load_paper(5000)
    b.feed(b"new\n" + CUT)

    assert [CLEARED] == b.heard
    assert [["new"]] == b.lines()


def test_an_interrupted_picture_swallows_the_next_job(bench):
    b = bench()
    b.feed(raster(72, 400)[:500])

    b.feed(b"next job\n" + CUT)

    assert [] == b.sheets()
    b.feed(bytes(72 * 400) + b"\x1b@second\n" + CUT)
    assert [["second"]] == b.lines()


def test_the_buffer_takes_what_it_holds_and_no_more(bench):
    b = bench()
    b.printer.end_paper()

    assert 4096 == b.feed(b"x" * 5000)
    assert 0 == b.printer.room
    b.printer.load_paper(50_000)
    assert 4096 == b.printer.room


def test_what_is_printed_survives_any_splitting(bench):
    job = INIT + han("门诊票据\n") + raster(4, 16) + b"1.00\n" + CUT + fence(b"AAAA")
    results = []
    for size in (1, 2, 3, 7, 64, 0):
        b = bench()
        b.feed(job, size=size)
        results.append((b.sheets(), b.heard))

    assert [results[0]] * 6 == results
    assert [fenced(b"AAAA")] == results[0][1]


def test_drawer_and_buzzer_are_in_the_journal(bench):
    b = bench()

    b.feed(b"\x1bp\x012\x32\x1bB\x03\x02")

    assert ([1], [3]) == (
        [event["pin"] for event in b.events("drawer.pulse")],
        [event["times"] for event in b.events("buzzer")],
    )
