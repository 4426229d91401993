"""The site every test of the desk starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.desk.desk_site import DeskSite


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DeskSite]:
    """Return a site with three receipts and the desk of its running daemon."""
    built = DeskSite(tmp_path / "site")
    yield built
    built.close()
