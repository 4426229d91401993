"""A link in memory: fake clock, real store, a gate that loses and repeats, a small platform.

The platform here speaks through fep/wire; the independent peer is fep/sim/province.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock as FakeReactor

from fep.crypto import certs, keyfile, sm3
from fep.domain.link_budget import OfflineBudget
from fep.services.uplink import Uplink
from fep.settings_link import LinkSettings
from fep.store.certificates import certificate_txn
from fep.store.issuing import Draft, Seal, freeze_txn, seal_txn
from fep.store.numbers import Grant, grant_txn
from fep.store.opening import open_store
from fep.wire.fpb import NO_HASH, Header, Kind, Seat, pack, read_header, unpack
from fep.wire.fpb_ack import Ack, Nack, Result, Supervision, read_ack, read_nack
from fep.wire.fpb_name import BatchName, node8
from fep.wire.fpb_record import JournalHead, idem, read_records, record_line
from tests.harness.blank import lay_store
from tests.unit.link.link_ferry import MemoryFerry

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CODE = "42060126"
NODE, PLATFORM = "node-0001", "province"


class Dice:
    """Entropy that repeats itself from run to run."""

    def __init__(self, seed: int = 1) -> None:
        self._counter = itertools.count(seed)

    def token(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            out += sm3.digest(next(self._counter).to_bytes(8, "big"))
        return out[:size]

    def below(self, bound: int) -> int:
        return int.from_bytes(self.token(8), "big") % bound


class Watch:
    """A clock driven by the fake reactor; the wall can be moved by itself."""

    def __init__(self, reactor: FakeReactor) -> None:
        self._reactor = reactor
        self.wall_shift_s = 0.0

    def wall(self) -> datetime:
        return START + timedelta(seconds=self._reactor.seconds() + self.wall_shift_s)

    def mono(self) -> float:
        return float(self._reactor.seconds())


@functools.cache
def party(name: str, serial: int) -> tuple[Any, Any]:
    """Return (key, certificate) of a test party; made once a run."""
    key = keyfile.generate()
    der = certs.self_signed(key, name, serial, START - timedelta(days=1), START + timedelta(9999))
    return key, certs.parse(der)


class Lines:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **details: Any) -> None:
        self.lines.append((event, details))

    warning = error = info

    def named(self, event: str) -> list[dict[str, Any]]:
        return [details for name, details in self.lines if name == event]


class Platform:
    """Applies receipts in order and grants numbers, as fpb1.md tells the other side to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key, self.cert = party(PLATFORM, 0x20)
        self.other = (self.key, self.cert)  # around a rotation files are sealed to either
        self.node_cert = party(NODE, 0x10)[1]
        self.believed = {self.node_cert.serial_bytes(): self.node_cert.public_key}
        self.signed_by: list[bytes] = []  # serials, in the order of arrival
        self.applied: list[tuple[str, str]] = []  # (number, idem) in the order of effect
        self.sm3_of: dict[int, bytes] = {}
        self.held: dict[int, tuple[Header, bytes, bytes]] = {}
        self.head = (0, 0, NO_HASH, NO_HASH)  # seq, rec_seq, batch sm3, record hash
        self.results: dict[int, tuple[Result, ...]] = {}
        self.rejects: set[str] = set()
        self.acks: list[Ack] = []
        self.nacks: list[Nack] = []
        self.greetings: list[tuple[Kind, bytes]] = []
        self.letters: dict[int, list[tuple[Header, bytes, bytes]]] = {2: [], 3: []}
        self.transport = 0
        self.control = (0, 0, NO_HASH, NO_HASH)

    def receive(self, content: bytes) -> None:
        """Take one file of the node."""
        serial = read_header(content).receiver_serial
        key, cert = self.other if serial == self.other[1].serial_bytes() else (
            self.key, self.cert
        )  # fmt: skip
        seat = Seat(PLATFORM, cert.serial_bytes(), key)
        header, plain = unpack(content, seat, lambda _who, own: self.believed.get(own))
        self.signed_by.append(header.sender_serial)
        if header.kind is Kind.ACK:
            self.acks.append(read_ack(plain))
        elif header.kind is Kind.NACK:
            self.nacks.append(read_nack(plain))
        elif header.channel in (2, 3):
            self.letters[header.channel].append((header, plain, content))
        elif header.channel == 0:
            self.greetings.append((header.kind, plain))
        else:
            digest = sm3.digest(content)
            # A resend is byte-identical, or two contents claim one place.
            assert self.sm3_of.setdefault(header.seq, digest) == digest, header.seq
            self.held.setdefault(header.seq, (header, plain, digest))
            self._apply(header.seq)

    def _apply(self, cause: int) -> None:
        causes = {cause} & set(self.results)
        while self.head[0] + 1 in self.held:
            seq, rec_seq, batch_sm3, rec_hash = self.head
            header, plain, digest = self.held[seq + 1]
            assert header.prev_batch_sm3 == batch_sm3
            records = read_records(plain, rec_seq + 1, header.n_rec, rec_hash)
            self.results[seq + 1] = tuple(self._effect(record) for record in records)
            self.head = (seq + 1, records[-1].rec_seq, digest, records[-1].hash)
            causes.add(seq + 1)
        self.ack(tuple(result for seq in sorted(causes) for result in self.results[seq]))

    def _effect(self, record: Any) -> Result:
        number = record.body["number"]
        if number in self.rejects:
            return Result(record.rec_seq, "REJECT", "E42", "date is past")
        self.applied.append((number, record.idem))
        return Result(record.rec_seq, "OK", supervision=Supervision("0a", 7, "MAA="))

    def ack(self, results: tuple[Result, ...] = (), **changes: Any) -> bytes:
        """Send an ACK for channel 1."""
        seq, rec_seq, _, rec_hash = self.head
        received = ((1, seq),) if seq else ()
        ack = Ack(rec_seq, 1, 1, rec_hash.hex(), "APPLIED", self.world.now_ms(), received, results)
        for name, value in changes.items():
            ack = msgspec.structs.replace(ack, **{name: value})
        return self.transport_file(Kind.ACK, ack.encode())

    def nack(self, reason: str, missing: tuple[tuple[int, int], ...] = (),
             names: tuple[str, ...] = ()) -> bytes:  # fmt: skip
        """Send a NACK for channel 1."""
        body = Nack(1, 1, reason, self.world.now_ms(), missing, names)
        return self.transport_file(Kind.NACK, body.encode())

    def transport_file(self, kind: Kind, plain: bytes) -> bytes:
        """Send one file of channel 0."""
        self.transport += 1
        return self.send(self.header(kind, 0, self.transport), plain)

    def grant(self, first: int, last: int, *, seq: int | None = None, send: bool = True,
              quota: dict[str, Any] | None = None, prev: bytes | None = None,
              unit: str = "u1") -> bytes:  # fmt: skip
        """Send a number grant on channel 2, in its place of the chain."""
        rec_seq = self.control[1]
        body = {
            "code": CODE, "first": f"{first:010d}", "last": f"{last:010d}", "unit": unit,
            "grant_id": f"g{rec_seq + 1}", "not_after": None,
            "quota": quota or {"hours": None, "count": None, "amount_fen": None},
        }  # fmt: skip
        return self.control_record("GRANT", body, seq=seq, send=send, prev=prev)

    def control_record(self, op: str, body: dict[str, Any], *, seq: int | None = None,
                       send: bool = True, prev: bytes | None = None) -> bytes:  # fmt: skip
        """Send one record on channel 2; `prev` or `seq` put it out of its place."""
        at, rec_seq, batch_sm3, rec_hash = self.control
        identity = idem(CODE, str(body.get("first")), op, str(body.get("last")))
        line, digest = record_line(
            rec_seq + 1, op, identity, self.world.now_ms(), body, JournalHead(0, ""), rec_hash
        )
        header = replace(
            self.header(Kind.CTRL, 2, seq or at + 1), first_rec=rec_seq + 1,
            prev_batch_sm3=batch_sm3 if prev is None else prev,
        )  # fmt: skip
        content = self.send(header, line, send=send)
        if prev is None:
            self.control = (at + 1, rec_seq + 1, sm3.digest(content), digest)
        return content

    def header(self, kind: Kind, channel: int, seq: int) -> Header:
        return Header(
            kind=kind, sender=PLATFORM, receiver=NODE, epoch=1, channel=channel, seq=seq,
            created_ms=self.world.now_ms(), sender_serial=self.cert.serial_bytes(),
            receiver_serial=self.node_cert.serial_bytes(),
        )  # fmt: skip

    def send(self, header: Header, plain: bytes, *, send: bool = True) -> bytes:
        content = pack(header, plain, self.key, self.node_cert.public_key, self.world.dice)
        if send:
            self.deliver(content, header.channel, header.seq)
        return content

    def deliver(self, content: bytes, channel: int, seq: int, attempt: int = 1) -> str:
        """Put a file into the node's in directory, if the gate lets it."""
        name = BatchName(node8(PLATFORM), 1, channel, seq, attempt).text()
        for copy in range(self.world.inbound(name)):
            self.world.ferry.arrivals[f"copy{copy}-{name}" if copy else name] = content
        return name


