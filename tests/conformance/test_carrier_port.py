"""One suite over every carrier: what is put on one side lies whole on the other, both ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.defer import execute
from twisted.internet.task import deferLater

from fep.env import RealClock, RealEntropy
from fep.services.carrier_belt import Tools
from fep.services.carrier_build import make_carrier
from fep.services.ferry import Ferry
from fep.settings_link import CarrierSettings
from fep.wire.fpb import FILE_MAX_BYTES, Header, Kind, pack
from fep.wire.fpb_name import BatchName, node8
from tests.unit.link.link_world import Lines, party

NODE, PLATFORM = "node-0001", "province"
QUICK = {"poll_s": 0.02, "answer_s": 2.0, "retry_s": 0.1}


def batch(seq: int, channel: int = 1, size: int = 300) -> tuple[str, bytes]:
    """Return the name and the bytes of a batch that only looks genuine to a carrier."""
    key, cert = party(NODE, 0x10)
    header = Header(kind=Kind.DATA, sender=NODE, receiver=PLATFORM, epoch=1, channel=channel,
                    seq=seq, created_ms=1)  # fmt: skip
    content = pack(header, b"x" * size, key, cert.public_key, RealEntropy())
    return BatchName(node8(NODE), 1, channel, seq, 1).text(), content


def reactor() -> Any:
    """Return the installed reactor; importing it earlier would install one."""
    from twisted.internet import reactor as installed

    return installed


class Hand(RealClock):
    """A clock whose wall can be set."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def wall(self) -> datetime:
        return self.at or super().wall()


@dataclass
class Pair:
    """Two carriers with a gate between them; `near` is the side that may connect."""

    place: Path
    kind: str
    more: dict[str, Any] = field(default_factory=dict)
    clock: Hand = field(default_factory=Hand)
    log: Lines = field(default_factory=Lines)
    port: int = 0
    near: Any = None
    far: Any = None

    def open(self) -> None:
        """Open the far side, then the near one."""
        self.open_far()
        self.near = self.make("near", **self.near_settings())
        self.near.open()

    def open_far(self) -> None:
        """Open the side that waits for calls, on the port it had."""
        self.far = self.make("far", **self.far_settings())
        self.far.open()
        if self.kind in WIRES:
            self.port = self.far.address().port

    def make(self, side: str, **settings: Any) -> Ferry:
        tools = Tools(reactor(), self.clock, execute, self.log)
        return make_carrier(
            tools, CarrierSettings(**{**QUICK, **settings}), self.place / side, self.place
        )

    def far_settings(self) -> dict[str, Any]:
        if self.kind == "tcp":
            return {"kind": "tcp", "listen": f"tcp:{self.port}:interface=127.0.0.1"}
        if self.kind == "https":
            return {"kind": "https", "listen": f"127.0.0.1:{self.port}", **self.tls("far", "near")}
        return {}

    def near_settings(self) -> dict[str, Any]:
        if self.kind == "tcp":
            return {"kind": "tcp", "connect": f"tcp:127.0.0.1:{self.port}", **self.more}
        if self.kind == "https":
            base = f"https://localhost:{self.port}"
            return {"kind": "https", "connect": base, **self.tls("near", "far"), **self.more}
        if self.kind == "limited":
            return {"files_per_minute": 6000, **self.more}
        return {"form": self.kind if self.kind in ("txt", "xml") else "binary", **self.more}

    def tls(self, own: str, peer: str) -> dict[str, str]:
        """Return the files of one side; made once a place."""
        for name in (own, peer, "stranger"):
            tls_identity(self.place, name)
        return {
            "tls_cert": f"{own}.crt", "tls_key": f"{own}.pem", "tls_peer": f"{peer}.crt"
        }  # fmt: skip

    def gate(self) -> None:
        """Do what a gate does for directories; a wire needs nobody."""
        if self.kind in WIRES:
            return
        for source, target in (("near", "far"), ("far", "near")):
            for path in sorted((self.place / source / "out").glob("f1-*")):
                path.rename(self.place / target / "in" / path.name)

    async def until(self, holds: Callable[[], bool], within_s: float = 8.0) -> None:
        """Let time pass until something holds."""
        ends = reactor().seconds() + within_s
        while not holds():
            assert reactor().seconds() < ends, (
                self.log.lines[-5:],
                self.near.fault,
                self.far.fault,
            )
            self.gate()
            await deferLater(reactor(), 0.01)

    async def close(self) -> None:
        for side in (self.near, self.far):
            if side is not None:
                await side.close()


