"""The relay: the far side of a gate. Builds peers, couriers and reserves from relay.toml.

Start: lock, store (what had left is in doubt), couriers, peers. Stop: peers take nothing
more, couriers finish, answers leave, the store closes last. A kill at any point costs only
questions by key.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.threads import deferToThread
from twisted.python.threadpool import ThreadPool

from fep import __version__
from fep.crypto import certs, keyfile
from fep.domain.calendar import to_ms
from fep.domain.faults import refuse
from fep.domain.platform import Reply
from fep.env import write_durably
from fep.ports import Clock, Entropy, Platform
from fep.services.carrier_belt import Tools
from fep.services.carrier_build import make_carrier
from fep.services.number_fetch import NumberFetch
from fep.services.relay_build import make_platform
from fep.services.relay_courier import Courier, Errand
from fep.services.relay_ends import NodeEnds, RelayEnds, channel_of
from fep.services.relay_numbers import Reserve, relay_shelf
from fep.services.relay_peer import Peer
from fep.services.relay_platform import DialectPlatform, Nobody
from fep.services.relay_streams import StoreLedger, Streams
from fep.services.uplink_ends import Work
from fep.services.uplink_keys import Pair
from fep.settings import read_secret
from fep.settings_relay import RELAY_LOCK, RelaySettings
from fep.store.lock import DataLock, Locked
from fep.store.relay import open_calls_q
from fep.store.relay_opening import open_relay_store

STATUS_FILE: Final = "status.json"
STATUS_S: Final = 5.0
GRACE_S: Final = 10.0


class Relay:
    """One running relay."""

    def __init__(self, settings: RelaySettings, reactor: Any, clock: Clock, entropy: Entropy,
                 log: Any) -> None:  # fmt: skip
        self.settings = settings
        self._reactor = reactor
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._pool = ThreadPool(1, 1, "commit")
        self._data = settings.root / settings.file.relay.data
        self._lock = DataLock(self._data / RELAY_LOCK)
        self._telling: Any = None
        self.on_fatal: Callable[[str], None] = lambda why: None
        self.couriers: dict[str, Courier] = {}
        self.platforms: dict[str, Platform] = {}
        self.peers: list[Peer] = []
        self.reserves: list[Reserve] = []
        self._fetches: list[NumberFetch] = []

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds."""
        return to_ms(self._clock.wall())

    async def start(self) -> None:
        """Come up. Raises Refused STORE_LOCKED, STORE_NEWER, and what OS, keys and SQLite say."""
        self._data.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock.acquire("fepd relay", self.now_ms())
        except Locked as locked:
            raise refuse("STORE_LOCKED", pid=locked.holder.get("pid", "?")) from locked
        us = self._ends()
        self._build(us)
        calls = self.store.read(open_calls_q)
        for peer in self.peers:
            await peer.start([call for call in calls if call.node == peer.ends.node])
        for courier in self.couriers.values():
            courier.start()
        for reserve in self.reserves:
            reserve.start()
        self._tell()
        self._log.info("relay.ready", version=__version__, open=len(calls))

    async def stop(self) -> None:
        """Drain, then close."""
        for fetch in self._fetches:
            fetch.end()
        for reserve in self.reserves:
            await reserve.stop()
        cut = self._reactor.callLater(GRACE_S, self._cut)
        for courier in self.couriers.values():
            await courier.stop()
        for peer in self.peers:
            await peer.stop()
        if cut.active():
            cut.cancel()
        self._cut()
        if self._telling is not None and self._telling.active():
            self._telling.cancel()
        if not self.store.dead:
            await self.store.drained()
            self._write_status("stopped")
        self.store.close()
        self._pool.stop()
        self._lock.release()

    def abandon(self) -> None:
        """Leave no thread behind after a start that failed."""
        self._pool.stop()

    def _cut(self) -> None:
        for platform in self.platforms.values():
            if isinstance(platform, DialectPlatform):
                platform.close()

    # building
    def _ends(self) -> RelayEnds:
        part = self.settings.file.relay
        secret = read_secret(part.passphrase, self.settings.root) if part.passphrase else None
        key = keyfile.load_private(
            self.settings.path(part.key).read_bytes(), secret, entropy=self._entropy
        )
        cert = certs.parse(self.settings.path(part.cert).read_bytes())
        following = None
        if part.next_key:
            data = self.settings.path(part.next_key).read_bytes()
            following = Pair(
                keyfile.load_private(data, secret, entropy=self._entropy),
                certs.parse(self.settings.path(part.next_cert).read_bytes()),
            )
        self._pool.start()
        self.store = open_relay_store(
            self._reactor, self._data / "relay.db", now_ms=self.now_ms, on_fatal=self._fatal,
            pool=self._pool,
        )  # fmt: skip
        return RelayEnds(
            self._reactor, self._clock, self._entropy, self.store, part, key, cert,
            cast("Work", deferToThread), self._log, following,
        )  # fmt: skip

    def _build(self, us: RelayEnds) -> None:
        file, ledger = self.settings.file, StoreLedger(self.store)
        self.platforms[""] = Nobody()
        for destination in file.destinations:
            self.platforms[destination.name] = make_platform(
                self._reactor, self._clock, self._entropy, self.settings, destination
            )
        limits = {one.name: (one.in_flight, one.settle_s) for one in file.destinations}
        for name, platform in self.platforms.items():
            in_flight, settle_s = limits.get(name, (1, 1.0))
            fetch = NumberFetch(platform, relay_shelf(self.store))
            self._fetches.append(fetch)
            self.couriers[name] = Courier(
                self._reactor, self._clock.mono, fetch, ledger, self._log,
                in_flight_max=in_flight, settle_s=settle_s, on_done=_done,
            )  # fmt: skip
        units = {unit.code: unit.destination for unit in file.units}
        tools = Tools(self._reactor, self._clock, us.work, self._log)
        for node in file.nodes:
            root = self.settings.root / node.directory
            carrier = make_carrier(tools, file.relay.carrier, root, self.settings.root)
            cert = certs.parse(self.settings.path(node.cert).read_bytes())
            peer = Peer(NodeEnds(us, node.id, cert, carrier, units), self.couriers)
            peer.control.hold = self._fetching
            self.peers.append(peer)
        for reserve in file.reserves:
            peer = next(one for one in self.peers if one.ends.node == reserve.node)
            platform = self.platforms[units[reserve.unit]]
            self.reserves.append(Reserve(us, reserve, platform, peer.wake))

    def _fetching(self, node: str) -> bool:
        return any(fetch.busy(node) for fetch in self._fetches)

    # while it runs
    def status(self) -> dict[str, Any]:
        """Return what an operator sees."""
        return {
            "at": self.now_ms(),
            "version": __version__,
            "destinations": [
                {
                    "name": name,
                    "dialect": courier.platform.name,
                    "capabilities": sorted(op.value for op in courier.platform.capabilities),
                    "fault": courier.fault,
                    **courier.asked(),
                }
                for name, courier in self.couriers.items()
                if name
            ],
            "nodes": [
                {
                    "node": peer.ends.node,
                    "heard_at": peer.heard_at,
                    "fault": peer.fault or peer.ends.carrier.fault,
                    "quarantined": peer.quarantined,
                    "streams": [
                        dict(
                            zip(("channel", "epoch"), channel_of(stream), strict=True),
                            applied=tally.upto,
                            opened=tally.top,
                        )
                        for stream, tally in peer.streams.tallies.items()
                    ],
                }
                for peer in self.peers
            ],
        }

    def _tell(self) -> None:
        """Write the status down: `fepd relay status` reads it, also after a crash."""
        self._write_status("running")
        self._telling = self._reactor.callLater(STATUS_S, self._tell)

    def _write_status(self, state: str) -> None:
        told = json.dumps({"state": state, **self.status()}, ensure_ascii=False)
        try:
            write_durably(self._data / STATUS_FILE, told.encode())
        except OSError as error:
            self._log.error("relay.status", why=str(error))

    def _fatal(self, why: str) -> None:
        self._log.critical("store.dead", why=why)
        self.on_fatal(why)


def _done(errand: Errand, reply: Reply) -> None:
    streams, epoch, rec_seq = errand.note
    assert isinstance(streams, Streams)
    streams.answered(epoch, rec_seq, reply)
