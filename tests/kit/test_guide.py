"""The guide's driver passes the kit as printed, and the kit finds what is planted into it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^`(\S+\.(?:py|ini))`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
ASKED = 'if await self._ask(job, self._profile.sheet_s, f"DONE {fence_id}"):'

# A fault of a driver, how it is planted, and the promise that must notice it.
PLANTED = {
    "CallsSentPrinted": (
        ASKED, f"{ASKED[3:-1]}\n        if True:",
        "test_link_killed_at_every_byte_of_a_job",
    ),
    "RepeatsItself": (
        ASKED, f"{ASKED[:-1]} or {ASKED[3:-1]}:", "test_mute_in_the_middle_of_a_job",
    ),
    "TakesAnyProof": (
        'f"DONE {fence_id}"):', '"DONE"):', "test_the_answer_to_another_job_proves_nothing",
    ),
    "CallsDoubtNotPrinted": (
        "PrintResult(Outcome.UNCERTAIN,", "PrintResult(Outcome.NOT_PRINTED,",
        "test_link_killed_at_every_byte_of_a_job",
    ),
    "LeavesTheBuffer": ('self._write("!")', "pass", "test_paper_ends_at_every_line"),
    "LeaksTheLine": (
        "            wire.abort()\n", "",
        "test_opened_and_closed_a_hundred_times_nothing_leaks",
    ),
    "HoldsTheReactor": (
        "        answer_s, model",
        '        __import__("time").sleep(0.08)\n        answer_s, model',
        "test_the_reactor_is_never_held_for_fifty_milliseconds",
    ),
    "KeepsNoise": (
        "rest[-LINE_MAX:]", "rest",
        "test_a_megabyte_of_noise_costs_bounded_memory_and_no_sheet",
    ),
    "ObeysText": ("if has_control(line):", "if False:", "test_no_text_commands_the_device"),
    "TakesAnyDevice": (
        'model not in ("", told.removeprefix("IAM "))', "False",
        "test_another_device_in_its_place_gets_no_job",
    ),
}  # fmt: skip


def blocks(language: str) -> dict[str, str]:
    """Return the files that the guide in a language prints."""
    text = (ROOT / "fep" / "docs" / language / "drivers.md").read_text("utf-8")
    return dict(BLOCK.findall(text))


def test_both_languages_print_the_same_code():
    assert blocks("zh") == blocks("en")
    assert {"abacus.py", "abacus_sim.py", "test_abacus.py", "pytest.ini"} == set(blocks("en"))


@pytest.mark.slow
def test_the_example_passes_the_kit_and_every_planted_fault_is_found(tmp_path: Path):
    for name, text in blocks("en").items():
        (tmp_path / name).write_text(text, "utf-8")
    classes, chosen = ["from test_abacus import TestAbacus as _Abacus"], ["TestAbacus"]
    for name, (before, after, promise) in PLANTED.items():
        source = blocks("en")["abacus.py"]
        assert before in source, name
        (tmp_path / f"planted_{name.lower()}.py").write_text(source.replace(before, after))
        classes += [f"import planted_{name.lower()}"]
        classes += [f"class Test{name}(_Abacus):\n    make = planted_{name.lower()}"]
        chosen.append(f"(Test{name} and {promise})")
    (tmp_path / "test_planted.py").write_text("\n".join(classes) + "\n")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=60",
         "--fep-kit-report=report.json", "-k", " or ".join(chosen)],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))

    own = report.pop("TestAbacus")
    assert "abacus" == own.pop("driver")
    assert {"done"} == set(own.values()), ran.stdout[-3000:]
    missed = {
        name for name, (_, _, promise) in PLANTED.items()
        if report[f"Test{name}"].get(promise) != "failed"
    }  # fmt: skip
    assert set() == missed, ran.stdout[-3000:]
