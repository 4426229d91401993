"""Gate torture: the daemon's uplink and store against the simulated province, on a fake clock,
with a gate between them that loses, repeats, delays by a day, truncates and renames, while
either side is killed at random.

The far end speaks FPB/1 from its own code (fep/sim); only its look into the documents is
left out, which is not the link's business. One seed, one story.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from fep.crypto import certs, keyfile, sm3
from fep.services.ferry import Ferry
from fep.services.uplink import Uplink
from fep.settings_link import LinkSettings
from fep.sim import province_desk, sm
from fep.sim.province import Knobs, Province
from fep.sim.province_apply import Registrar, Verdict
from fep.sim.province_book import Book
from fep.sim.province_check import idem_of
from fep.store.certificates import certificate_txn
from fep.store.issuing import Draft, Seal, freeze_txn, seal_txn
from fep.store.link_letters import letter_txn
from fep.store.numbers import Grant, grant_txn
from fep.store.opening import open_store
from tests.harness.blank import lay_store
from tests.simulation.net import Hub, Reactor
from tests.simulation.torture_gate import HEALTHY, Gate, Ills

NODE, PLATFORM, UNIT, CODE = "node-0001", "province", "u1", "42060126"
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = 3600.0
STEP_S = 120.0
HEAL_WITHIN_S = 2 * HOUR
OWN_NUMBERS = 1_000_000


class Trusting(Registrar):
    """A registrar that does not look into documents: here only the link is judged."""

    def _judge(self, record: dict[str, Any], certificate: Any) -> Verdict:
        fits = record.get("idem") == idem_of(record["body"], str(record.get("op")))
        return Verdict("OK") if fits else Verdict("REJECT", "IDEM")


class Clock:
    """The world's clock for both sides."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def wall(self) -> datetime:
        return datetime.fromtimestamp(BEGIN.timestamp() + self._hub.seconds(), UTC)

    def mono(self) -> float:
        return float(self._hub.seconds())


class Entropy:
    """Dice instead of randomness."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def token(self, size: int) -> bytes:
        return self._dice.randbytes(size)

    def below(self, bound: int) -> int:
        return self._dice.randrange(bound)


class Silent:
    """A log that counts what it is told."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.errors: list[str] = []

    def info(self, event: str, **_details: Any) -> None:
        self.told[event] += 1

    warning = info

    def error(self, event: str, **details: Any) -> None:
        """Keep the latest errors: they say why a run went wrong."""
        self.told[event] += 1
        self.errors = [*self.errors, f"{event} {details.get('why', '')}"][-5:]


@dataclass
class Outcome:
    """What became of one run."""

    seed: int
    records: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    healed_s: float = 0.0
    did: Counter[str] = field(default_factory=Counter)
    why: str = ""

    @property
    def good(self) -> bool:
        """Say whether every record took effect once, in time."""
        return not (self.lost or self.doubled or self.stuck or self.why)


