"""A small site for tests of the desk: a real store with three signed receipts, fake services.

`ask` runs a desk method to its end; reads aside run at once, commits by the fake clock.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred

from fep.domain.calendar import local
from fep.domain.event import BillingEvent, Channel, Item, Payer
from fep.domain.kind import Kind, Mapped, Point, Province, Seal, Unit
from fep.services.desk import answer
from fep.services.desk_context import DeskContext, Grants, at_once
from fep.settings_link import LinkSettings
from fep.settings_web import WebSettings
from fep.wire.einvoice import prepare
from tests.harness.storeroom import CODE, KIND, UNIT, Storeroom

NAMES = ("欧阳䶮", "李四", "王小明")
KEYS = ("OP1", "OP2", "OP3")

_UNIT = Unit(
    code=UNIT, name="武汉市第一医院", party_code="124201000000000001", area="420100",
    province="hubei", rec_name="武汉市第一医院", rec_account="42001", rec_bank="建设银行",
    seal=Seal("S1", "财务专用章", "00"), kinds=(KIND,), points=(Point("001", "window-1"),),
    signer_key="keys/unit.key", signer_cert="keys/unit.crt",
)  # fmt: skip
_KIND = Kind(
    id=KIND, name="医疗门诊收费票据（电子）", receipt_class="06",
    code_template="{area2}0601{yy}", specimen_template="{code}",
    main_ext=(Mapped("BusinessNumber", "key"),),
)  # fmt: skip


class WallClock:
    """A clock that stands still until it is moved."""

    def __init__(self, wall_ms: int) -> None:
        self.wall_ms = wall_ms
        self.seconds = 0.0

    def wall(self) -> datetime:
        return local(self.wall_ms).astimezone(UTC)

    def mono(self) -> float:
        return self.seconds


def event(key: str, payer: str, amount_fen: int = 1234) -> BillingEvent:
    """Return a billing event of one item."""
    return BillingEvent(
        unit=UNIT, point="001", kind=KIND, key=key,
        payer=Payer(payer, code="420106198803120059"), total_fen=amount_fen,
        items=(Item("01", "诊察费", amount_fen),), details=(),
        channels=(Channel("02", amount_fen),), cashier="王芳", checker="刘敏",
    )  # fmt: skip


class DeskSite:
    """A site with an open store and a desk on it."""

    def __init__(self, path: Path) -> None:
        self.room = Storeroom(path)
        self.room.open()
        self.room.grant(1, 1000)
        self.root = path
        self.clock = WallClock(self.room.wall_ms)
        province = Province("hubei", "湖北省", "CZ-EI-42")
        self.settings = SimpleNamespace(
            root=path, units={UNIT: _UNIT}, kinds={KIND: _KIND}, provinces={"hubei": province},
            devices=(), link=LinkSettings(),
            node=SimpleNamespace(
                id="node-0001", data=path / "data", witness=path / "witness",
                key="keys/unit.key", cert="keys/unit.crt", passphrase=""),
            web=WebSettings(),
        )  # fmt: skip
        self.receipts = [self.issue(key, name) for key, name in zip(KEYS, NAMES, strict=True)]
        self.context = DeskContext(
            settings=self.settings, store=self.room.store, clock=self.clock, issue=None,
            spool=None, uplink=None, started_at=self.room.wall_ms, selfcheck=None,
            version="0.1.0", aside=at_once, peer="tester(0)", grants=Grants(self.clock),
        )  # fmt: skip

    def issue(self, key: str, payer: str) -> Any:
        """Issue one receipt with the real document."""
        province = self.settings.provinces["hubei"]
        compose = prepare(event(key, payer), _KIND, _UNIT, province)
        draft = self.room.draft(key, payer=payer, compose=compose)
        (frozen,) = self.room.freeze(draft)
        self.room.seal(frozen.receipt, device_group="window-1")
        return frozen.receipt

    def ask(self, method: str, **params: Any) -> Any:
        """Run a desk method; raises what it refuses."""
        return self.room.done(Deferred.fromCoroutine(answer(self.context, method, params)))

    def with_services(self, **services: Any) -> None:
        """Put fakes behind the desk."""
        self.context = replace(self.context, **services)

    def journal(self) -> list[str]:
        """Return the operations in the journal, first to last."""
        import json

        told = self.ask("journal.export")
        return [json.loads(record["line"])["op"] for record in told["records"]]

    def close(self) -> None:
        """Close the store."""
        self.room.close()


__all__ = ["CODE", "KIND", "UNIT", "DeskSite"]
