"""A province's window as a process, and receipts that it would take, for one unit."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from fep.crypto import certs, keyfile, sm2
from fep.domain.calendar import local, to_ms
from fep.domain.money import format_fen
from fep.domain.platform import Operation, Parcel
from fep.env import RealClock, RealEntropy
from tests.harness.processes import Child, Fleet, free_ports, listens, run, wait_until
from tests.harness.town import program

UNIT, NODE, CODE, KEY = "H001", "node-0001", "42060126", "window-key"


@dataclass
class ShutWindow:
    """A province with its books; `open` starts its process."""

    place: Path
    fleet: Fleet
    dialect: str
    port: int = 0
    child: Child | None = None
    key: sm2.PrivateKey = field(default_factory=lambda: keyfile.generate(RealEntropy()))
    now_ms: int = 0
    used: int = 0

    @property
    def state(self) -> str:
        """The province's directory."""
        return str(self.place / "province")

    def found(self, numbers: int = 100) -> None:
        """Make books, register the unit and grant its numbers."""
        (self.port,) = free_ports(1)
        self.now_ms = to_ms(RealClock().wall())
        self.place.mkdir(parents=True)
        now = RealClock().wall()
        der = certs.self_signed(self.key, UNIT, 7 << 120, now - timedelta(1), now + timedelta(9))
        pem = base64.encodebytes(der).decode()
        cert = self.place / "unit.crt"
        cert.write_text(f"-----BEGIN CERTIFICATE-----\n{pem}-----END CERTIFICATE-----\n")
        run([program("fepsim"), "province", "init", "--state", self.state])
        run([program("fepsim"), "province", "register", "--state", self.state, "--node-id", NODE,
             "--node-cert", str(cert), "--unit", UNIT, "--unit-cert", str(cert)])  # fmt: skip
        run([program("fepsim"), "province", "grant", "--state", self.state, "--unit", UNIT,
             "--code", CODE, "--count", str(numbers)])  # fmt: skip

    def open(self, *knobs: str) -> None:
        """Start it, or start it anew with other knobs."""
        self.shut()
        command = [program("fepsim"), "province", "serve", "--state", self.state, "--dialect",
                   self.dialect, "--port", str(self.port), "--key", KEY, *knobs]  # fmt: skip
        self.child = self.fleet.start(f"province-{self.dialect}", command)
        wait_until(lambda: listens(self.port), "the window is open", timeout_s=20,
                   children=[self.child])  # fmt: skip

    def shut(self) -> None:
        """Stop it."""
        if self.child is not None:
            self.child.stop()
            self.fleet.forget(self.child)
            self.child = None

    def report(self) -> dict[str, Any]:
        """Return its ledger."""
        told: dict[str, Any] = json.loads(
            run([program("fepsim"), "province", "report", "--state", self.state, "--json"])
        )
        return told

    def receipt(self, number: int, fen: int = 1230, *, days_ago: int = 0, item: str = "诊察费",
                code: str = CODE, name: str = "张三𠮷") -> Parcel:  # fmt: skip
        """Return a signed receipt; the payer's name has letters GBK does not."""
        text = f"{number:010d}"
        at = local(self.now_ms - days_ago * 86_400_000)
        identity = f"{code}-{text}"[::-1]
        original = (
            f"<Header><EInvoiceID>{identity}</EInvoiceID></Header><EInvoiceData><Main>"
            f"<EInvoiceCode>{code}</EInvoiceCode><EInvoiceNumber>{text}</EInvoiceNumber>"
            f"<RandomNumber>a1b2c3</RandomNumber><TotalAmount>{format_fen(fen)}</TotalAmount>"
            f"<IssueDate>{at:%Y%m%d}</IssueDate><PayerPartyName>{name}</PayerPartyName></Main>"
            f"<Details><Item><ItemCode>OP1</ItemCode><ItemName>{item}</ItemName>"
            f"<ItemAmount>{format_fen(fen)}</ItemAmount></Item></Details></EInvoiceData>"
        ).encode()
        return Parcel(
            Operation.ISSUE, f"k{number}", UNIT, code, text, kind="outpatient",
            event_key=f"E{number}", check_code="a1b2c3", amount_fen=fen,
            issued_at=to_ms(at), original=original, signature=self.key.sign(original),
            cert_serial="07", signed_at=self.now_ms,
        )  # fmt: skip

    def red_of(self, blue: Parcel, number: int) -> Parcel:
        """Return the red receipt of a blue one."""
        made = self.receipt(number, -blue.amount_fen)
        return replace(
            made, op=Operation.RED, related_code=blue.code, related_number=blue.number,
            reason="退费",
        )  # fmt: skip


def forged(parcel: Parcel) -> Parcel:
    """Return a receipt whose signature is another receipt's."""
    changed = re.sub(rb"<IssueDate>", b"<IssueDate >", parcel.original, count=1)
    return replace(parcel, original=changed)
