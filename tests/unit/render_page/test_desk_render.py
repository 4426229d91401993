"""`receipts.page` and `receipts render` on a real store, live and stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fep.cli import ctl_render
from fep.cli.ctl_render import template_room
from fep.domain.faults import Refused
from tests.unit.desk.desk_site import CODE, DeskSite
from tests.unit.render_page.views import TEMPLATES, drawn


@pytest.fixture
def site(tmp_path: Path) -> Iterator[DeskSite]:
    """Return a site with three receipts."""
    built = DeskSite(tmp_path / "site")
    yield built
    built.close()


def _view(site: DeskSite, **asked: Any) -> dict[str, Any]:
    told = site.ask("receipts.page", name=f"{CODE}-0000000001", **asked)
    view = json.loads(json.dumps(told["view"]))
    assert isinstance(view, dict)
    return view


def test_a_page_has_the_facts_of_the_document(site: DeskSite) -> None:
    face = _view(site)["face"]

    assert (face["title"], face["payer"]) == ("湖北省医疗门诊收费票据（电子）", "欧阳䶮")
    assert (face["payer_code"], face["total_fen"]) == ("420106********0059", 1234)


def test_taking_a_page_is_journalled(site: DeskSite) -> None:
    _view(site)

    assert "receipt.rendered" in site.journal()


def test_until_the_platform_has_it_the_page_says_so(site: DeskSite) -> None:
    view = _view(site)

    assert (view["face"]["offline"], view["supervised"]) == (True, False)


def test_a_test_unit_prints_specimens(site: DeskSite) -> None:
    units = site.settings.units
    units.update({code: replace(unit, test=True) for code, unit in units.items()})

    view = _view(site)

    assert (view["specimen"], view["face"]["offline"]) == (True, False)


def test_a_copy_is_marked(site: DeskSite) -> None:
    assert _view(site, copy=3)["face"]["copy"] == 3


@pytest.mark.parametrize(
    ("name", "code"), [("1", "RCP_NAME"), (f"{CODE}-0000009999", "RCP_UNKNOWN")]
)
def test_a_receipt_that_is_not_there_has_no_page(site: DeskSite, name: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        site.ask("receipts.page", name=name)

    assert refused.value.code == code


def test_the_answer_is_what_the_page_process_takes(site: DeskSite) -> None:
    from fep.render.page import PageProcess

    with PageProcess() as process:
        (pdf,) = process.render(_view(site), "pdf", TEMPLATES)

    assert pdf.startswith(b"%PDF-1.7")


def test_own_templates_win_where_they_have_the_layout(tmp_path: Path) -> None:
    own = tmp_path / "templates"
    own.mkdir()
    (own / "medical.typ").write_text("")

    assert template_room(tmp_path, "medical") == own
    assert template_room(tmp_path, "unified") == TEMPLATES


def test_pages_lie_side_by_side_and_are_private(tmp_path: Path) -> None:
    written = ctl_render._written((b"a", b"b"), tmp_path / "r.png")

    assert [path.name for path in written] == ["r.png", "r-2.png"]
    assert [path.stat().st_mode & 0o777 for path in written] == [0o600, 0o600]


def test_a_slip_is_a_picture() -> None:
    from tests.unit.render_page.views import VIEW

    assert drawn(VIEW, "slip")[0].startswith(b"\x89PNG")
