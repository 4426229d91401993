"""Requests and their answers: who gets a page, who gets nothing, and what monitors read."""

from __future__ import annotations

import json
import re

import pytest
from twisted.internet.defer import Deferred

from fep.domain.faults_render import render_refuse
from fep.render.h5_style import STYLE
from fep.services.web import WAITING_MAX
from fep.services.web_page import BIG_BYTES, _bounded
from tests.unit.web.shop_site import ShopSite


def test_a_node_that_issues_is_healthy(site: ShopSite) -> None:
    reply = site.get("/healthz")

    assert (reply.status, json.loads(reply.body)["ok"]) == (200, True)


def test_a_node_that_cannot_issue_says_why(site: ShopSite) -> None:
    site.reasons = ["FENCED", "STOPPING"]

    reply = site.get("/healthz")

    assert (reply.status, json.loads(reply.body)["reasons"]) == (503, ["FENCED", "STOPPING"])


def test_a_page_forbids_everything_but_its_own_style(site: ShopSite) -> None:
    reply = site.get(f"/r/{site.token()}")

    policy = dict(reply.headers)["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert STYLE in reply.body.decode()


@pytest.mark.parametrize("path", [
    "/r/", "/r/x", "/r/" + "A" * 16, "/r/" + "A" * 16 + ".pdf", "/r/" + "A" * 16 + ".xml",
    "/r/" + "A" * 16 + "/..", "/r/../fep.toml",
])  # fmt: skip
def test_a_wrong_token_gets_nothing(site: ShopSite, path: str) -> None:
    reply = site.get(path)

    assert reply.status == 404
    assert "没有这张票据" in reply.body.decode()


def test_a_number_is_no_way_to_a_page(site: ShopSite) -> None:
    for guess in ("0000000000000001", "42060126" + "00000001", "1000000000624060"):
        assert site.get(f"/r/{guess}").status == 404


def test_who_guesses_is_not_answered_any_more_not_even_with_a_right_token(
    site: ShopSite,
) -> None:
    for number in range(10):
        assert site.get(f"/r/{number:016d}").status == 404

    assert site.get(f"/r/{site.token()}").status == 429
    assert site.get(f"/r/{site.token()}", source="10.0.0.2").status == 200
    assert site.get("/healthz").status == 200
    site.clock.seconds += 60
    assert site.get(f"/r/{site.token()}").status == 200


def test_right_tokens_are_never_counted(site: ShopSite) -> None:
    assert [200] * 30 == [site.get(f"/r/{site.token(n % 3)}").status for n in range(30)]


def test_a_receipt_without_its_signature_has_no_page(site: ShopSite) -> None:
    (frozen,) = site.room.freeze(site.room.draft("OP9"))

    assert site.get(f"/r/{site.tokens.of(frozen.receipt)}").status == 404


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS"])
def test_only_looking_is_allowed(site: ShopSite, method: bytes) -> None:
    reply = site.get(f"/r/{site.token()}", method=method)

    assert (reply.status, dict(reply.headers)["Allow"]) == (405, "GET, HEAD")


def test_nobody_indexes_receipts(site: ShopSite) -> None:
    assert site.get("/robots.txt").body == b"User-agent: *\nDisallow: /\n"
    assert 'content="noindex' in site.page()


def test_other_paths_lead_nowhere_and_cost_no_guess(site: ShopSite) -> None:
    assert {site.get(path).status for path in ("/", "/admin", "/r") for _ in range(9)} == {404}
    assert site.get(f"/r/{site.token()}").status == 200


def test_an_error_of_ours_tells_the_reader_nothing(site: ShopSite) -> None:
    def broken(*_args: object) -> None:
        raise ValueError("欧阳䶮")

    site.shop.html_q = broken  # type: ignore[assignment, method-assign]  # the fault to be hidden

    reply = site.get(f"/r/{site.token()}")

    assert reply.status == 500
    assert "欧阳䶮" not in reply.body.decode()
    assert "欧阳䶮" not in repr(site.log.said)
    assert site.log.said[0][1]["error"] == "ValueError"


def test_the_log_holds_no_token(site: ShopSite) -> None:
    for number in range(11):
        site.get(f"/r/{number:016d}")
    site.get(f"/r/{site.token()}")

    assert [name for name, _ in site.log.said] == ["web.guessing"]
    assert not re.search(r"[0-9A-Za-z]{16}", repr(site.log.said))


def test_files_are_made_a_few_at_a_time_and_then_refused(site: ShopSite) -> None:
    asked: list[Deferred[object]] = []
    semaphore = site.web._renders
    semaphore.run = lambda *_args: asked.append(Deferred()) or asked[-1]  # type: ignore[func-returns-value, method-assign]  # hold every render
    semaphore.waiting = [Deferred() for _ in range(WAITING_MAX)]

    reply = site.get(f"/r/{site.token()}.pdf")

    assert (reply.status, dict(reply.headers)["Retry-After"]) == (503, "5")
    assert asked == []


def test_a_file_that_cannot_be_made_is_not_the_readers_fault(site: ShopSite) -> None:
    failed: Deferred[object] = Deferred()
    failed.errback(render_refuse("RND_FONT"))
    site.web._renders.run = lambda *_args: failed  # type: ignore[method-assign]  # no fonts

    reply = site.get(f"/r/{site.token()}.png")

    assert reply.status == 503
    assert site.log.said == [("web.render", {"fault": "RND_FONT"})]


def test_only_the_pdf_has_the_detail_list(site: ShopSite) -> None:
    def views(form: str) -> object:
        found = site.room.store.read(site.shop.view_q, site.token(), form)
        assert found is not None
        return found[0], found[1].details

    assert views("png") == ("42060126-0000000001", ())


def test_a_big_document_leaves_its_list_to_the_pdf() -> None:
    row = b"<AuxItem><AuxItemName>x</AuxItemName></AuxItem>"
    count = BIG_BYTES // len(row) + 1
    head, tail = b"<Header></Header><EInvoiceData><AuxDetails>", b"</AuxDetails></EInvoiceData>"
    big = head + row * count + tail

    assert _bounded(head + row + tail) == (head + row + tail, 0)
    assert _bounded(big) == (head + tail, count)
