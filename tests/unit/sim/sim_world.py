"""A node made of the simulators' own parts, a hand-turned clock, and a province to talk to."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fep.sim import fpb, sm
from fep.sim import province_desk as desk
from fep.sim.dice import Dice
from fep.sim.province import Knobs, Province
from fep.sim.province_book import Book

KNOBS = Knobs(heartbeat_s=5, gap_s=10, poll_s=0.2, resend_s=5, part_timeout_s=30)
CODE = "42060126"
QUOTA = '{"amount_fen":null,"count":null,"hours":null}'


class HandClock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def wall(self) -> datetime:
        return datetime(2026, 11, 21, 1, 0, tzinfo=UTC) + timedelta(seconds=self.passed_s)

    def mono(self) -> float:
        return 1000.0 + self.passed_s


def token(dice: Dice) -> Any:
    """Return a source of bytes for keys that guard nothing."""
    return lambda size: bytes(dice.between(0, 255) for _ in range(size))


def identity(directory: Path, name: str, serial: int) -> fpb.Self:
    """Return a party with a fresh key."""
    key, certificate = directory / f"{name}.key", directory / f"{name}.crt"
    sm.create_identity(key, certificate, name, serial)
    return fpb.Self(
        name, sm.load_certificate(certificate.read_bytes()), sm.load_private(key.read_bytes())
    )


@dataclass
class Node:
    """The hospital's end of channel 1, with its chains."""

    me: fpb.Self
    unit: fpb.Self
    platform: fpb.Party
    seq: int = 0
    rec_seq: int = 0
    head: str = "0" * 64
    batch_sm3: bytes = bytes(32)
    transport_seq: int = 0
    dice: Dice = field(default_factory=lambda: Dice("node"))

    def body(self, number: int, /, **changes: Any) -> dict[str, Any]:
        """Return an ISSUE body of 12.30; `signer` and `xml` change evidence, others members."""
        signer = changes.pop("signer", self.unit)
        text = f"{number:010d}"
        xml = changes.pop("xml", {})
        original = document({"code": CODE, "number": text, "check": "a1B2c3", "total": "12.30",
                             "item": "12.30", **xml})  # fmt: skip
        der = signer.key.sign(original)
        serial = f"{self.unit.certificate.serial:x}"
        element = (
            "<Signature><SignedInfo></SignedInfo>"
            f"<Signaturevalue>{base64.b64encode(der).decode()}</Signaturevalue>"
            f"<KeyInfo><SerialNumber>{serial}</SerialNumber></KeyInfo></Signature>"
        )
        return {
            "amount_fen": 1230,
            "cert_serial": serial,
            "check_code": "a1B2c3",
            "code": CODE,
            "event_key": f"E{number}",
            "issued_at": 1795222800000,
            "kind": "outpatient",
            "number": text,
            "original": base64.b64encode(original).decode(),
            "signature": base64.b64encode(der).decode(),
            "signature_xml": element,
            "signed_at": 1795222800001,
            "unit": "H1",
            **changes,
        }

    def record(self, body: dict[str, Any]) -> bytes:
        """Return the next record of the chain; a member `op` makes it another than ISSUE."""
        self.rec_seq += 1
        op, revision = body.pop("op", "ISSUE"), body.get("revision", "0")
        record = {
            "at": 1795222800000,
            "body": body,
            "idem": sm.sm3(f"{body['code']}|{body['number']}|{op}|{revision}".encode()).hex(),
            "journal": {"hash": "", "seq": 0},
            "op": op,
            "prev": self.head,
            "rec_seq": self.rec_seq,
        }
        record["hash"] = self.head = fpb.record_hash(record)
        return fpb.canonical(record)

    def batch(self, *bodies: dict[str, Any]) -> tuple[str, bytes]:
        """Return name and content of the next data batch."""
        self.seq += 1
        first = self.rec_seq + 1
        lines = [self.record(body) for body in bodies]
        header = fpb.Header(
            fpb.DATA, self.me.id, self.platform.id, 1, 1, self.seq, 0, first, len(lines),
            prev_batch_sm3=self.batch_sm3,
        )  # fmt: skip
        content = fpb.write(header, lines, self.me, self.platform, token(self.dice))
        self.batch_sm3 = sm.sm3(content)
        return fpb.name_of(header, 1), content

    def answer(self, kind: int, record: dict[str, Any]) -> tuple[str, bytes]:
        """Return name and content of a file on channel 0."""
        self.transport_seq += 1
        header = fpb.Header(kind, self.me.id, self.platform.id, 1, 0, self.transport_seq, 0, 0, 1)
        content = fpb.write(
            header, [fpb.canonical(record)], self.me, self.platform, token(self.dice)
        )
        return fpb.name_of(header, 1), content


