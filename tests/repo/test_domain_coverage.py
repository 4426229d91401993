"""Every branch of fep/domain is run by the cheap tests of rules, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.repo.tree import ROOT

# Tests of rules without reactor or store; what a rule decides is asserted there.
ROOMS = (
    "tests/unit/domain",
    "tests/unit/fence/test_audit.py",
    "tests/unit/fence/test_clock_rules.py",
    "tests/unit/fence/test_witness_rules.py",
    "tests/unit/kinds/test_rules.py",
    "tests/unit/life/test_tables.py",
    "tests/unit/life/test_red_event.py",
    "tests/unit/link/test_window.py",
    "tests/unit/printing/test_job.py",
    "tests/unit/wire/test_issue_params.py",
)
SECONDS_MAX = 120


def _missed(report: dict[str, object]) -> dict[str, object]:
    files = report["files"]
    assert isinstance(files, dict)
    return {
        name: (found["missing_lines"], found["missing_branches"])
        for name, found in files.items()
        if found["missing_lines"] or found["missing_branches"]
    }


def test_every_branch_of_the_domain_is_run(tmp_path: Path):
    environment = {**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")}
    coverage = [sys.executable, "-m", "coverage"]
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *ROOMS]

    ran = subprocess.run(
        [*coverage, "run", "--branch", f"--source={ROOT / 'fep' / 'domain'}", *tests],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX,
    )  # fmt: skip
    told = tmp_path / "coverage.json"
    subprocess.run(
        [*coverage, "json", "-q", "-o", str(told)], cwd=ROOT, env=environment, check=True
    )

    assert 0 == ran.returncode, ran.stdout[-2000:]
    assert {} == _missed(json.loads(told.read_text("utf-8")))
