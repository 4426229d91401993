"""The platform's end of the link: a peer that speaks FPB/1 through two directories.

Two rules: decide, commit, then write files; whatever is written twice is byte-identical but
for channel 0, which carries only what the books say at that moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fep.sim import fpb, province_control, sm
from fep.sim.dropbox import Inbox, Outbox
from fep.sim.ports import Clock, wall_ms
from fep.sim.province_apply import Registrar
from fep.sim.province_book import Book
from fep.sim.province_letters import Letters
from fep.sim.province_recon import Recon

FILES_A_STEP = 64
RANGES_MAX = 1000
RESULTS_AN_ACK = 1000
LETTERS = ((fpb.CTRL, 2), (fpb.DATA, 3))
KNOWN_LETTERS = {2: frozenset({"NOTE"}), 3: frozenset({"NOTE", "DAYCLOSE", "RECON"})}
TRANSPORT_NAME = re.compile(r"f1-[0-9a-f]{8}-[0-9a-f]{4}-0-")


@dataclass(frozen=True, slots=True)
class Knobs:
    """How this province behaves; times in seconds."""

    heartbeat_s: float = 5.0
    latency_s: float = 0.0
    gap_s: float = 60.0
    poll_s: float = 0.2
    resend_s: float = 5.0
    part_timeout_s: float = 900.0
    refuse_rate: float = 0.0
    seed: int = 0


@dataclass(slots=True)
class _Stream:
    """What is owed to one (node, epoch), lost without harm at a restart."""

    owed: set[int] = field(default_factory=set)
    owed_since: float = 0.0
    gap: int = 0
    gap_due: float = 0.0
    gap_wait: float = 0.0


class Province:
    """One running platform. `step()` is one poll; no thread of its own waits."""

    def __init__(
        self,
        book: Book,
        incoming: Path,
        outgoing: Path,
        clock: Clock,
        token: Callable[[int], bytes],
        knobs: Knobs,
    ) -> None:
        self._book = book
        self._me = book.me()
        self._clock = clock
        self._token = token
        self._knobs = knobs
        self._inbox = Inbox(
            incoming, book.state / "quarantine", part_timeout_s=knobs.part_timeout_s
        )
        self._outbox = Outbox(outgoing)
        self._registrar = Registrar(
            book, self._me, lambda: wall_ms(clock),
            refuse_rate=knobs.refuse_rate, seed=knobs.seed,
        )  # fmt: skip
        self._control = province_control.Control(book, self._me, self._outbox, clock, token)
        self._recon = Recon(book, self._me, self._outbox, clock, token)
        self._letters = Letters(book, KNOWN_LETTERS, lambda: wall_ms(clock))
        self._streams: dict[tuple[str, int], _Stream] = {}
        self._parties: dict[str, tuple[bytes, fpb.Party]] = {}
        self._last_sent: dict[str, tuple[float, str]] = {}

    def close(self) -> None:
        """Close the books."""
        self._book.close()

    def step(self) -> int:
        """Look at arrivals, apply, answer; return how many files were looked at."""
        now = self._clock.mono()
        paths = self._inbox.due(now, FILES_A_STEP)
        for path in paths:
            self._look(path, now)
        self._ask_for_gaps(now)
        self._acknowledge(now)
        self._control.step(now, self._knobs.resend_s)
        self._recon.step(now, self._knobs.resend_s)
        self._beat(now)
        return len(paths)

    # Arrivals.

    def _look(self, path: Path, now: float) -> None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return
        try:
            batch = fpb.read(content, self._me, self._party)
            self._receive(batch, now)
        except fpb.Bad as bad:
            if bad.final or self._inbox.incomplete(path, now):
                self._set_aside(path, content, bad)
            return
        self._inbox.done(path)

    def _receive(self, batch: fpb.Batch, now: float) -> None:
        head = batch.header
        self._book.conn.execute(
            "UPDATE node SET heard_ms=? WHERE id=?", (wall_ms(self._clock), head.sender)
        )
        if head.kind == fpb.DATA and head.channel == 1:
            applied = self._registrar.take(batch)
            stream = self._stream(head.sender, head.epoch)
            stream.owed_since = stream.owed_since if stream.owed else now
            stream.owed.update(applied, (head.seq,))
            if self._registrar.stream(head.sender, head.epoch)["stopped"] is not None:
                self._nack(head.sender, 1, head.epoch, "chain")
        elif head.kind in (fpb.ACK, fpb.NACK) and head.channel == 0:
            try:
                for record in batch.records():
                    self._control.answered(head.sender, head.kind, record)
                    self._recon.answered(head.sender, head.kind, record)
            except (KeyError, TypeError, ValueError) as error:
                raise fpb.Bad("unexpected", f"answer: {error!r}", final=True) from error
        elif (head.kind, head.channel) in LETTERS:
            self._send(head.sender, fpb.ACK, self._letters.take(batch), now)
        elif head.kind in (fpb.HELLO, fpb.SYNC, fpb.MANIFEST) and head.channel == 0:
            for record in batch.records():
                self._greeted(head, record, now)
        else:
            raise fpb.Bad("unexpected", f"kind {head.kind} on {head.channel}", final=True)

    def _greeted(self, head: fpb.Header, record: dict[str, Any], now: float) -> None:
        """Answer a HELLO with a SYNC, a MANIFEST with what is missing of it."""
        try:
            if head.kind == fpb.HELLO:
                told = [self._holding(head.sender, said) for said in record["channels"]]
                body = {"channels": told, "time_ms": wall_ms(self._clock)}
                self._send(head.sender, fpb.SYNC, body, now)
            elif head.kind == fpb.MANIFEST and record["channel"] == 1:
                epoch, last = int(record["epoch"]), int(record["seq"])
                applied = self._registrar.stream(head.sender, epoch)["batch_seq"]
                lost = _holes(applied, [*self._held(head.sender, epoch, applied), last + 1])
                if lost:
                    self._nack(head.sender, 1, epoch, "missing", missing=lost[:RANGES_MAX])
        except (KeyError, TypeError, ValueError) as error:
            raise fpb.Bad("unexpected", f"greeting: {error!r}", final=True) from error

    def _holding(self, node: str, said: dict[str, Any]) -> dict[str, Any]:
        channel, epoch = int(said["channel"]), int(said["epoch"])
        if channel != 1:
            return self._letters.holding(node, channel, epoch)
        body = self._ack_body(node, epoch)
        return {name: body[name] for name in ("applied_upto", "channel", "epoch", "head",
                                              "received")}  # fmt: skip

    def _set_aside(self, path: Path, content: bytes, bad: fpb.Bad) -> None:
        self._inbox.set_aside(path)
        self._book.count(f"file.{bad.reason}")
        if bad.reason == "bad-signature":
            self._book.count("bad_signatures")
        if bad.reason == "unexpected":
            return
        sender, epoch = self._author(path.name, content)
        # Nobody keeps files of channel 0, so there is nothing to ask for again.
        if sender is not None and not TRANSPORT_NAME.match(path.name):
            self._nack(sender, 1, epoch, bad.reason, names=[path.name])

    def _author(self, name: str, content: bytes) -> tuple[str | None, int]:
        """Guess who wrote a file that cannot be read, by header, else by name."""
        said = content[11:27].rstrip(b"\0").decode("ascii", "replace")
        epoch = int.from_bytes(content[43:45], "big") if len(content) >= 45 else 1
        if self._party(said) is not None:
            return said, max(epoch, 1)
        for row in self._book.rows("SELECT id FROM node"):
            if name.startswith("f1-" + sm.sm3(row["id"].encode()).hex()[:8]):
                return str(row["id"]), 1
        return None, 1

    def _party(self, node: str) -> fpb.Party | None:
        row = self._book.row("SELECT certificate FROM node WHERE id=?", node)
        if row is None:
            return None
        known = self._parties.get(node)
        if known is None or known[0] != row["certificate"]:
            party = self._book.party(node)
            assert party is not None
            known = self._parties[node] = (row["certificate"], party)
        return known[1]

    # Answers.

    def _stream(self, node: str, epoch: int) -> _Stream:
        return self._streams.setdefault((node, epoch), _Stream())

    def _acknowledge(self, now: float) -> None:
        for (node, epoch), stream in self._streams.items():
            if stream.owed and now >= stream.owed_since + self._knobs.latency_s:
                seqs, stream.owed = sorted(stream.owed), set()
                self._ack(node, epoch, seqs, now)

    def _ack(self, node: str, epoch: int, seqs: list[int], now: float) -> None:
        results: list[dict[str, Any]] = []
        for seq in seqs:
            results += self._results(node, epoch, seq)
        for start in range(0, max(len(results), 1), RESULTS_AN_ACK):
            body = self._ack_body(node, epoch)
            body["results"] = results[start : start + RESULTS_AN_ACK]
            self._send(node, fpb.ACK, body, now)

    def _results(self, node: str, epoch: int, seq: int) -> list[dict[str, Any]]:
        return [
            {
                "rec_seq": row["rec_seq"],
                "result": row["result"],
                "code": row["fault"],
                "detail": row["detail"],
                "supervision": fpb.parsed(row["supervision"]) if row["supervision"] else None,
            }
            for row in self._book.rows(
                "SELECT * FROM record WHERE node=? AND epoch=? AND batch_seq=? ORDER BY rec_seq",
                node, epoch, seq,
            )
        ]  # fmt: skip

    def _ack_body(self, node: str, epoch: int) -> dict[str, Any]:
        stream = self._registrar.stream(node, epoch)
        received = [[1, stream["batch_seq"]]] if stream["batch_seq"] else []
        for seq in self._held(node, epoch, stream["batch_seq"]):
            if received and received[-1][1] == seq - 1:
                received[-1][1] = seq
            else:
                received.append([seq, seq])
        return {
            "applied_upto": stream["rec_seq"],
            "channel": 1,
            "epoch": epoch,
            "head": stream["head"],
            "level": "APPLIED",
            "received": received[:RANGES_MAX],
            "results": [],
            "time_ms": wall_ms(self._clock),
        }

    def _held(self, node: str, epoch: int, above: int) -> list[int]:
        rows = self._book.rows(
            "SELECT seq FROM batch_in WHERE node=? AND epoch=? AND seq>? ORDER BY seq",
            node, epoch, above,
        )  # fmt: skip
        return [row["seq"] for row in rows]

    def _ask_for_gaps(self, now: float) -> None:
        for row in self._book.rows("SELECT * FROM stream_in WHERE stopped IS NULL"):
            node, epoch, applied = row["node"], row["epoch"], row["batch_seq"]
            stream, held = self._stream(node, epoch), self._held(node, epoch, applied)
            if not held:
                stream.gap = 0
            elif stream.gap != applied + 1:
                stream.gap = applied + 1
                stream.gap_wait = max(3 * self._knobs.poll_s, self._knobs.gap_s)
                stream.gap_due = now + stream.gap_wait
            elif now >= stream.gap_due:
                stream.gap_wait = min(stream.gap_wait * 2, 600.0)
                stream.gap_due = now + stream.gap_wait
                self._nack(node, 1, epoch, "missing", missing=_holes(applied, held)[:RANGES_MAX])

    def _nack(
        self,
        node: str,
        channel: int,
        epoch: int,
        reason: str,
        *,
        missing: list[list[int]] | None = None,
        names: list[str] | None = None,
    ) -> None:
        body = {
            "channel": channel,
            "epoch": epoch,
            "missing": missing or [],
            "names": names or [],
            "reason": reason,
            "time_ms": wall_ms(self._clock),
        }
        self._send(node, fpb.NACK, body, self._clock.mono())

    def _beat(self, now: float) -> None:
        """Send whoever was heard an ACK with nothing new; not while the last one still waits."""
        for row in self._book.rows("SELECT id FROM node WHERE heard_ms IS NOT NULL"):
            sent_at, name = self._last_sent.get(row["id"], (now - self._knobs.heartbeat_s, ""))
            if now - sent_at < self._knobs.heartbeat_s or (name and self._outbox.holds(name)):
                continue
            top = self._book.rows("SELECT max(epoch) AS top FROM stream_in WHERE node=?", row["id"])
            self._send(row["id"], fpb.ACK, self._ack_body(row["id"], top[0]["top"] or 1), now)

    def _send(self, node: str, kind: int, body: dict[str, Any], now: float) -> None:
        party = self._party(node)
        assert party is not None, node
        with self._book.transaction() as conn:
            conn.execute("UPDATE node SET out_seq=out_seq+1 WHERE id=?", (node,))
            seq = self._book.rows("SELECT out_seq FROM node WHERE id=?", node)[0]["out_seq"]
            upto, head_hash = self._book.applied(node)
        header = fpb.Header(
            kind, self._me.id, node, 1, 0, seq, wall_ms(self._clock), 0, 1,
            cum_ack=upto, ack_head_sm3=head_hash,
        )  # fmt: skip
        content = fpb.write(header, [fpb.canonical(body)], self._me, party, self._token)
        name = fpb.name_of(header, 1)
        self._outbox.put(name, content)
        self._last_sent[node] = (now, name)


def _holes(applied: int, held: list[int]) -> list[list[int]]:
    """Return the ranges of batch numbers missing between `applied` and the highest held."""
    holes, before = [], applied
    for seq in held:
        if seq > before + 1:
            holes.append([before + 1, seq - 1])
        before = seq
    return holes
