"""The uplink to one destination: receipts up, grants down, and the health of the link.

Two loops, one a direction, each with its own turn and back-off; they share the pulse. What
leaves was stored first, what arrives is stored before its file goes. Constructed with all
it needs; `start` after the store is open, `stop` before it closes. Reactor thread only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, gatherResults

from fep.crypto.certs import Certificate
from fep.crypto.sm2 import PrivateKey
from fep.domain.link import LinkState, LinkStatus
from fep.domain.link_budget import OfflineBudget
from fep.ports import Carrier, Clock, Entropy
from fep.services.arrivals import ARRIVALS_MAX
from fep.services.uplink_build import SignatureXml
from fep.services.uplink_cargo import Letters, Receipts
from fep.services.uplink_ends import Bell, Ends, Log, Timer, Timers, Work
from fep.services.uplink_greet import Greeter
from fep.services.uplink_in import Inbox, prove
from fep.services.uplink_keys import OwnKeys, Pair, revoke, rotate
from fep.services.uplink_out import Outbox
from fep.services.uplink_peers import Peers
from fep.services.uplink_pulse import Pulse
from fep.services.uplink_transport import Transport
from fep.settings_link import LinkSettings
from fep.store.link import CONTROL, RECEIPTS, RECONCILIATION, backlog_q, start_q
from fep.store.link_certs import peer_certs_q
from fep.store.link_in import OnGrant, quota_q
from fep.store.supervision import Doubted, clear_doubts_txn, doubted_q
from fep.store.tx import Tx
from fep.store.writer import Store

AFTER_FAULT_S: Final = 10.0
JUDGE_S: Final = 1.0


class Uplink:
    """One destination's link: `Uplink(reactor, clock, …)`, then `start()`."""

    def __init__(
        self,
        reactor: Timers,
        clock: Clock,
        entropy: Entropy,
        store: Store,
        settings: LinkSettings,
        node_key: PrivateKey,
        node_cert: Certificate,
        platform_cert: Certificate,
        *,
        node_id: str,
        carrier: Carrier,
        work: Work,
        on_grant: OnGrant,
        signature_xml: SignatureXml,
        on_answered: Callable[[int, int], None],
        on_quota: Callable[[OfflineBudget], None],
        finance_certs: tuple[Certificate, ...] = (),
        following: Pair | None = None,
        breathe: Callable[[], None] = lambda: None,
        log: Log,
    ) -> None:
        """Take the parts and read where the link stood; nothing moves yet.

        `work` runs blocking calls off the reactor; `signature_xml` is called there too.
        `on_answered(count, fen)` hears of receipts the platform has answered, `on_quota` of
        the limits it signed (at `start` of the newest kept one). `breathe` is called between
        two records of a batch, in the thread that builds it: callers go first.
        """
        self._ends = Ends(
            reactor=reactor, clock=clock, entropy=entropy, store=store, settings=settings,
            node_id=node_id, own=OwnKeys(node_id, Pair(node_key, node_cert), following),
            peers=Peers(settings.dest, platform_cert, finance_certs), carrier=carrier,
            work=work, log=log, on_answered=on_answered, on_quota=on_quota, breathe=breathe,
        )  # fmt: skip
        self._pulse = Pulse(self._ends)
        cargoes = (Letters(CONTROL), Letters(RECONCILIATION), Receipts(signature_xml))
        # Control leaves before what has piled up of receipts.
        self._outboxes = {c.channel: Outbox(self._ends, self._pulse, c) for c in cargoes}
        self._outbox = self._outboxes[RECEIPTS]
        transport = Transport(self._ends, self._pulse)
        self._greeter = Greeter(self._ends, transport, self._outboxes)
        self._inbox = Inbox(self._ends, self._pulse, self._greeter, on_grant, signature_xml)
        self._out_bell, self._in_bell = Bell(reactor), Bell(reactor)
        self._linger: Timer | None = None
        self._woken = 0  # calls of `wake` since the last turn
        self._more = True  # something may be due that no batch holds yet
        self._running = False
        self._paused = False
        self._loops: Deferred[list[None]] | None = None
        start = store.read(start_q, settings.dest)
        self._pulse.resume(start)
        self._pulse.doubted = store.read(doubted_q, settings.dest)
        self._ends.peers.know(store.read(peer_certs_q, settings.dest))
        self._ends.own.turn(store, settings.dest)
        for outbox in self._outboxes.values():
            outbox.resume(start)
        self._inbox.resume(start)

    # from Node
    def start(self) -> None:
        """Set both loops going."""
        assert self._loops is None, "an uplink starts once"
        quota = self._ends.store.read(quota_q, self._ends.dest)
        if quota is not None:
            self._ends.on_quota(quota)
        self._running = True
        self._ends.carrier.open()
        loops = [
            Deferred.fromCoroutine(self._send_loop()),
            Deferred.fromCoroutine(self._receive_loop()),
        ]
        self._loops = gatherResults(loops)

    def reload(self) -> None:
        """Read anew where the link stands: a lifted fence has begun a new epoch."""
        assert self._loops is None, "an uplink that runs knows where it stands"
        start = self._ends.store.read(start_q, self._ends.dest)
        for outbox in self._outboxes.values():
            outbox.flights.clear()
            outbox.resume(start)
        self._inbox.resume(start)

    async def stop(self) -> None:
        """Finish the turn under way, write the pulse down, and end."""
        if not self._running:
            return
        self._running = False
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        self._out_bell.ring()
        self._in_bell.ring()
        if self._loops is not None:
            await self._loops
        await self._ends.carrier.close()
        if not self._ends.store.dead:
            await self._pulse.keep(changed=False)

    # from Issue
    def wake(self) -> None:
        """Something was sealed; it leaves within `linger_s`, a full batch of it at once."""
        self._woken += 1
        if self._running and self._woken >= self._ends.settings.records_max:
            self._lingered()
        if self._running and (self._linger is None or not self._linger.active()):
            self._linger = self._ends.reactor.callLater(
                self._ends.settings.linger_s, self._lingered
            )

    def offline_ms(self) -> int:
        """Return milliseconds since the platform was last heard (or the first start)."""
        return self._pulse.silent_ms()

    def absent(self, gap_ms: int) -> None:
        """Count at least this much of silence for the time before this start."""
        self._pulse.absent(gap_ms)

    def offset_ms(self) -> int | None:
        """Return platform time minus ours, None before the platform was ever heard."""
        return self._pulse.offset_ms if self._pulse.last_heard_at else None

    # from Desk
    async def pause(self, reason: str, by: str) -> LinkStatus:
        """Make no new batches; arrivals, answers and repeats go on. Until `resume`."""
        self._paused = True
        await self._note("link.paused", reason, by)
        return self.status()

    async def resume(self, reason: str, by: str) -> LinkStatus:
        """Go on, also after the channel had stopped: the operator's word that it may.

        The same word says that bad supervision signatures have been looked at.
        """
        was = self._pulse.stopped_out or self._pulse.stopped_in
        seen = await self._ends.store.do("link.seen", clear_doubts_txn, self._ends.dest)
        self._pulse.doubted = Doubted()
        self._pulse.stopped_out = self._pulse.stopped_in = ""
        self._paused = False
        self._more = True
        await self._note("link.resumed", reason, by, stopped=was, supervision_bad=seen.count)
        self._out_bell.ring()
        self._in_bell.ring()
        return self.status()

    async def bring(self, content: bytes) -> str:
        """Take a file that somebody brought by hand as an arrival; returns its name.

        Raises Unreadable for what is not whole, genuine and for us, Full, OSError.
        """
        await self._ends.work(prove, self._ends, content)
        name = await self._ends.work(self._ends.carrier.accept, content)
        self._in_bell.ring()
        return name

    async def rotate(self, reason: str, by: str) -> dict[str, Any]:
        """Announce the node's next certificate for the link. Raises Refused LINK_KEY."""
        told = await rotate(self._ends.store, self._ends.dest, self._ends.own, reason, by)
        self.wake()
        return told

    async def revoke(self, serial: str, reason: str, by: str) -> dict[str, Any]:
        """Have a certificate of ours believed no more. Raises Refused LINK_KEY."""
        store, own = self._ends.store, self._ends.own
        told = await revoke(store, self._ends.dest, own, serial, reason, by)
        self.wake()
        return told

    @property
    def offline(self) -> bool:
        """Say whether the platform cannot be reached now; asked for every receipt, so it reads
        nothing."""
        return self._pulse.standing.state is LinkState.OFFLINE

    def status(self) -> LinkStatus:
        """Return what an operator sees."""
        backlog = self._ends.store.read(backlog_q, self._ends.dest)
        batches, size = self._outbox.in_flight()
        standing = self._pulse.standing
        age_ms = self._ends.now_ms() - backlog.oldest_at if backlog.oldest_at else 0
        return LinkStatus(
            dest=self._ends.dest, state=standing.state, reason=standing.reason,
            since_at=standing.since_at, backlog=backlog.due + backlog.sent, due=backlog.due,
            oldest_age_s=max(0, age_ms) / 1000, batches_in_flight=batches, bytes_in_flight=size,
            last_heard_at=self._pulse.last_heard_at,
            applied_per_s=self._outbox.applied_per_s(), platform_offset_ms=self._pulse.offset_ms,
            offline_s=self._pulse.silent_ms() / 1000, rejected=backlog.rejected,
            conflicts=backlog.conflicts, quarantined=self._pulse.quarantined,
            paused=self._paused, supervision_bad=self._pulse.doubted.count,
            supervision_bad_last=self._pulse.doubted.last,
        )  # fmt: skip

    # the loops
    async def _send_loop(self) -> None:
        while self._running:
            wait = JUDGE_S
            try:
                wait = await self._send_turn()
            except Exception as fault:
                if not self._survives(fault, "send"):
                    return
                self._more = True
                wait = AFTER_FAULT_S
            if self._running:
                await self._out_bell.wait(wait)

    async def _send_turn(self) -> float:
        """Do what is due on the way out; returns seconds until the next look."""
        if not self._pulse.stopped_out:
            await self._each(lambda outbox: outbox.resend_due())
            if self._more and self._may_send():
                self._more = False
                if await self._each(lambda outbox: outbox.send_due(self._may_send)):
                    self.wake()
        await self._judge()
        # A link that is looked at every minute need not be judged every second.
        pause_s = max(JUDGE_S, self._ends.settings.poll_s / 4)
        if self._pulse.stopped_out:  # what is overdue stays so until a person has looked
            return pause_s
        due_s = min(outbox.next_due_s() for outbox in self._outboxes.values())
        return min(pause_s, max(0.0, due_s))

    async def _each(self, act: Callable[[Outbox], Awaitable[bool | None]]) -> bool:
        """Let every channel act, one's trouble is not another's; True when any has more to do."""
        more = False
        for outbox in self._outboxes.values():
            try:
                more = bool(await act(outbox)) or more
            except Exception as fault:
                if not self._survives(fault, f"send-{outbox.channel}"):
                    raise
                more = True
        return more

    async def _receive_loop(self) -> None:
        beat_s = self._ends.clock.mono()
        manifest_s = beat_s + self._ends.settings.manifest_s
        hello = go_on = True
        while self._running:
            wait = self._ends.settings.poll_s
            try:
                if go_on and not self._pulse.stopped_in:
                    await self._inbox.go_on()
                go_on = bool(self._pulse.stopped_in)
                dealt_with = await self._inbox.turn()
                if dealt_with:
                    # Answers open the window.
                    self._more = True
                    self._out_bell.ring()
                if dealt_with >= ARRIVALS_MAX:
                    wait = 0.0
                if self._ends.clock.mono() >= beat_s:
                    beat_s = self._ends.clock.mono() + self._ends.settings.heartbeat_s
                    await self._inbox.beat()
                    if hello:
                        await self._greeter.hello()
                        hello = False
                if self._ends.clock.mono() >= manifest_s:
                    manifest_s = self._ends.clock.mono() + self._ends.settings.manifest_s
                    await self._greeter.manifest()
            except Exception as fault:
                if not self._survives(fault, "receive"):
                    return
                wait = AFTER_FAULT_S
            if self._running:
                await self._in_bell.wait(wait)

    async def _judge(self) -> None:
        """Work out the state and keep a change."""
        changed = self._pulse.judge(paused=self._paused, oldest_sent_s=self._outbox.oldest_sent_s())
        if changed:
            await self._pulse.keep(changed=True)

    async def _note(self, op: str, reason: str, by: str, **details: object) -> None:
        body: dict[str, object] = {"by": by, "reason": reason, **details}
        await self._judge()
        await self._ends.store.do("link.note", _note_txn, op, self._ends.dest, body)

    def _may_send(self) -> bool:
        return self._running and not self._paused and not self._pulse.stopped_out

    def _lingered(self) -> None:
        self._woken = 0
        self._more = True
        self._out_bell.ring()

    def _survives(self, fault: Exception, loop: str) -> bool:
        """Log what a turn failed of; False when the store is dead and so is the link."""
        details: dict[str, Any] = {"dest": self._ends.dest, "loop": loop}
        self._ends.log.error("link.turn_failed", **details, why=repr(fault), exc_info=fault)
        return not self._ends.store.dead


def _note_txn(tx: Tx, op: str, ref: str, body: dict[str, object]) -> None:
    tx.journal(op, ref, body)