@dataclass
class World:
    """A province under test with its directories, clock and node."""

    root: Path
    clock: HandClock
    book: Book
    province: Province
    node: Node

    @property
    def incoming(self) -> Path:
        return self.root / "in"

    @property
    def quarantine(self) -> list[str]:
        return sorted(p.name for p in (self.root / "P" / "quarantine").iterdir())

    def bring(self, file: tuple[str, bytes]) -> None:
        """Put a file into the province's in directory."""
        (self.incoming / file[0]).write_bytes(file[1])

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass, then let the province look once."""
        self.clock.passed_s += seconds
        self.province.step()

    def answers(self, kind: int) -> list[dict[str, Any]]:
        """Take all files of the out directory; return the records of those of `kind`."""
        found = []
        for path in sorted(p for p in (self.root / "out").iterdir() if p.is_file()):
            batch = fpb.read(path.read_bytes(), self.node.me, lambda _: self.node.platform)
            path.unlink()
            if batch.header.kind == kind:
                found += batch.records()
        return found

    def results(self) -> list[tuple[str, str]]:
        """Return (result, code) of every result answered since the last look."""
        return [(r["result"], r["code"]) for ack in self.answers(fpb.ACK) for r in ack["results"]]

    def restart(self, knobs: Knobs) -> None:
        """Stop the province and start it again on the same books."""
        self.province.close()
        self.book = Book(self.root / "P")
        self.province = start(self.root, self.book, self.clock, knobs)


def document(part: dict[str, str]) -> bytes:
    """Return the literal signed bytes of a small receipt."""
    identity = f"{part['code']}-{part['number']}"[::-1]
    return (
        f"<Header><EInvoiceID>{identity}</EInvoiceID></Header><EInvoiceData><Main>"
        f"<EInvoiceCode>{part['code']}</EInvoiceCode>"
        f"<EInvoiceNumber>{part['number']}</EInvoiceNumber>"
        f"<RandomNumber>{part['check']}</RandomNumber>"
        f"<TotalAmount>{part['total']}</TotalAmount></Main>"
        f"<Details><Item><ItemAmount>{part['item']}</ItemAmount></Item></Details></EInvoiceData>"
    ).encode()


def start(root: Path, book: Book, clock: HandClock, knobs: Knobs) -> Province:
    """Return a running province over the directories of `root`."""
    return Province(book, root / "in", root / "out", clock, token(Dice("platform")), knobs)


def build(root: Path, parties: tuple[fpb.Self, fpb.Self], knobs: Knobs) -> World:
    """Return a province with one registered node and the numbers 1 to 100 granted."""
    node, unit = parties
    desk.initialise(root / "P", "province", 77)
    book, clock = Book(root / "P"), HandClock()
    desk.register(book, node.id, node.certificate.der, "H1", unit.certificate.der)
    desk.grant(book, "H1", CODE, 100, first=None, not_after=None, quota=QUOTA, now_ms=1)
    me = book.me()
    platform = fpb.Party(me.id, me.certificate)
    return World(root, clock, book, start(root, book, clock, knobs), Node(node, unit, platform))
