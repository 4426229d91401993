"""An accountant's office for tests: a real store, days that pass, closes on a fake clock."""

from __future__ import annotations

import functools
import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred

from fep.crypto import certs, keyfile
from fep.domain.calendar import local
from fep.domain.life import Policy
from fep.domain.life_red import Ask
from fep.domain.receipt import Receipt
from fep.services.checkpoints import NodeSeal
from fep.services.days import Days
from fep.services.desk import answer
from fep.services.desk_context import DeskContext, on_reader
from fep.store import issuing, receipts
from fep.store.certificates import certificate_txn
from fep.store.packed import frame
from fep.store.reversal import Reversing
from tests.harness.check_days import check_business_days, check_parts
from tests.harness.storeroom import CODE, DAY_MS, KIND, UNIT, Storeroom
from tests.harness.world import look

DAY = 86_400_000
MIDNIGHT = DAY_MS - 8 * 3_600_000  # the storeroom opens at eight
FIRST_DAY = "2026-11-21"


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **details: Any) -> None:
        self.lines.append((event, details))

    warning = error = info


class Wall:
    """The desk's clock: that of the storeroom."""

    def __init__(self, room: Storeroom) -> None:
        self._room = room

    def wall(self) -> Any:
        return local(self._room.wall_ms)

    def mono(self) -> float:
        return self._room.wall_ms / 1000


@functools.cache
def node_seal() -> NodeSeal:
    """Return a node key with its certificate; made once a run."""
    key = keyfile.generate()
    at = local(DAY_MS)
    der = certs.self_signed(key, "node-0001", 0x10, at - timedelta(days=1), at + timedelta(9999))
    return NodeSeal(key, certs.parse(der))


class Office:
    """One unit with receipts, and its day close."""

    def __init__(self, site: Path, numbers: int = 1000) -> None:
        self.room = Storeroom(site)
        self.site = site
        self.room.open()
        self.room.grant(1, numbers)
        self.seal = node_seal()
        found = self.seal.certificate
        self.do("certificate", certificate_txn, found.der, found.serial_hex, found.subject)
        self.why_held = ""
        self.tampered = False
        self.log = Lines()
        self.open()

    def open(self) -> None:
        """Build the day close on the open store, as a start does."""
        self.path = self.site / "data" / "fep.db"
        self.days = Days(
            self.room.clock, self.room.store, self.read, [UNIT], self.seal, self.log,
            now_ms=lambda: self.room.wall_ms, held=lambda: self.why_held,
        )  # fmt: skip
        unit = SimpleNamespace(name="武汉市第一医院", code=UNIT, test=False)
        self.context = DeskContext(
            settings=SimpleNamespace(units={UNIT: unit}, kinds={}), store=self.room.store,
            clock=Wall(self.room), issue=None, spool=None, uplink=None, started_at=0,
            selfcheck=None, version="0", data=self.site / "data", aside=self._aside,
            peer="tester(0)", accounts=SimpleNamespace(days=self.days),
        )  # fmt: skip

    async def read(self, fn: Any, *args: Any) -> Any:
        return on_reader(self.path, fn, args, {})

    async def _aside(self, fn: Any, *args: Any) -> Any:
        return fn(*args)

    def restart(self) -> None:
        """Close the store and open it again."""
        self.room.close()
        self.room.open()
        self.open()

    def pass_days(self, count: int = 1) -> None:
        """Let days go by; the clock then stands five minutes past midnight."""
        day = (self.room.wall_ms - MIDNIGHT) // DAY + count
        self.room.wall_ms = MIDNIGHT + day * DAY + 300_000

    # receipts
    def draft(self, key: str, fen: int, cashier: str = "王芳",
              channels: dict[str, int] | None = None, **more: Any) -> issuing.Draft:  # fmt: skip
        """Return a draft whose stored request says who took the money and how."""
        body = {
            "cashier": cashier,
            "channels": [{"code": code, "amount": _yuan(part)}
                         for code, part in (channels or {"01": fen}).items()],
            "items": [{"code": "A", "name": "诊察费", "amount": _yuan(fen - 1)},
                      {"code": "B", "name": "西药费", "amount": "0.01"}],
        }  # fmt: skip
        return self.room.draft(key, fen, body=frame(json.dumps(body).encode()), **more)

    def issue(self, key: str, fen: int = 1234, *, seal: bool = True, **more: Any) -> Receipt:
        """Issue a receipt; without `seal` it waits for its signature."""
        (frozen,) = self.room.freeze(self.draft(key, fen, **more))
        if seal:
            self.room.seal(frozen.receipt)
        return frozen.receipt  # type: ignore[no-any-return]  # the storeroom's store is untyped

    def issue_many(self, count: int, prefix: str = "M") -> None:
        """Issue receipts in groups of a hundred."""
        for start in range(0, count, 100):
            drafts = [self.draft(f"{prefix}{start + n}", 1000) for n in range(100)]
            self.room.seal(*(row.receipt for row in self.room.freeze(*drafts)))

    def reverse(self, blue: Receipt, key: str = "R1", operator: str = "李红") -> Receipt:
        """Reverse a receipt; the stored request names only the blue one, as in the field."""
        ask = Ask(UNIT, key, blue.code, blue.number, "退费", operator, "001")
        body = {"unit": UNIT, "key": key, "code": blue.code, "number": blue.number,
                "reason": "退费", "operator": operator}  # fmt: skip
        draft = self.room.draft(
            key, -blue.amount_fen, body=frame(json.dumps(body).encode()),
            rider=Reversing(ask, blue.id, Policy(), "his"),
        )  # fmt: skip
        (frozen,) = self.room.freeze(draft)
        self.room.seal(frozen.receipt)
        return self.room.store.read(receipts.by_number_q, CODE, frozen.receipt.number)  # type: ignore[no-any-return]  # same

    # the close
    def close_due(self) -> int:
        """Close what is due; raises what it refuses."""
        return int(self.wait(Deferred.fromCoroutine(self.days.close_due())))

    def wait(self, deferred: Deferred[Any], turns: int = 20_000) -> Any:
        """Run the fake clock until a Deferred has its answer."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        for _turn in range(turns):
            if results:
                break
            self.room.clock.advance(0.01)
        assert results, "no answer"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def violations(self) -> list[str]:
        """Close, and return what the checkers of money and days find."""
        self.room.close()
        world = look(self.site, None, None, None)
        return [str(one) for check in (check_parts, check_business_days) for one in check(world)]

    def ask(self, method: str, **params: Any) -> Any:
        """Run a desk method; raises what it refuses."""
        return self.wait(Deferred.fromCoroutine(answer(self.context, method, params)))

    def show(self, period: str = FIRST_DAY) -> dict[str, Any]:
        """Return the one unit of a period."""
        found: dict[str, Any] = self.ask("day.show", period=period)["units"][0]
        return found

    def do(self, name: str, fn: Any, *args: Any) -> Any:
        """Run a transaction and return what it came to."""
        return self.room.done(self.room.store.do(name, fn, *args))


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


__all__ = ["CODE", "FIRST_DAY", "KIND", "UNIT", "Office"]
