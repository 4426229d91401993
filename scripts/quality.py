"""The README's table of driver quality, made from the device kit: scripts/quality.py --write.

A row is a driver as tests/kit runs it; what stands there as kept is a test that passes in every
run. Nobody writes a cell by hand: the test run compares the README with the kits.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from fep.domain.printing import Outcome
from fep.plug import DRIVERS, names
from fep.testing.promise import Kit

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- drivers:begin -->", "<!-- drivers:end -->"
WAYS = {"tcp": "TCP", "pty": "serial (pty)"}


def kits() -> tuple[type[Kit], ...]:
    """Return the kits that the test run collects, by driver and way."""
    found: dict[str, type[Kit]] = {}
    for file in sorted((ROOT / "tests" / "kit").glob("test_kit_*.py")):
        module = importlib.import_module(f"tests.kit.{file.stem}")
        for value in vars(module).values():
            own = getattr(value, "__module__", "") == module.__name__
            if own and isinstance(value, type) and issubclass(value, Kit):
                found[value.__name__] = value
    return tuple(sorted(found.values(), key=lambda kit: (kit.driver, kit.__name__)))


def table() -> str:
    """Return the table."""
    rows = [
        "| driver | over | promises kept | excused, and why | against | on hardware |",
        "|---|---|---|---|---|---|",
    ]
    tried = set()
    for kit in kits():
        tried.add(kit.driver)
        rows.append(_row(kit))
    for name in names(DRIVERS):
        if name not in tried:
            rows.append(f"| `{name}` | | tests of its own, not at the kit yet | | | untested |")
    return "\n".join(rows)


def _row(kit: type[Kit]) -> str:
    promises = kit.promises()
    kept = [promise for promise in promises if promise.test not in kit.exempt]
    excused = [
        f"{promise.en}: {kit.exempt[promise.test]}"
        for promise in promises
        if promise.test in kit.exempt
    ]
    hardware = ", ".join(kit.hardware) or "untested"
    return (
        f"| `{kit.driver}` | {kit.over or WAYS[kit.way]} |"
        f" {len(kept)} of {len(promises)}{_less(kit)} |"
        f" {'<br>'.join(excused) or 'nothing'} | {kit.tried_on} | {hardware} |"
    )


def _less(kit: type[Kit]) -> str:
    """Return what is to be known of the promises that are kept: doubt, and bytes left out."""
    told = ""
    if getattr(kit, "proves", None) is Outcome.ACCEPTED:
        told += "; nothing is proved: a sheet is at best `accepted`"
    if kit.stride > 1:
        told += f"; cut at one byte in {kit.stride}, at every one in `scripts/soak kit`"
    return told


def fresh(text: str) -> str:
    """Return the README with today's table. Raises ValueError when the markers are gone."""
    head, middle, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (middle and end):
        raise ValueError(f"README.md has no {BEGIN} … {END}")
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


def main() -> int:
    """Write the table, or say whether it is stale."""
    parser = argparse.ArgumentParser(prog="scripts/quality.py", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it into the README")
    text = README.read_text("utf-8")
    made = fresh(text)
    if parser.parse_args().write:
        README.write_text(made, "utf-8")
    elif made != text:
        print("README.md is stale: run scripts/quality.py --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