class World:
    """One node's link with its store, a gate and a platform."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.root = root
        self.reactor = FakeReactor()
        self.watch = Watch(self.reactor)
        self.dice = Dice()
        self.log = Lines()
        self.ferry = MemoryFerry()
        # How often a file of a name passes the gate: 0 is lost, 2 is repeated.
        self.outbound: Callable[[str], int] = lambda name: 1
        self.inbound: Callable[[str], int] = lambda name: 1
        self.settings = LinkSettings(**{"rto_jitter": 0.0, **settings})
        self.finance_certs: tuple[Any, ...] = ()
        self.following: Any = None
        self.quotas: list[OfflineBudget] = []
        self.answered: list[tuple[int, int]] = []
        self.breaths = 0
        self.platform = Platform(self)
        self.fatal: list[str] = []
        self.keys = itertools.count(1)
        self.open()

    def open(self) -> None:
        """Open the store and make the uplink; not started."""
        lay_store(self.root / "fep.db")
        self.store = open_store(
            self.reactor, self.root / "fep.db", now_ms=self.now_ms, on_fatal=self.fatal.append,
            pool=None,
        )  # fmt: skip
        key, cert = party(NODE, 0x10)
        self.uplink = Uplink(
            self.reactor, self.watch, self.dice, self.store, self.settings, key, cert,
            self.platform.cert, node_id=NODE, carrier=self.ferry, work=self._work,
            on_grant=grant_txn, on_quota=self.quotas.append,
            on_answered=lambda count, fen: self.answered.append((count, fen)),
            signature_xml=lambda row: f"<Signature>{row.der.hex()}</Signature>",
            log=self.log, finance_certs=self.finance_certs, breathe=self._breathe,
            following=self.following,
        )  # fmt: skip

    def _breathe(self) -> None:
        self.breaths += 1

    def now_ms(self) -> int:
        return int(self.watch.wall().timestamp() * 1000)

    def _work(self, fn: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Run at once but answer a turn later, as a thread would."""
        answer: Deferred[Any] = Deferred()
        result = maybeDeferred(fn, *args)
        result.addBoth(lambda value: self.reactor.callLater(0, answer.callback, value))
        return answer

    def grant(self, first: int = 1, last: int = 100_000) -> None:
        """Give the node numbers without the link."""
        block = Grant("u1", CODE, f"{first:010d}", f"{last:010d}", "person", "test")
        self.done(self.store.do("t", grant_txn, block))

    def issue(self, count: int) -> list[str]:
        """Freeze and seal receipts; returns their numbers."""
        cert_id = self.done(self.store.do("c", certificate_txn, b"der", "0c", "unit"))
        drafts = []
        for key in itertools.islice(self.keys, count):
            drafts.append(Draft(
                "u1", f"k{key}", "his", "medical", "01", "张三", 1230, sm3.digest(b"%d" % key),
                b"", "abcdef", lambda ms: CODE,
                lambda code, number, check, ms: f"<Header>{code}{number}</Header>".encode() * 20,
            ))  # fmt: skip
        frozen = self.done(self.store.do("f", freeze_txn, drafts))
        receipts = [entry.receipt for entry in frozen]
        seals = [Seal(receipt, cert_id, b"\x30\x00", PLATFORM, "") for receipt in receipts]
        self.done(self.store.do("s", seal_txn, seals))
        self.uplink.wake()
        return [receipt.number for receipt in receipts]

    def done(self, wanted: Deferred[Any]) -> Any:
        """Turn the reactor until a deferred has fired; return its result."""
        results: list[Any] = []
        wanted.addBoth(results.append)
        for _ in range(200):
            if results:
                break
            self.reactor.advance(0)
        assert results, "it did not fire"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def gate(self) -> int:
        """Move files of the node to the platform; returns how many."""
        moved = 0
        for name in sorted(self.ferry.out):
            content = self.ferry.out.pop(name)
            moved += 1
            for _ in range(self.outbound(name)):
                self.platform.receive(content)
        return moved

    def run(self, seconds: float, *, gate: bool = True, step: float = 0.1) -> None:
        """Let time pass, the gate moving files at every step."""
        for _ in range(round(seconds / step)):
            self.reactor.advance(step)
            for _ in range(20):
                self.reactor.advance(0)
            if gate:
                self.gate()

    def stop(self) -> None:
        """Stop the uplink and close the store, gracefully."""
        self.done(Deferred.fromCoroutine(self.uplink.stop()))
        self.store.close()

    def crash(self) -> None:
        """Forget everything in memory; what was committed stays."""
        for call in list(self.reactor.getDelayedCalls()):
            call.cancel()
        self.store.close()

    def restart(self) -> None:
        """Open and start again after `stop` or `crash`."""
        self.open()
        self.uplink.start()

    def states(self) -> dict[str, int]:
        """Return how many uploads are in each state."""
        return self.store.read(
            lambda conn: dict(
                conn.exec_driver_sql("SELECT state, count(*) FROM upload GROUP BY state").all()
            )
        )

    def rows(self, sql: str) -> list[Any]:
        """Return the rows of a query."""
        return self.store.read(lambda conn: conn.exec_driver_sql(sql).all())


def begun(coroutine: Any) -> Deferred[Any]:
    """Start a coroutine."""
    return Deferred.fromCoroutine(coroutine)


def journalled(world: World, *ops: str) -> list[tuple[str]]:
    """Return the link's journal operations of these names, in order."""
    lines = world.rows("SELECT line FROM journal ORDER BY seq")
    found = [bytes(line).split(b'"op":"')[1].split(b'"')[0].decode() for (line,) in lines]
    return [(op,) for op in found if op in {f"link.{name}" for name in ops}]