class Torture:
    """One run: `Torture(place, seed).live()`."""

    def __init__(self, place: Path, seed: int, *, receipts: int = 105, hours: float = 26.0,
                 ills: Ills | None = None) -> None:  # fmt: skip
        self.place, self.seed, self.receipts, self.hours = place, seed, receipts, hours
        self.dice = random.Random(seed)
        self.hub = Hub()
        self.clock = Clock(self.hub)
        self.entropy = Entropy(self.dice)
        self.gate = Gate(random.Random(seed + 1), ills or Ills())
        self.log = Silent()
        self.settings = LinkSettings(
            poll_s=STEP_S, linger_s=1.0, records_max=5, window_batches=8, rto_first_s=600.0,
            heartbeat_s=600.0, silent_after_s=1800.0, gap_s=300.0, part_timeout_s=900.0,
        )  # fmt: skip
        self._keys = itertools.count(1)
        self._grants = self._letters = 0
        self._lay_out()
        self.near_up()
        self.far_up()

    def _lay_out(self) -> None:
        keys = self.place / "keys"
        keys.mkdir(parents=True)
        _identity(keys, "node", NODE, 72)
        _identity(keys, "unit", UNIT, 71)
        self.far_state = self.place / "province"
        province_desk.initialise(self.far_state, PLATFORM, 73)
        book = Book(self.far_state)
        book.conn.execute("PRAGMA synchronous=OFF")
        province_desk.register(
            book, NODE, (keys / "node.crt").read_bytes(), UNIT, (keys / "unit.crt").read_bytes()
        )
        # The numbers in use came to the node by hand, so no control record carries them.
        book.conn.execute(
            "INSERT INTO block VALUES('OWN',?,?,?,1,?,NULL,'{}',0,0,'')",
            (NODE, UNIT, CODE, OWN_NUMBERS),
        )
        book.close()
        self.node_key = keyfile.load_private((keys / "node.key").read_bytes(), None)
        self.node_cert = certs.parse((keys / "node.crt").read_bytes())
        self.platform_cert = certs.parse((self.far_state / "platform.crt").read_bytes())

    # the two sides
    def near_up(self) -> None:
        """Start the daemon's half."""
        self.reactor = Reactor(self.hub)
        self.ferry = Ferry(self.place / "near")
        self.ferry.prepare()
        lay_store(self.place / "fep.db")
        self.store = open_store(
            self.reactor, self.place / "fep.db", now_ms=self.now_ms, on_fatal=_never, pool=None
        )
        self.uplink = Uplink(
            self.reactor, self.clock, self.entropy, self.store, self.settings, self.node_key,
            self.node_cert, self.platform_cert, node_id=NODE, carrier=self.ferry,
            work=self._work, on_grant=grant_txn, on_quota=_ignore, on_answered=_ignore,
            signature_xml=lambda row: "<Signature/>", log=self.log,
        )  # fmt: skip
        if not self._grants:
            block = Grant(UNIT, CODE, f"{1:010d}", f"{OWN_NUMBERS:010d}", "person", "test")
            self._now(self.store.do("t", grant_txn, block))
        self.uplink.start()

    def near_down(self) -> None:
        """Kill it: what is in memory is gone, what was committed stays."""
        self.reactor.die()
        self.store._reader.close()
        self.store._conn.rollback()
        self.store.close()

    def far_up(self) -> None:
        """Start the province."""
        knobs = Knobs(heartbeat_s=600.0, gap_s=300.0, poll_s=STEP_S, resend_s=600.0,
                      part_timeout_s=900.0, seed=self.seed)  # fmt: skip
        book = Book(self.far_state)
        book.conn.execute("PRAGMA synchronous=OFF")
        self.province = Province(
            book, self.place / "far-in", self.place / "far-out", self.clock, self.entropy.token,
            knobs,
        )  # fmt: skip
        old = self.province._registrar
        self.province._registrar = Trusting(book, old._me, old._now_ms)

    def far_down(self) -> None:
        """Kill it between two steps."""
        self.province.close()

    def now_ms(self) -> int:
        return int((BEGIN.timestamp() + self.hub.seconds()) * 1000)

    def _work(self, fn: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Run at once but answer a turn later, as a thread would."""
        answer: Deferred[Any] = Deferred()
        reactor = self.reactor
        maybeDeferred(fn, *args).addBoth(lambda value: reactor.callLater(0, answer.callback, value))
        return answer

    def _now(self, wanted: Any) -> Any:
        results: list[Any] = []
        wanted.addBoth(results.append)
        assert self.hub.run(60, until=lambda: bool(results)), "it did not fire"
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    # what happens
    def issue(self, count: int) -> None:
        """Seal receipts."""
        cert_id = self._now(self.store.do("c", certificate_txn, b"der", "0c", "unit"))
        drafts = [
            Draft(
                UNIT, f"k{key}", "his", "medical", "01", "张三", 1230, sm3.digest(b"%d" % key),
                b"", "abcdef", lambda ms: CODE,
                lambda code, number, check, ms: f"<Header>{code}{number}</Header>".encode(),
            )
            for key in itertools.islice(self._keys, count)
        ]  # fmt: skip
        frozen = self._now(self.store.do("f", freeze_txn, drafts))
        seals = [Seal(entry.receipt, cert_id, b"\x30\x00", PLATFORM, "") for entry in frozen]
        self._now(self.store.do("s", seal_txn, seals))
        self.uplink.wake()

    def grant(self) -> None:
        """Have the province grant a block of another code."""
        self._grants += 1
        quota = json.dumps({"amount_fen": None, "count": None, "hours": None})
        province_desk.grant(
            self.province._book, UNIT, "42060226", 10, first=None, not_after=None, quota=quota,
            now_ms=self.now_ms(),
        )  # fmt: skip

    def letter(self) -> None:
        """Write a letter on channel 2 or 3."""
        self._letters += 1
        identity = sm3.digest(b"letter %d" % self._letters).hex()
        body = {"n": self._letters}
        self._now(self.store.do(
            "l", letter_txn, PLATFORM, 2 + self._letters % 2, "NOTE", identity, body
        ))  # fmt: skip
        self.uplink.wake()

    def step(self) -> None:
        """One look of everybody."""
        self.hub.run(STEP_S)
        now = self.hub.seconds()
        self.gate.fetch(self.ferry.out, self.place / "far-in", now)
        self.gate.deliver(now)
        self.province.step()
        self.gate.fetch(self.place / "far-out", self.ferry.arrivals, now)
        self.gate.deliver(now)

    def live(self) -> Outcome:
        """Suffer, heal, count."""
        outcome = Outcome(self.seed)
        try:
            self._suffer()
            self._heal(outcome)
            self._count(outcome)
        finally:
            outcome.did = self.gate.did
            self.near_down()
            self.far_down()
        return outcome

    def _suffer(self) -> None:
        steps = int(self.hours * HOUR / STEP_S)
        bursts = Counter(self.dice.randrange(steps) for _ in range(self.receipts))
        grants = {self.dice.randrange(steps) for _ in range(5)}
        letters = {self.dice.randrange(steps) for _ in range(6)}
        kills = Counter(self.dice.randrange(steps) for _ in range(8))
        for at in range(steps):
            if bursts[at]:
                self.issue(bursts[at])
            if at in grants:
                self.grant()
            if at in letters:
                self.letter()
            for _ in range(kills[at]):
                self._kill()
            self.step()

    def _kill(self) -> None:
        """Take one side away, at once or in the middle of its turn, and start it anew."""
        if self.dice.random() < 0.5:
            self.hub.run(self.dice.random() * STEP_S)
            self.near_down()
            self.gate.did["near killed"] += 1
            self.near_up()
        else:
            self.far_down()
            self.gate.did["far killed"] += 1
            self.far_up()

    def _heal(self, outcome: Outcome) -> None:
        self.gate.ills = HEALTHY
        self.gate.deliver(self.hub.seconds(), flush=True)
        began = self.hub.seconds()
        while not self.settled() and self.hub.seconds() - began < HEAL_WITHIN_S:
            self.step()
        outcome.healed_s = self.hub.seconds() - began

    def settled(self) -> bool:
        """Say whether both sides have everything, and know it of each other."""
        open_here = self.store.read(
            lambda conn: conn.exec_driver_sql(
                "SELECT (SELECT count(*) FROM upload WHERE state <> 'applied')"
                " + (SELECT count(*) FROM link_letter WHERE state <> 'applied')"
            ).scalar()
        )
        book = self.province._book
        return not open_here and not book.rows(
            "SELECT 1 FROM block WHERE result IS NULL"
        ) and not book.rows("SELECT 1 FROM batch_out WHERE freed = 0")  # fmt: skip

    def _count(self, outcome: Outcome) -> None:
        book = self.province._book
        sealed = {
            number
            for (number,) in self.store.read(
                lambda conn: conn.exec_driver_sql(
                    "SELECT number FROM receipt WHERE state = 'sealed'"
                ).all()
            )
        }
        effects = Counter(
            row["number"] for row in book.rows("SELECT number FROM record WHERE result = 'OK'")
        )
        ours = dict(self.store.read(
            lambda conn: conn.exec_driver_sql(
                "SELECT first, count(*) FROM number_block WHERE source = 'platform' GROUP BY first"
            ).all()
        ))  # fmt: skip
        granted = {
            row["first"]: row["result"]
            for row in book.rows("SELECT * FROM block WHERE grant_id <> 'OWN'")
        }
        letters = Counter(row["idem"] for row in book.rows("SELECT idem FROM letter"))
        outcome.records = len(sealed) + len(granted) + self._letters
        outcome.lost = (
            len(sealed - set(effects))
            + len(set(granted) - set(ours))
            + self._letters
            - len(letters)
        )
        seen = (effects, ours, letters)
        outcome.doubled = sum(n - 1 for counts in seen for n in counts.values())
        outcome.stuck = 0 if self.settled() else 1
        standing = self.uplink.status()
        if outcome.stuck or outcome.lost:
            flights = {c: sorted(box.flights) for c, box in self.uplink._outboxes.items()}
            outcome.why = f"{standing} {self.log.told} {self.log.errors} {flights}"
            outcome.why += f" {book.tallies()} store dead: {self.store.dead}"
        elif standing.state == "stalled" or len(sealed) != self.receipts:
            outcome.why = f"{standing.state} {standing.reason}, {len(sealed)} sealed"


def runs(place: Path, count: int, first: int = 1, **how: Any) -> Iterator[Outcome]:
    """Live through `count` seeds, each in a directory of its own."""
    for seed in range(first, first + count):
        home = place / f"run-{seed}"
        try:
            yield Torture(home, seed, **how).live()
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _identity(keys: Path, name: str, party: str, serial: int) -> None:
    sm.create_identity(keys / f"{name}.key", keys / f"{name}.crt", party, serial)


def _never(why: str) -> None:
    raise AssertionError(why)


def _ignore(*_args: Any) -> None:
    return None
