"""The manual keeps its word: pages in both languages, links that lead somewhere, and the
verifying script of the journal page follows a real export."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fep.cli.fepctl import _LAZY
from tests.unit.desk.desk_site import DeskSite

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "fep" / "docs"
_LINK = re.compile(r"\]\((?!http)([^)#]+)\)")
_SCRIPT = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DeskSite]:
    """Return a site with three receipts."""
    built = DeskSite(tmp_path / "site")
    yield built
    built.close()


def test_every_chinese_page_has_an_english_one() -> None:
    chinese = {page.name for page in (DOCS / "zh").glob("*.md")}
    english = {page.name for page in (DOCS / "en").glob("*.md")}

    assert chinese - english == set()


def test_links_of_readme_and_manual_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]

    dead = [
        f"{page.name}: {target}"
        for page in pages
        for target in _LINK.findall(page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]

    assert dead == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_commands_page_names_every_verb(language: str) -> None:
    page = (DOCS / language / "commands.md").read_text("utf-8")

    missing = [verb for verb in _LAZY if f"fepctl {verb}" not in page and f"`{verb} " not in page
               and f" {verb} " not in page]  # fmt: skip

    assert missing == []


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_printed_script_follows_an_export_and_finds_a_change(
    language: str, site: DeskSite, tmp_path: Path
) -> None:
    script = tmp_path / "verify_journal.py"
    match = _SCRIPT.search((DOCS / language / "journal.md").read_text("utf-8"))
    assert match is not None
    script.write_text(match[1], "utf-8")
    rows = [f"{row['hash']} {row['line']}\n" for row in site.ask("journal.export")["records"]]
    good, changed, short = tmp_path / "good", tmp_path / "changed", tmp_path / "short"
    good.write_text("".join(rows), "utf-8")
    changed.write_text("".join(rows).replace("OP2", "OP8"), "utf-8")
    short.write_text("".join(rows[:3] + rows[4:]), "utf-8")

    codes = [
        subprocess.run([sys.executable, script, journal], capture_output=True).returncode
        for journal in (good, changed, short)
    ]

    assert codes == [0, 1, 1]
    assert len(match[1].splitlines()) <= 60
