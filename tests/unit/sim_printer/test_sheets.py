"""Sheets: numbers that go on, files that are whole, digests of the bytes."""

from __future__ import annotations

import pytest

from fep.sim import sm
from tests.unit.sim_printer.bench import AT_MS, CUT, INIT, Bench, han, qr, raster


def test_a_sheet_has_its_three_files_and_all_facts(bench):
    b = bench(png=True)
    job = INIT + han("票据") + b"\n" + raster(2, 8) + CUT

    b.feed(job)

    names = sorted(path.name for path in b.paper.iterdir() if path.name != "journal.jsonl")
    assert ["sheet-000001.json", "sheet-000001.png", "sheet-000001.txt"] == names
    assert [
        {
            "sheet": 1, "cut": True, "at": AT_MS, "lines": ["票据"], "qr": [], "images": 1,
            "raw_sm3": sm.sm3(job).hex(), "rows": 38,
        }
    ] == b.sheets()  # fmt: skip
    assert "票据\n[图]\n" == (b.paper / "sheet-000001.txt").read_text()


def test_numbers_go_on_after_a_restart_of_the_process(bench, tmp_path):
    first = Bench(tmp_path / "paper")
    first.feed(b"a\n" + CUT + b"b\n" + CUT)

    second = Bench(tmp_path / "paper")
    second.feed(b"c\n" + CUT)

    assert [(1, ["a"]), (2, ["b"]), (3, ["c"])] == [
        (sheet["sheet"], sheet["lines"]) for sheet in second.sheets()
    ]


def test_a_sheet_without_its_json_was_never_there(bench, tmp_path):
    paper = tmp_path / "paper"
    paper.mkdir()
    (paper / "sheet-000001.png").write_bytes(b"half")
    (paper / ".sheet-000002.json.part").write_bytes(b"{")

    b = Bench(paper)
    b.feed(b"a\n" + CUT)

    assert [1] == [sheet["sheet"] for sheet in b.sheets()]


@pytest.mark.parametrize(
    "cut", [b"\x1dV\x00", b"\x1dV\x01", b"\x1dV0", b"\x1dV1", b"\x1dVA\x10", b"\x1dVB\x10",
            b"\x1dVa\x10", b"\x1dVb\x10", b"\x1dVg\x10", b"\x1dVh\x10", b"\x1bi", b"\x1bm"],
    ids=bytes.hex,
)  # fmt: skip
def test_every_form_of_cut_cuts(bench, cut):
    b = bench()

    b.feed(b"a\n" + cut + b"b\n" + cut)

    assert [["a"], ["b"]] == b.lines()


def test_cutting_twice_cuts_nothing_the_second_time(bench):
    b = bench()

    b.feed(b"a\n" + CUT + CUT + b"b\n" + CUT)

    assert [["a"], ["b"]] == b.lines()


def test_the_digest_covers_the_bytes_of_one_sheet_alone(bench):
    b = bench()
    jobs = [b"a\n" + CUT, b"b\n" + qr(b"x") + CUT]

    b.feed(b"".join(jobs), size=5)

    assert [sm.sm3(job).hex() for job in jobs] == [s["raw_sm3"] for s in b.sheets()]


def test_what_hangs_out_at_the_end_is_a_sheet_that_was_not_cut(bench):
    b = bench()
    b.feed(b"a\n")

    b.printer.put_away()

    assert [(False, ["a"])] == [(sheet["cut"], sheet["lines"]) for sheet in b.sheets()]


def test_everything_received_and_sent_is_in_the_journal(bench):
    b = bench()

    b.feed(b"abc\x10\x04\x01\n", size=3)

    assert "61626310040" + "10a" == "".join(e["hex"] for e in b.events("received"))
    assert ["12"] == [event["hex"] for event in b.events("sent")]
