"""What a page printer's reasons mean to us (RFC 8011 5.4.12, PWG 5100.9)."""

from __future__ import annotations

from collections.abc import Iterable

_SEVERITIES = ("-error", "-warning", "-report")
# The word a reason begins with, and the fault it is.
_STOPPING = (
    ("media-empty", "PRN_PAPER_END"), ("media-needed", "PRN_PAPER_END"),
    ("media-jam", "PRN_JAM"), ("cover-open", "PRN_COVER_OPEN"), ("door-open", "PRN_COVER_OPEN"),
    ("interlock-open", "PRN_COVER_OPEN"), ("input-tray-missing", "PRN_PAPER_END"),
    ("toner-empty", "PRN_TONER"), ("marker-supply-empty", "PRN_TONER"),
    ("output-area-full", "PRN_OUTPUT_FULL"), ("fuser-over-temp", "PRN_OVERHEAT"),
    ("paused", "PRN_PAUSED"), ("moving-to-paused", "PRN_PAUSED"),
    ("offline", "DEV_UNREACHABLE"), ("shutdown", "DEV_UNREACHABLE"),
    ("timed-out", "DEV_UNREACHABLE"), ("connecting-to-device", "DEV_UNREACHABLE"),
)  # fmt: skip
_WARNING = (
    ("media-low", "PRN_PAPER_NEAR_END"), ("toner-low", "PRN_TONER_LOW"),
    ("marker-supply-low", "PRN_TONER_LOW"),
)  # fmt: skip
WARNINGS = frozenset(code for _, code in _WARNING)


def faults(reasons: Iterable[str], *, reports: bool = False) -> tuple[str, ...]:
    """Return the fault codes, each once, stopping ones first.

    A printer with several trays reports an empty one and goes on printing, so a mere report
    stops nothing; it explains (`reports`) why a job was aborted.
    """
    stopping: list[str] = []
    warning: list[str] = []
    for reason in reasons:
        severity = next((end for end in _SEVERITIES if reason.endswith(end)), "")
        word = reason.removesuffix(severity)
        for start, code in _STOPPING:
            if word.startswith(start) and (reports or severity != "-report"):
                stopping.append(code)
        warning += [code for start, code in _WARNING if word.startswith(start)]
    return tuple(dict.fromkeys([*stopping, *warning]))
