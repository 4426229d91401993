"""The site every test of the web door starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.web.shop_site import ShopSite


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ShopSite]:
    """Three receipts behind a web door."""
    built = ShopSite(tmp_path / "site")
    yield built
    built.close()
