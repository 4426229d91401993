"""Building the door: off as shipped, never in the way of issuing, honest about it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock

from fep.domain.faults import refuse
from fep.env import RealEntropy
from fep.services.web import Web
from fep.services.web_build import addresses, make_web, tokens_of, unable_to_issue, web_faults
from fep.services.web_token import SECRET_FILE, no_url
from fep.settings_web import WebSettings
from tests.unit.web.shop_site import Heard
from tests.unit.web.test_token import RECEIPT


def _settings(data: Path, **web: Any) -> Any:
    return SimpleNamespace(web=WebSettings(**web), node=SimpleNamespace(data=data))


def test_a_door_that_is_off_makes_nothing(tmp_path: Path) -> None:
    settings = _settings(tmp_path)

    tokens = tokens_of(settings, RealEntropy(), Heard())

    assert tokens is None
    assert addresses(settings, tokens) is no_url
    assert list(tmp_path.iterdir()) == []
    assert make_web(None, None, settings, tokens, None, list, None) is None  # type: ignore[arg-type]  # nothing is touched


def test_a_spoilt_secret_is_logged_and_issuing_goes_on(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_text("spoilt")
    settings, log = _settings(tmp_path, public_url="https://p.example.org"), Heard()

    tokens = tokens_of(settings, RealEntropy(), log)

    assert tokens is None
    assert addresses(settings, tokens)(RECEIPT) == ""
    assert log.said[0][1]["fault"] == "WEB_SECRET"


class Full(Clock):
    """A machine whose ports are all taken."""

    def listenTCP(self, *_args: Any, **_more: Any) -> Any:
        raise CannotListenError("", 8090, OSError("in use"))


def test_a_page_door_that_is_not_open_is_told(tmp_path: Path) -> None:
    settings = _settings(tmp_path, listen=("tcp:8090",), public_url="https://p.example.org")
    web = Web(
        Full(), None, settings.web, None, None, list, Heard()  # type: ignore[arg-type]  # nobody asks
    )  # fmt: skip
    Deferred.fromCoroutine(web.open())

    (fault,) = web_faults(settings, web)
    assert ("WEB_LISTEN", "tcp:8090") == (fault.code, fault.details["endpoint"])
    (spoilt,) = web_faults(settings, None)
    assert "WEB_SECRET" == spoilt.code
    assert [] == web_faults(_settings(tmp_path), None)


def test_an_address_survives_a_restart(tmp_path: Path) -> None:
    settings = _settings(tmp_path, public_url="https://p.example.org/")

    told = [addresses(settings, tokens_of(settings, RealEntropy(), Heard()))(RECEIPT)
            for _ in range(2)]  # fmt: skip

    assert told[0] == told[1]
    assert told[0].startswith("https://p.example.org/r/")


READY: dict[str, Any] = {"stopping": False, "fenced": "", "held": None}


@pytest.mark.parametrize(("issue", "store", "signers", "codes"), [
    ({}, {}, [None], []),
    ({"stopping": True}, {}, [None], ["STOPPING"]),
    ({"fenced": "why"}, {}, [None], ["FENCED"]),
    ({}, {"fenced": "why"}, [None], ["FENCED"]),
    ({"held": refuse("BUSY")}, {}, [None], ["BUSY"]),
    ({}, {"dead": True}, [None], ["STORE_DEAD"]),
    ({}, {}, [refuse("SIG_DOWN"), None], []),  # another unit still issues
    ({}, {}, [refuse("SIG_DOWN"), refuse("SIG_DOWN")], ["SIG_DOWN"]),
])  # fmt: skip
def test_why_nothing_can_be_issued(
    issue: dict[str, Any], store: dict[str, Any], signers: list[Any], codes: list[str]
) -> None:
    told = unable_to_issue(
        SimpleNamespace(**{**READY, **issue}),  # type: ignore[arg-type]  # only what is asked
        SimpleNamespace(**{"dead": False, "fenced": "", **store}),  # type: ignore[arg-type]  # the same
        [lambda fault=fault: fault for fault in signers],  # type: ignore[misc]  # one a signer
    )

    assert told == codes
