"""The glyph process: real glyphs, honest about missing ones, started again when it dies."""

from __future__ import annotations

import pytest
import pytest_twisted
from PIL import ImageFont
from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from fep.domain.faults import Refused
from fep.render import glyphs, worker
from fep.render.rasteriser import MAX_WAITING, ChildRasteriser


@pytest.fixture
def child():
    """Return a rasteriser and end its process."""
    rasteriser = ChildRasteriser(reactor)
    yield rasteriser
    rasteriser.close()


def _ink(rows: bytes) -> int:
    return sum(byte.bit_count() for byte in rows)


@pytest_twisted.ensureDeferred
async def test_rare_characters_have_glyphs_of_their_own(child):
    drawn = [await child.raster(char, 24, False) for char in "䶮𬭎㛃龘汉"]

    assert {(3, 72)} == {(width, len(rows)) for width, rows in drawn}
    assert 5 == len({rows for _, rows in drawn})
    assert all(_ink(rows) > 60 for _, rows in drawn)


@pytest_twisted.ensureDeferred
async def test_han_is_twice_as_wide_as_ascii_and_bold_is_darker(child):
    light_width, light = await child.raster("欧阳䶮 12.30", 24, False)
    bold_width, bold = await child.raster("欧阳䶮 12.30", 24, True)

    assert 12 * 12 // 8 == light_width == bold_width
    assert _ink(bold) > _ink(light) * 1.1


@pytest_twisted.ensureDeferred
async def test_a_character_no_font_has_is_told_by_name(child):
    with pytest.raises(Refused) as told:
        await child.raster("张\ue863\U0010fffe三", 24, False)

    assert "PRN_CHAR" == told.value.code
    assert "\ue863\U0010fffe" == told.value.details["chars"]


@pytest_twisted.ensureDeferred
async def test_a_process_that_dies_is_replaced(child):
    before = await child.raster("一", 24, False)
    child._child.transport.signalProcess("KILL")

    after = await child.raster("二", 24, False)

    assert 2 == child.starts
    assert before != after


@pytest_twisted.ensureDeferred
async def test_a_process_that_hangs_twice_costs_the_line_only():
    hanging = ChildRasteriser(reactor, timeout_s=0.001)

    with pytest.raises(Refused) as told:
        await hanging.raster("三", 24, False)
    starts = hanging.starts
    hanging.close()

    assert "PRN_GLYPHS" == told.value.code
    assert 2 == starts


@pytest_twisted.ensureDeferred
async def test_open_lines_are_bounded(child):
    lines = [child.raster(f"行{at}", 24, False) for at in range(MAX_WAITING)]

    with pytest.raises(Refused) as told:
        await child.raster("一行太多", 24, False)
    await gatherResults(lines)

    assert "PRN_GLYPHS" == told.value.code


def test_frames_are_whole_whatever_the_chunks():
    stream = worker.frame(b"abc") + worker.frame(b"") + worker.frame(b"x" * 300)
    frames = worker.Frames()

    payloads = [
        payload for at in range(len(stream)) for payload in frames.feed(stream[at : at + 1])
    ]

    assert [b"abc", b"", b"x" * 300] == payloads


def test_a_frame_beyond_the_bound_is_refused_by_its_length():
    with pytest.raises(worker.BadFrame):
        worker.Frames().feed(b"\xff\xff\xff\xff")


def test_a_font_that_is_installed_later_is_used_without_a_restart(tmp_path, monkeypatch):
    """The operator is told to install a font; nobody restarts the daemon for it."""
    shipped, later, latin = glyphs.REGULAR[0], tmp_path / "later.ttc", tmp_path / "latin.ttf"
    latin.write_bytes(ImageFont.load_default(24).path.getvalue())
    monkeypatch.setattr(glyphs, "REGULAR", ((str(latin), ""), (str(later), shipped[1])))
    assert "汉" == glyphs.draw("汉", 24, False).missing
    later.symlink_to(shipped[0])

    assert "" == glyphs.draw("汉", 24, False).missing
