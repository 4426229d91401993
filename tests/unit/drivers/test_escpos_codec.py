"""ESC/POS bytes: golden, and what must never be in them."""

from __future__ import annotations

import pytest
from escpos.printer import Dummy
from hypothesis import given
from hypothesis import strategies as st

from drivers.escpos import codec
from drivers.escpos.profile import BadProfile, Profile, load, names, parse
from fep.domain.printing import Columns, Feed, Qr, Rule, Slip, Text

PLAIN = Profile(asb=False)


def _body(*parts: object, profile: Profile = PLAIN) -> bytes:
    slip = Slip(tuple(parts))  # type: ignore[arg-type]  # parts of a test
    rasters = {wish: codec.Raster(2, b"\x81\x42" * 24) for wish in codec.wishes(slip, profile)}
    return codec.body(slip, profile, rasters)


def test_job_opens_with_reset_chinese_mode_and_line_feed_and_ends_with_cut():
    assert bytes.fromhex("1b40 1c26 1b3320 1d5642 00") == _body()


def test_job_asks_for_automatic_status_where_the_profile_has_it():
    assert b"\x1d\x61\xff" in _body(profile=Profile())


def test_han_text_is_gbk_pairs_and_ascii_single_bytes():
    assert bytes.fromhex("c6b1bedd 203132 0a") in _body(Text("票据 12"))


def test_style_is_switched_on_before_a_line_and_off_after_it():
    expected = bytes.fromhex("1b6101 1b4501 1d2111") + "合计".encode("gbk")
    expected += bytes.fromhex("0a 1b4a08 1d2100 1b4500 1b6100")

    assert expected in _body(Text("合计", "center", bold=True, size=2))


def test_columns_are_padded_by_two_columns_a_han_character():
    line = Columns((("西药费", 10, "left"), ("9.00", 10, "right")))

    assert "西药费          9.00\n".encode("gbk") in _body(line)


def test_rule_and_feed():
    assert b"-" * 48 + b"\n\n\n" in _body(Rule(), Feed(2))


def test_qr_is_byte_for_byte_what_python_escpos_builds():
    dummy = Dummy()
    dummy.qr("https://a.example/v?n=1", native=True, size=5, ec=1, center=False)
    functions = b"".join(b"\x1d(k" + piece for piece in dummy.output.split(b"\x1d(k")[1:]).rstrip(
        b"\n"
    )

    ours = _body(Qr("https://a.example/v?n=1"))

    assert functions in ours


def test_rare_character_turns_its_whole_line_into_raster():
    out = _body(Text("欧阳䶮"))

    assert "欧阳".encode("gbk") not in out
    assert b"?" not in out
    assert b"\x1dv0\x00\x02\x00\x18\x00" + b"\x81\x42" * 24 + b"\x1bJ\x08" in out


def test_rare_character_goes_as_four_bytes_where_the_profile_says_so():
    assert "䶮".encode("gb18030") in _body(Text("䶮"), profile=Profile(gb18030=True))


def test_yen_sign_outside_gbk_is_drawn_not_replaced():
    assert (codec.RasterWish("¥12", 24, False),) == codec.wishes(Slip((Text("¥12"),)), PLAIN)


def test_tall_raster_doubles_its_rows():
    out = _body(Text("䶮", tall=True))

    assert b"\x1dv0\x00\x02\x00\x30\x00" + b"\x81\x42\x81\x42" * 24 in out


@pytest.mark.parametrize("text", ["a\x1bb", "\x10\x04\x01", "x\x00", "\x7f", "\u202e", "a\nb"])
def test_control_characters_are_refused(text):
    with pytest.raises(codec.ControlInText):
        _body(Text(text))


def test_control_characters_in_a_qr_code_are_refused():
    with pytest.raises(codec.ControlInText):
        _body(Qr("a\x1d(k"))


def test_qr_and_slip_are_bounded():
    with pytest.raises(codec.TooLong):
        _body(Qr("9" * 600))
    with pytest.raises(codec.TooLong):
        _body(*[Text("票" * 20_000)] * 20)


def test_qr_is_drawn_where_the_device_cannot():
    out = _body(Qr("1"), profile=Profile(qr_native=False, asb=False))

    assert b"\x1d(k" not in out
    assert b"\x1dv0\x00\x48\x00" in out


@given(st.text(st.characters(codec="gb18030", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_text_is_never_altered_and_never_holds_a_command(text):
    encoded = codec.encode_text(text, PLAIN)

    if encoded is None:
        with pytest.raises(UnicodeEncodeError):
            text.encode("gbk")
    else:
        assert text == encoded.decode("gbk")
        assert all(byte >= 0x20 for byte in encoded)


@given(st.binary(min_size=1, max_size=400), st.integers(1, 8))
def test_image_bytes_never_read_as_a_realtime_command(dots, width):
    dots = dots.ljust(-(-len(dots) // width) * width, b"\x10")

    out = codec.raster_bytes(codec.Raster(width, dots), 4)

    for live in (b"\x10\x04", b"\x10\x05", b"\x10\x14"):
        assert live not in out


@given(st.integers(1, 40), st.integers(1, 600), st.integers(1, 128))
def test_image_slices_add_up(width, rows, each):
    out = codec.raster_bytes(codec.Raster(width, bytes(width * rows)), each)

    count = 0
    while out:
        assert out[:4] == b"\x1dv0\x00"
        assert int.from_bytes(out[4:6], "little") == width
        high = int.from_bytes(out[6:8], "little")
        assert 1 <= high <= each
        count += high
        out = out[8 + width * high :]
    assert rows == count


def test_every_shipped_profile_loads():
    assert ("epson-80", "gprinter-80", "hprt-80", "sunmi-80", "xprinter-80") == names()
    for name in names():
        assert 576 == load(name).width_dots


def test_unknown_profile_and_unknown_key_are_refused():
    for name in ("nobody-80", "../escpos/x", ""):
        with pytest.raises(BadProfile):
            load(name)
    with pytest.raises(BadProfile):
        parse("colour = true", "x")
    with pytest.raises(BadProfile):
        parse("columns = '48'", "x")


def test_fence_and_clear_commands_are_the_documented_bytes():
    assert bytes.fromhex("1d28480600 3030 61623132") == codec.process_id("ab12")
    assert bytes.fromhex("1d7201") == codec.FENCE_PAPER
    assert bytes.fromhex("100502") == codec.CLEAR_ENQ
    assert bytes.fromhex("10140801031401060208") == codec.CLEAR_DC4
    assert bytes.fromhex("100404") == codec.status_query(4)