KINDS = ["ferry", "txt", "xml", "limited", "tcp", "https"]
WIRES = ("tcp", "https")


def tls_identity(place: Path, name: str) -> None:
    """Make a certificate for localhost and its key, unless they are there."""
    if (place / f"{name}.crt").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    cert = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2060, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (place / f"{name}.crt").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (place / f"{name}.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ))  # fmt: skip


async def run(pair: Pair, story: Callable[[Pair], Any]) -> None:
    """Tell a story on the real reactor."""
    pair.open()
    try:
        await story(pair)
    finally:
        await pair.close()


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    return Pair(tmp_path, request.param)


def held(side: Ferry) -> set[bytes]:
    return {content for name in side.names() if (content := side.read(name)) is not None}


@pytest_twisted.ensureDeferred
async def test_what_is_put_lies_whole_on_the_other_side(pair: Pair):
    async def story(pair: Pair) -> None:
        sent = [batch(seq) for seq in (1, 2, 3)]
        for name, content in sent:
            pair.near.put(name, content)

        await pair.until(lambda: len(pair.far.names()) == 3)

        assert {content for _, content in sent} == held(pair.far)

    await run(pair, story)


@pytest_twisted.ensureDeferred
async def test_the_side_that_may_not_connect_is_heard_too(pair: Pair):
    async def story(pair: Pair) -> None:
        name, content = batch(7, channel=0)
        pair.far.put(name, content)

        await pair.until(lambda: len(pair.near.names()) == 1)

        assert {content} == held(pair.near)

    await run(pair, story)


@pytest_twisted.ensureDeferred
async def test_a_large_batch_crosses(pair: Pair):
    async def story(pair: Pair) -> None:
        key, cert = party(NODE, 0x10)
        header = Header(kind=Kind.DATA, sender=NODE, receiver=PLATFORM, epoch=1, channel=1,
                        seq=1, created_ms=1)  # fmt: skip
        noise = RealEntropy().token(3_000_000)
        content = pack(header, noise, key, cert.public_key, RealEntropy())
        pair.near.put(BatchName(node8(NODE), 1, 1, 1, 1).text(), content)

        await pair.until(lambda: len(pair.far.names()) == 1)

        assert {content} == held(pair.far)

    await run(pair, story)


@pytest_twisted.ensureDeferred
async def test_a_taken_arrival_is_gone_and_one_set_aside_is_kept(pair: Pair):
    async def story(pair: Pair) -> None:
        for seq in (1, 2):
            pair.near.put(*batch(seq))
        await pair.until(lambda: len(pair.far.names()) == 2)
        first, second = pair.far.names()

        pair.far.taken(first)
        pair.far.aside(second, "chain")

        assert [] == pair.far.names()
        assert 1 == len(list(pair.far.quarantine.iterdir()))

    await run(pair, story)


@pytest_twisted.ensureDeferred
async def test_what_waits_survives_a_restart_of_the_sender(pair: Pair):
    async def story(pair: Pair) -> None:
        await pair.near.close()
        name, content = batch(1)
        pair.near.put(name, content)

        pair.near = pair.make("near", **pair.near_settings())
        pair.near.open()
        await pair.until(lambda: len(pair.far.names()) == 1)

        assert {content} == held(pair.far)

    await run(pair, story)


@pytest_twisted.ensureDeferred
async def test_an_absent_far_side_is_said_and_made_up_for(pair: Pair):
    if pair.kind not in WIRES:
        pytest.skip("a directory is never absent")

    async def story(pair: Pair) -> None:
        await pair.far.close()
        pair.near.put(*batch(1))
        await pair.until(lambda: pair.near.fault != "")

        pair.open_far()
        await pair.until(lambda: len(pair.far.names()) == 1 and pair.near.fault == "")

    await run(pair, story)


@pytest_twisted.ensureDeferred
async def test_answered_batches_are_taken_back(pair: Pair):
    async def story(pair: Pair) -> None:
        await pair.near.close()
        for seq in (1, 2):
            pair.near.put(*batch(seq))

        pair.near.recall({batch(1)[0].rpartition("-")[0]})

        assert [batch(2)[0]] == pair.near.departures()

    await run(pair, story)


# what only some have
@pytest_twisted.ensureDeferred
async def test_a_closed_gate_moves_nothing_until_its_hours(tmp_path: Path):
    for kind in ("limited", *WIRES):
        (tmp_path / kind).mkdir()
        pair = Pair(tmp_path / kind, kind, {"hours": ("06:00-22:00",)})
        pair.clock.at = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)  # 23:00 in +08:00

        async def story(pair: Pair) -> None:
            pair.near.put(*batch(1))
            await pair.until(lambda: pair.near.fault == "closed")
            for _ in range(15):  # an open gate needs less
                pair.near._belt.ring()
                await deferLater(reactor(), 0.02)
            assert ([], "closed") == (pair.far.names(), pair.near.fault)

            pair.clock.at = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
            pair.near._belt.ring()
            await pair.until(lambda: len(pair.far.names()) == 1)
            await pair.until(lambda: not pair.near.fault)

        await run(pair, story)


