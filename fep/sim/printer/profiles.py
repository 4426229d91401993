"""What differs between makes of printer. Only numbers and capabilities; no behaviour here.

Source: TM-T88 family for `epson_full`; the Gprinter and Xprinter clones are modelled on the
gaps that their command lists leave. A field correction is a value here, not code elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Profile:
    """One make of printer. Sizes in dots of 1/203 inch and in bytes."""

    name: str
    maker: str
    model: str
    serial: str
    firmware: str = "30.02 ESC/POS"
    width_dots: int = 576
    buffer_bytes: int = 4096
    line_spacing_dots: int = 30
    # FS & is in force after power-on; western makes wait for it.
    boots_in_chinese: bool = False
    # Four-byte GB18030 characters are one glyph; otherwise they come out as two wrong ones.
    gb18030: bool = True
    process_id: bool = True
    asb: bool = True
    # ESC @ switches automatic status off until the next GS a.
    init_stops_asb: bool = True
    # DLE DC4 fn 8 clears the buffers and says so.
    clears: bool = True
    # DLE ENQ 2 clears without an error to recover from; Epson wants a recoverable error.
    enquiry_clears_always: bool = False
    near_end_sensor: bool = True
    # Says nothing at all, whatever is asked.
    mute: bool = False


_EPSON = Profile("epson_full", maker="EPSON", model="TM-T88VI", serial="SIM0000001")
_CLONE = Profile(
    "clone_no_procid",
    maker="Gprinter",
    model="GP-C80250I",
    serial="SIM0000002",
    firmware="1.0.7",
    boots_in_chinese=True,
    gb18030=False,
    process_id=False,
    init_stops_asb=False,
    enquiry_clears_always=True,
)

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        _EPSON,
        _CLONE,
        replace(
            _CLONE,
            name="clone_no_asb",
            maker="XPRINTER",
            model="XP-N160II",
            serial="SIM0000003",
            asb=False,
            clears=False,
            near_end_sensor=False,
        ),
        replace(_CLONE, name="mute", model="POS-80", serial="SIM0000004", mute=True),
    )
}
