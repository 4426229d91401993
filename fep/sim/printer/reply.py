"""Replies that are more than a status byte: identity, process id, cleared."""

from __future__ import annotations

from fep.sim.printer.profiles import Profile

CLEARED = bytes((0x37, 0x25, 0x00))


def process(process_id: bytes) -> bytes:
    """Return the reply to GS ( H fn 48."""
    return bytes((0x37, 0x22)) + process_id + b"\x00"


def identity(profile: Profile, number: int) -> bytes | None:
    """Return the reply to `GS I number`, None for a number that means nothing."""
    single = {1: 0x20, 2: 0x03, 3: 0x01}
    texts = {
        65: profile.firmware,
        66: profile.maker,
        67: profile.model,
        68: profile.serial,
        69: "CHINA GB18030" if profile.gb18030 else "CHINA GB2312",
    }
    if number in texts:
        return b"\x5f" + texts[number].encode("ascii") + b"\x00"
    # The digits mean the same as the small numbers.
    plain = number - 48 if number >= 48 else number
    return bytes((single[plain],)) if plain in single else None
