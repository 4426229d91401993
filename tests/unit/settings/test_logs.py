"""Nothing personal and no key gets into a log, and no text can forge a line."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from fep import logs
from fep.logs_mask import HIDDEN, clean, masked, net
from fep.settings_types import LogSettings

IDENTITY = "420982199001010059"
MOBILE = "13800138000"
KEY = "0f" * 32


class StoppedClock:
    """It is always nine in the morning of one day in China."""

    def wall(self) -> datetime:
        return datetime(2026, 11, 21, 1, 0, 0, 5000, UTC)

    def mono(self) -> float:
        return 0.0


class Lines:
    """What was written."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []

    def configure(self, **settings: Any) -> None:
        values = LogSettings(**{"level": "debug", **settings})
        logs.configure(values, clock=StoppedClock(), write=self.raw.append, twisted=False)

    def json(self) -> dict[str, Any]:
        (line,) = self.raw
        assert line.endswith(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Collect lines; the process's logs are as before afterwards."""
    root = logging.getLogger()
    before = list(root.handlers)
    found = Lines()
    found.configure()
    yield found
    structlog.reset_defaults()
    root.handlers[:] = before


def test_a_line_has_time_level_part_event_and_what_was_given(lines: Lines):
    logs.get("issue").info("receipt.sealed", code="42060126", number="0000000001", ms=7)

    assert {
        "time": "2026-11-21T09:00:00.005+08:00", "level": "info", "part": "issue",
        "event": "receipt.sealed", "code": "42060126", "number": "0000000001", "ms": 7,
    } == lines.json()  # fmt: skip


def test_levels_below_the_configured_one_are_not_written(lines: Lines):
    lines.configure(level="warning")

    logs.get("x").info("quiet")
    logs.get("x").warning("loud")

    assert ["loud"] == [json.loads(line)["event"] for line in lines.raw]


@pytest.mark.parametrize(
    "name",
    ["payer", "payer_name", "PAYER", "payerName", "payer-name", "name",
     "id_no", "idCardNo", "tel", "phone", "card", "card_no",
     "cardNo", "account", "email", "patient_no", "insurance_no", "key", "event_key", "mac",
     "token", "passphrase", "appKey", "secret", "params", "ext", "cashier"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["欧阳䶮", 12345, ["a"], {"b": 1}, b"c"])
def test_what_is_private_by_name_is_hidden(name: str, value: Any):
    assert {name: HIDDEN} == masked({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key_file", "keys/unit.key"), ("token_ok", True), ("card_count", 3), ("print_wish", True),
        ("name", "f1-0a1b2c3d-0001-1-0000000007.fpb"), ("name", "crypto.sm2"), ("payer", ""),
        ("payer", None), ("unit", "H001"), ("event", "receipt.sealed"), ("intel", "x"),
    ],
)  # fmt: skip
def test_what_is_not_private_is_shown(name: str, value: Any):
    assert {name: value} == masked({name: value})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"id {IDENTITY}.", "id [id]."),
        ("id 42098219900101005x", "id [id]"),
        ("old 420982900101005", "old [id]"),
        (f"tel{MOBILE},", "tel[tel],"),
        (f"电话{MOBILE}，", "电话[tel]，"),
        ("+86 138-0013-8000", "[tel]"),
        ("card 6222021234567890123", "card [card]"),
        (f"key={KEY}", "key=[hex]"),
        ("-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----!", "[key]!"),
        # A receipt's code and number, times in ms, amounts and short hashes stay readable.
        ("420601260000000001", "420601260000000001"),
        ("42060126-0000000001", "42060126-0000000001"),
        ("1795219200000", "1795219200000"),
        ("ref 9f86d081ab", "ref 9f86d081ab"),
    ],
)
def test_what_looks_like_a_person_or_a_key_is_taken_out(text: str, shown: str):
    assert shown == net(text)


def test_masking_reaches_into_everything_that_is_given(lines: Lines):
    class Talkative:
        def __str__(self) -> str:
            return f"tel {MOBILE}"

    logs.get("x").info(
        f"hello {IDENTITY}", a=[{"b": (MOBILE, {"payer": "王"})}], c=Talkative(), d=KEY.encode(),
        e={MOBILE}, f=ValueError(IDENTITY),
    )  # fmt: skip

    assert ["hello [id]", [{"b": ["[tel]", {"payer": HIDDEN}]}], "tel [tel]", "[64 bytes]",
            ["[tel]"], "[id]"] == [lines.json()[name] for name in ("event", *"acdef")]  # fmt: skip