def test_control_leaves_before_receipts_and_old_receipts_before_new(tmp_path: Path):
    ferry = Ferry(tmp_path)
    ferry.prepare()
    names = [batch(seq, channel)[0] for seq, channel in ((2, 1), (1, 1), (4, 0), (5, 0), (1, 2))]
    for name in names:
        ferry.put(name, b"x")

    expected = [names[3], names[2], names[4], names[1], names[0]]
    assert expected == ferry.departures()


@pytest_twisted.ensureDeferred
async def test_a_stranger_on_the_port_is_hung_up_on_and_stores_nothing(tmp_path: Path):
    import socket

    async def story(pair: Pair) -> None:
        for rubbish in (b"GET / HTTP/1.1\r\n\r\n", (FILE_MAX_BYTES + 1).to_bytes(4, "big"),
                        b"\0\0\0\x05hello"):  # fmt: skip
            with socket.create_connection(("127.0.0.1", pair.port)) as stranger:
                stranger.setblocking(False)
                stranger.send(rubbish)
                for _ in range(20):
                    await deferLater(reactor(), 0.01)
        assert [] == pair.far.names()

        name, content = batch(1)
        pair.near.put(name, content)
        await pair.until(lambda: len(pair.far.names()) == 1)

        assert {content} == held(pair.far)

    await run(Pair(tmp_path, "tcp"), story)


@pytest_twisted.ensureDeferred
async def test_an_idle_line_is_renewed_before_a_gate_cuts_it(tmp_path: Path):
    async def story(pair: Pair) -> None:
        await pair.until(lambda: bool(pair.near._lines))
        first = pair.near._lines[0]

        await pair.until(lambda: bool(pair.near._lines) and pair.near._lines[0] is not first)
        pair.far.put(*batch(1, channel=0))
        await pair.until(lambda: len(pair.near.names()) == 1)

    await run(Pair(tmp_path, "tcp", {"idle_s": 0.2}), story)


def test_another_content_never_replaces_an_arrival_that_waits(tmp_path: Path):
    ferry = Ferry(tmp_path)
    ferry.prepare()
    one, other = batch(1)[1], batch(1)[1]

    names = [ferry.accept(one), ferry.accept(other), ferry.accept(one)]

    assert names[0] == names[2] != names[1]
    assert {one, other} == held(ferry)


class Impostor(Pair):
    """One side shows a certificate that the other was not told of."""

    side = "near"

    def tls(self, own: str, peer: str) -> dict[str, str]:
        told = super().tls(own, peer)
        wrong = {"tls_cert": "stranger.crt", "tls_key": "stranger.pem"}
        return {**told, **(wrong if own == self.side else {})}


@pytest.mark.parametrize("side", ["near", "far"])
@pytest_twisted.ensureDeferred
async def test_https_is_spoken_with_the_configured_certificate_only(tmp_path: Path, side: str):
    async def story(pair: Pair) -> None:
        pair.near.put(*batch(1))
        await pair.until(lambda: pair.near.fault != "")

        assert [] == pair.far.names()
        assert 1 == len(pair.near.departures())

    pair = Impostor(tmp_path, "https")
    pair.side = side
    await run(pair, story)
