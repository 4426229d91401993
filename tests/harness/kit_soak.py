"""`soak kit`: every driver at the device kit with its link cut at every byte, whatever it costs."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from scripts.quality import kits

ROOT = Path(__file__).resolve().parents[2]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--driver", default="", help="only this one")
    parser.add_argument("--all", action="store_true", help="also those whose every byte is cut"
                        " at in each test run")  # fmt: skip


def soak_kit(options: argparse.Namespace) -> int:
    """Run the kits; 0 when every promise is kept."""
    chosen = [
        kit for kit in kits()
        if options.driver in ("", kit.driver) and (options.all or kit.stride > 1)
    ]  # fmt: skip
    if not chosen:
        print("soak: no such kit")
        return 2
    command = [
        sys.executable, "-m", "pytest", "-q", "--fep-kit-every-byte", "--timeout=3600",
        "-k", " or ".join(kit.__name__ for kit in chosen),
        *sorted(str(file) for file in (ROOT / "tests" / "kit").glob("test_kit_*.py")),
    ]  # fmt: skip
    try:
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130
    print(f"soak: kits={len(chosen)} failed={code != 0}", flush=True)
    return 1 if code else 0
