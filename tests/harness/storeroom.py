"""A real store on a fake clock, with a real key: the issuing path without doors or loops.

For tests of the writer and of the checkers themselves. Commits run inline, so a test is
over when its calls are.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from fep.crypto import sm3
from fep.sim import sm
from fep.store import issuing, numbers
from fep.store.certificates import certificate_txn
from fep.store.opening import open_store
from tests.harness.blank import lay_store

UNIT = "wuhan-1"
KIND = "medical-outpatient"
CODE = "42060126"
DAY_MS = 1_795_219_200_000  # 2026-11-21 00:00:00 +08:00
ISSUED_ON = "20261121"


class Storeroom:
    """One site directory with keys and a store that is open."""

    def __init__(self, site: Path) -> None:
        self.site = site
        self.clock = Clock()
        self.wall_ms = DAY_MS
        self.fatal: list[str] = []
        (site / "data").mkdir(parents=True)
        (site / "keys").mkdir()
        sm.create_identity(site / "keys" / "unit.key", site / "keys" / "unit.crt", "unit", 77)
        self.key = sm.load_private((site / "keys" / "unit.key").read_bytes())
        self.certificate = sm.load_certificate((site / "keys" / "unit.crt").read_bytes())
        self.store: Any = None
        self.cert_id = 0

    def open(self) -> None:
        """Open the store as a daemon would."""
        lay_store(self.site / "data" / "fep.db")
        self.store = open_store(
            self.clock,
            self.site / "data" / "fep.db",
            now_ms=lambda: self.wall_ms,
            on_fatal=self.fatal.append,
            pool=None,
        )
        cert = self.certificate
        self.cert_id = self.done(
            self.store.do("certificate", certificate_txn, cert.der, cert.serial_hex, "CN=unit")
        )

    def close(self) -> None:
        """Close the store; what was not committed is gone."""
        if self.store is not None:
            self.store.close()
            self.store = None

    def grant(self, first: int, last: int, code: str = CODE) -> None:
        """Take a block in, by a person's word."""
        block = numbers.Grant(UNIT, code, f"{first:010d}", f"{last:010d}", "person", "批准文号 1")
        self.done(self.store.do("grant", numbers.grant_txn, block))

    def draft(self, key: str, amount_fen: int = 1234, **changes: Any) -> issuing.Draft:
        """Return an event ready for its number."""
        values: dict[str, Any] = {
            "unit": UNIT, "key": key, "caller": "his", "kind": KIND, "point": "001",
            "payer": "欧阳䶮", "amount_fen": amount_fen,
            "digest": sm3.digest(f"{key}|{amount_fen}".encode()),
            "body": zlib.compress(b"{}"), "check_code": "a1B2c3", "code_at": lambda _ms: CODE,
            "compose": _composer(amount_fen), "print_wish": None,
        }  # fmt: skip
        return issuing.Draft(**{**values, **changes})

    def freeze(self, *drafts: issuing.Draft) -> list[Any]:
        """Freeze drafts as one group; answers values or exceptions, in order."""
        return self.all_of(
            [self.store.group("freeze", issuing.freeze_txn, draft) for draft in drafts]
        )

    def seal(self, *receipts: Any, device_group: str = "") -> list[Any]:
        """Sign and seal receipts as one group."""
        seals = []
        for receipt in receipts:
            row = self.store.read(_original, receipt.id)
            der = self.key.sign(row)
            seals.append(issuing.Seal(receipt, self.cert_id, der, "province", device_group))
        return self.all_of([self.store.group("seal", issuing.seal_txn, seal) for seal in seals])

    def issue(self, *keys: str, device_group: str = "") -> list[Any]:
        """Freeze and seal; returns the receipts."""
        frozen = [answer.receipt for answer in self.freeze(*(self.draft(key) for key in keys))]
        self.seal(*frozen, device_group=device_group)
        return frozen

    def done(self, deferred: Deferred[Any]) -> Any:
        """Return what a Deferred came to. Raises what it failed with."""
        (answer,) = self.all_of([deferred])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def all_of(self, deferreds: list[Deferred[Any]]) -> list[Any]:
        """Return what they came to, exceptions as values."""
        results: dict[int, Any] = {}
        for index, deferred in enumerate(deferreds):
            deferred.addBoth(_keep(results, index))
        for _turn in range(10 + 2 * len(deferreds)):
            if len(results) == len(deferreds):
                break
            self.clock.advance(0)
        assert len(results) == len(deferreds), "the store did not answer"
        return [results[index] for index in range(len(deferreds))]


def _keep(results: dict[int, Any], index: int) -> Callable[[Any], None]:
    def keep(result: Any) -> None:
        results[index] = result.value if isinstance(result, Failure) else result

    return keep


def _original(conn: Any, receipt_id: int) -> bytes:
    from fep.store.receipts import original_q

    return original_q(conn, receipt_id)


def _composer(amount_fen: int) -> Callable[[str, str, str, int], bytes]:
    def compose(code: str, number: str, check_code: str, _issued_ms: int) -> bytes:
        amount = f"{amount_fen // 100}.{amount_fen % 100:02d}"
        return (
            f"<Header><EInvoiceID>{f'{code}-{number}'[::-1]}</EInvoiceID></Header>"
            f"<EInvoiceCode>{code}</EInvoiceCode><EInvoiceNumber>{number}</EInvoiceNumber>"
            f"<RandomNumber>{check_code}</RandomNumber><TotalAmount>{amount}</TotalAmount>"
            f"<IssueDate>{ISSUED_ON}</IssueDate><PayerPartyName>欧阳䶮</PayerPartyName>"
        ).encode()

    return compose
