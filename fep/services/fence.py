"""The fence: a store that is not the newest one gives no number (I1).

At the start the store is compared with its witness; behind a closed fence events are queued,
nothing is issued, printed or sent, and the witness is not written, so that the next start
finds the same. Two people may lift it: every open block is burned, a new epoch begins. The
witness file itself is kept by fep/services/witness.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred, execute
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from fep.domain.faults import Refused, refuse
from fep.domain.witness import OPEN, Finding, StoreSide, Testimony, compare
from fep.ports import Entropy
from fep.services.witness import Witness, read
from fep.store.fencing import Lift, Lifted, lift_txn, named_txn, side_q, spans_q
from fep.store.tx import Tx
from fep.store.writer import Store

NAME_BYTES = 8
# Without a witness nobody knows how many epochs the lost store had: these are skipped.
BLIND_EPOCHS = 100


class Gate(Protocol):
    """What the fence closes: the issue service."""

    fenced: str

    def fence(self, why: str) -> None:
        """Stop issuing."""

    def unfence(self) -> None:
        """Issue again."""


class Fence:
    """Watches over one store; made when it is open, before anything is written."""

    def __init__(self, entropy: Entropy, store: Store, directory: Path, log: Any,
                 *, now_ms: Callable[[], int], threads: bool) -> None:  # fmt: skip
        self._entropy = entropy
        self._store = store
        self._log = log
        self._work: Callable[..., Deferred[Any]] = deferToThread if threads else execute
        self._gate: Gate | None = None
        self._seen: Testimony | None = None
        self._side = StoreSide("", 0, 0)
        self.finding = Finding.NEW
        self.fault: Refused | None = None
        self.witness = Witness(directory, now_ms)
        self.witness.on_lost = self._lost
        self.on_lifted: Callable[[], Any] = lambda: None

    @property
    def closed(self) -> bool:
        """Say whether this store may not be used as the newest one."""
        return self.finding not in OPEN

    @property
    def last_seen_ms(self) -> int:
        """Return when the witness was written last before this start (ms), 0 for never."""
        return self._seen.line.at_ms if self._seen is not None else 0

    # from node
    async def start(self, gate: Gate) -> None:
        """Compare, then write the witness or close the fence. Raises Refused STORE_DEAD."""
        self._gate = gate
        try:
            self._seen = read(self.witness.directory)
        except OSError as error:
            self._close(refuse("FENCE_WITNESS", why=error, path=self.witness.directory))
            self.finding = Finding.MISSING
            return
        seq = self._seen.line.seq if self._seen is not None else 0
        self._side = self._store.read(side_q, seq)
        self.finding = compare(self._side, self._seen)
        if self.closed:
            self._close(self._fault())
            await self._store.do("fence", _raised_txn, str(self.fault))
            return
        if self.finding is Finding.NEW:
            name = self._entropy.token(NAME_BYTES).hex()
            await self._store.do("witness.open", named_txn, name)
            self._side = self._store.read(side_q, 0)
        self._begin()
        self._store.after_commit.append(self.witness.committed)

    def tick(self) -> None:
        """Make the last second's lines durable; try a lost witness again."""
        if self.closed:
            return
        if not self.witness.open:
            self._reopen()
            return
        done = self._work(self.witness.syncer())
        done.addErrback(self._unsynced)

    def stop(self) -> None:
        """Make the last lines durable and let go of the file."""
        self.witness.close()

    # from two people
    async def lift(self, reason: str, who: str, approved: Iterable[str]) -> Lifted:
        """Burn what may be in use elsewhere and issue again, from blocks that come after.

        Raises Refused: FENCE_NONE, FENCE_CAUSE, FENCE_TWO.
        """
        cause = self._liftable()
        names = tuple(dict.fromkeys(" ".join(name.split()) for name in approved if name.strip()))
        if len({name.casefold() for name in names}) < 2:
            raise refuse("FENCE_TWO", names=", ".join(names) or "-")
        blind = self.finding in (Finding.MISSING, Finding.OTHER)
        lift = Lift(cause, reason, who, names, blind)
        seen = self._seen
        epoch = max(self._side.epoch, seen.line.epoch if seen is not None else 0)
        epoch += BLIND_EPOCHS if blind else 1
        spans = tuple(seen.spans.values()) if seen is not None else ()
        name = self._side.instance or self._entropy.token(NAME_BYTES).hex()
        done = await self._store.do("fence.lift", lift_txn, name, lift, spans, epoch)
        self._side = self._store.read(side_q, 0)
        was_closed = self.closed
        self.finding, self.fault, self._seen = Finding.SOUND, None, None
        self._begin()
        assert self._gate is not None
        if was_closed:
            self._store.after_commit.append(self.witness.committed)
        self._gate.unfence()
        self._log.warning("fence.lifted", cause=cause, blocks=done.blocks, numbers=done.numbers)
        if was_closed:
            self.on_lifted()
        return done

    def _liftable(self) -> str:
        """Return the cause that may be lifted. Raises Refused FENCE_NONE, FENCE_CAUSE."""
        assert self._gate is not None
        if self.closed and (self.fault is None or self.fault.code != "FENCE_WITNESS"):
            return self.finding.value
        if self._store.fenced:
            return "NUMBER_USED"
        if self._gate.fenced:
            raise refuse("FENCE_CAUSE", why=self._gate.fenced)
        raise refuse("FENCE_NONE")

    # the file
    def _begin(self) -> None:
        try:
            self.witness.begin(
                self._side.instance, self._side.epoch, self._store.heads,
                self._store.read(spans_q),
            )  # fmt: skip
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        """The witness cannot be written: nothing may be given unseen."""
        self.witness.close()
        self._close(refuse("FENCE_WITNESS", why=error, path=self.witness.directory))

    def _unsynced(self, failure: Failure) -> None:
        self._lost(OSError(str(failure.value)))

    def _reopen(self) -> None:
        """Try the witness again; what it missed is in the full line it begins with."""
        fault, self.fault = self.fault, None
        self._begin()
        if self.fault is None and self._gate is not None and fault is not None:
            self._log.warning("fence.witness_back", path=str(self.witness.directory))
            if self._gate.fenced == _why(fault):
                self._gate.unfence()

    # why
    def _close(self, fault: Refused) -> None:
        self.fault = fault
        assert self._gate is not None
        self._gate.fence(_why(fault))

    def _fault(self) -> Refused:
        line = self._seen.line if self._seen is not None else None
        return refuse(
            self.finding.value,
            store=self._side.seq,
            witness=line.seq if line else 0,
            ours=self._side.instance or "-",
            theirs=line.instance if line else "-",
            path=self.witness.directory,
        )


def _why(fault: Refused) -> str:
    """Return one sentence that fits any language: the code, and what it was found by."""
    return f"{fault.code} {fault.en.split('. ')[0]}"


def _raised_txn(tx: Tx, why: str) -> None:
    tx.journal("fence.raised", "", {"why": why[:300]})