def test_an_object_that_cannot_be_shown_does_not_stop_the_line(lines: Lines):
    class Silent:
        def __str__(self) -> str:
            raise RuntimeError

    logs.get("x").info("y", value=Silent())

    assert "[Silent]" == lines.json()["value"]


def test_a_traceback_is_masked_too(lines: Lines):
    try:
        raise KeyError(IDENTITY)
    except KeyError:
        logs.get("x").error("broke", exc_info=True)

    trace = lines.json()["trace"]
    assert trace.endswith("KeyError: '[id]'\n")
    assert IDENTITY not in trace


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_text_can_forge_a_line_or_reach_the_terminal(lines: Lines, form: str):
    lines.configure(format=form)
    evil = "a\n09:00:00.000 critical node fake\r\x1b[2J\u2028\u202e\x9b1m"

    logs.get("x").info(f"e{evil}", value=evil, **{f"n{evil}": 1})

    (line,) = lines.raw
    text = line.decode()
    assert "\n" == text[-1]
    assert text[:-1].isprintable()


def test_a_traceback_on_the_console_is_set_off_from_events(lines: Lines):
    lines.configure(format="console")
    try:
        raise ValueError("x\n09:00:00.000 critical node fake")
    except ValueError as error:
        logs.get("x").error("broke", exc_info=error)

    first, *rest = lines.raw[0].decode().splitlines()

    assert first.startswith("09:00:00.005 error    x")
    assert rest
    assert [] == [line for line in rest if not line.startswith("    | ")]


@given(st.text())
def test_cleaned_text_prints_on_one_line_whatever_it_was(text: str):
    assert clean(text).isprintable()


@given(st.text(max_size=20), st.text(max_size=20))
def test_an_identity_number_never_survives_between_other_letters(before: str, after: str):
    separated = f"{before} {IDENTITY} {after}"

    assert IDENTITY not in net(separated)


def test_a_very_long_text_is_cut():
    assert len(clean("x" * 1_000_000)) < 4100


def test_a_log_that_cannot_be_written_stops_nobody(lines: Lines):
    def full(_line: bytes) -> None:
        raise OSError(28, "No space left on device")

    logs.configure(LogSettings(), write=full, twisted=False)

    logs.get("x").error("still alive")

    assert [] == lines.raw


def test_a_log_file_is_appended_to_and_private(lines: Lines, tmp_path: Path):
    path = tmp_path / "fep.log"
    path.write_text("before\n")
    logs.configure(LogSettings(file=str(path)), twisted=False)

    logs.get("x").info("after")

    first, second = path.read_text().splitlines()
    assert ("before", "after") == (first, json.loads(second)["event"])


def test_messages_of_libraries_come_the_same_way(lines: Lines):
    logging.getLogger("apscheduler.executors").error("job %s: %s", "day", MOBILE)
    logging.getLogger("apscheduler.executors").info("small talk")

    found = lines.json()
    assert ("apscheduler", "error", "job day: [tel]") == tuple(
        found[name] for name in ("part", "level", "event")
    )


def test_a_failure_that_twisted_logs_comes_with_its_traceback(lines: Lines):
    try:
        raise ValueError(MOBILE)
    except ValueError:
        failure = Failure()

    logs.from_twisted({"log_level": LogLevel.critical, "log_format": "Unhandled error in Deferred",
                       "log_failure": failure})  # fmt: skip

    found = lines.json()
    assert ("twisted", "critical") == (found["part"], found["level"])
    assert "ValueError: [tel]" in found["trace"]


def test_the_small_talk_of_twisted_is_for_debugging(lines: Lines):
    lines.configure(level="info")

    logs.from_twisted({"log_level": LogLevel.info, "log_format": "Starting factory"})
    logs.from_twisted({"log_level": LogLevel.warn, "log_format": "beware {n}", "n": 1})

    assert ["beware 1"] == [json.loads(line)["event"] for line in lines.raw]


def test_the_whole_process_logs_this_way():
    """Twisted's own start of logging happens once a process, so this takes a process."""
    code = (
        "from fep import logs; from fep.settings_types import LogSettings\n"
        "from twisted.internet.defer import fail\n"
        "logs.configure(LogSettings()); logs.configure(LogSettings())\n"
        "fail(ValueError('13800138000')); import gc; gc.collect()\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"twisted"} == {line["part"] for line in found}
    assert 1 == sum("ValueError: [tel]" in line.get("trace", "") for line in found)
