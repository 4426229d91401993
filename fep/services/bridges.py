"""The fep-bridges of this site: where they connect, which are registered, how each one is.

Rules: a PC is known by its own key; a broken key file is a fault of that bridge alone; a newer
connection of a bridge ends the older one; what its journal was seen to hold is remembered
durably, so that one that went back is noticed. Owns the listening ports and the connections.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory

from drivers.transports import bridge as transport
from fep.domain.faults import Refused, refuse
from fep.env import write_durably
from fep.ports import Entropy
from fep.services.bridges_channel import Sends
from fep.services.bridges_lender import Bridge, Seen
from fep.services.bridges_peer import Peer
from fep.services.front_tls import listening
from fep.settings_bridge import BridgePc, BridgeSettings
from fep.settings_http import TlsSettings
from fep.wire.bridge import Frame, Greeted, Talk

STRANGERS_MAX = 32
EXTENDS_MAX = 64
KEY_MIN, KEY_FILE_MAX = 16, 4096


Extend = Callable[[str, bytes, str], Awaitable[bytes]]
"""(bridge, query and form, address) -> what a program of the bridge's PC is answered."""


async def _nothing(_bridge: str, _sent: bytes, _address: str) -> bytes:
    """Answer that the business call failed: nobody is there to carry it out."""
    return b"T2005"


@dataclass(frozen=True, slots=True)
class BridgeHealth:
    """A bridge as people see it. `state`: connected, away or fault."""

    id: str
    name: str
    state: str
    fault: str
    address: str
    host: str
    system: str
    version: str
    entries: int
    ports: tuple[dict[str, Any], ...]
    why: str = ""


class Bridges:
    """All bridges of this machine."""

    # Twisted's reactor has no static type that names all it can do.
    def __init__(self, reactor: Any, entropy: Entropy, settings: BridgeSettings,
                 tls: TlsSettings, root: Path, data: Path, log: Any) -> None:  # fmt: skip
        self._reactor = reactor
        self._entropy = entropy
        self._settings = settings
        self._tls = tls
        self._log = log
        self._file = data / "bridges.json"
        self._seen = _remembered(self._file)
        self._ports: list[Any] = []
        self._peers: set[Peer] = set()
        self._keys: dict[str, bytes] = {}
        self._bad: dict[str, str] = {}
        self._root = root
        self._extending = 0
        self._pcs = {pc.id: pc for pc in settings.pcs}
        self.faults: list[Refused] = []
        self.extend: Extend = _nothing
        self.bridges: dict[str, Bridge] = {}
        for pc in settings.pcs:
            self._register(pc)

    # from the node
    async def open(self) -> None:
        """Listen; a place that cannot be had is logged and told by the doctor."""
        for text in self._settings.listen:
            try:
                endpoint = listening(self._reactor, text, self._tls)
                self._ports.append(await endpoint.listen(_Door(self)))
                self._log.info("bridge.open", door=text)
            except CannotListenError as error:
                why = str(error.socketError)
                self.faults.append(refuse("BRG_LISTEN", endpoint=text, why=why))
                self._log.error("bridge.not_open", door=text, why=why)
            except Refused as error:
                self.faults.append(error)
                self._log.error("bridge.not_open", door=text, why=error.code)

    async def close(self) -> None:
        """Listen no more and end all connections."""
        ports, self._ports = self._ports, []
        for port in ports:
            await port.stopListening()
        for peer in list(self._peers):
            peer.close()
        for id_, bridge in self.bridges.items():
            bridge.end()
            transport.forget(self._reactor, id_)

    # from programs of a bridge's PC
    def point_of(self, id_: str) -> str:
        """Return the point where the local print component of a bridge prints, or empty."""
        return self._pcs[id_].point

    def _extended(self, bridge: Bridge, frame: Frame) -> None:
        wire = bridge.wire
        if wire is None:
            return
        if self._extending >= EXTENDS_MAX:
            wire.send({"op": "extended", "rid": frame.number("rid"), "status": 503}, b"T2005")
            return
        self._extending += 1
        done = Deferred.fromCoroutine(self._answered(bridge, frame, wire))
        done.addErrback(
            lambda failure: self._log.error("bridge.extend", why=str(failure.value)[:100])
        )

    async def _answered(self, bridge: Bridge, frame: Frame, wire: Sends) -> None:
        address = next((peer.address for peer in self._peers if peer is wire), "")
        body = b"T2005"
        try:
            body = await self.extend(bridge.id, frame.body, address)
        finally:
            self._extending -= 1
            wire.send({"op": "extended", "rid": frame.number("rid"), "status": 200}, body)

    # from people
    def health(self) -> list[BridgeHealth]:
        """Return how each registered bridge is, by id."""
        return [self._health(self._pcs[id_], self.bridges[id_]) for id_ in sorted(self.bridges)]

    def new_key(self, id_: str) -> None:
        """Take the key of a bridge anew; who came with the old one is cut."""
        self._read_key(self._pcs[id_])
        for peer in list(self._peers):
            if peer.bridge is self.bridges[id_]:
                peer.close()

    def places(self) -> list[int]:
        """Return the TCP ports that are open."""
        return [port.getHost().port for port in self._ports]

    def _health(self, pc: BridgePc, bridge: Bridge) -> BridgeHealth:
        told = bridge.hello
        fault = "BRG_JOURNAL_BACK" if bridge.seen.back else ""
        fault = "BRG_TWICE" if bridge.twice else fault
        if pc.id in self._bad:
            fault = "BRG_KEY"
        elif not bridge.connected:
            fault = fault or "BRG_AWAY"
        address = next((peer.address for peer in self._peers if peer.bridge is bridge), "")
        state = "connected" if bridge.connected else "away"
        return BridgeHealth(
            pc.id, pc.name, "fault" if fault not in ("", "BRG_AWAY") else state, fault, address,
            str(told.get("host", ""))[:60], str(told.get("system", ""))[:20],
            str(told.get("version", ""))[:20], bridge.seen.entries, tuple(bridge.ports()),
            self._bad.get(pc.id, ""),
        )  # fmt: skip

    # from the door
    def peer(self, address: str) -> Peer | None:
        """Return the protocol of a new connection; strangers are few at a time."""
        strangers = sum(peer.bridge is None for peer in self._peers)
        if strangers >= STRANGERS_MAX:
            return None
        talk = Talk(self._entropy.token(32).hex(), self._keys.get)
        peer = Peer(self._reactor, talk, address, self._proved, self._peers.discard, self._log)
        self._peers.add(peer)
        return peer

    def _proved(self, peer: Peer, greeted: Greeted) -> Bridge | None:
        pc = self._pcs[greeted.id]
        if pc.addresses and peer.address not in pc.addresses:
            return None
        for older in list(self._peers):
            if older is not peer and older.bridge is self.bridges[pc.id]:
                older.close()
        return self.bridges[pc.id]

    def _read_key(self, pc: BridgePc) -> None:
        self._bad.pop(pc.id, None)
        self._keys.pop(pc.id, None)
        try:
            self._keys[pc.id] = _key(self._root / pc.key_file)
        except (OSError, ValueError) as error:
            self._bad[pc.id] = _why(error)

    def _register(self, pc: BridgePc) -> None:
        self._read_key(pc)
        bridge = Bridge(self._reactor, pc.id, self._entropy, self._seen.get(pc.id, Seen()),
                        self._remember, self._log)  # fmt: skip
        bridge.extend = self._extended
        self.bridges[pc.id] = bridge
        transport.introduce(self._reactor, pc.id, bridge)

    def _remember(self, id_: str, seen: Seen) -> None:
        self._seen[id_] = seen
        told = {name: asdict(known) for name, known in sorted(self._seen.items())}
        try:
            write_durably(self._file, json.dumps(told).encode())
        except OSError as error:
            self._log.error("bridge.remember", why=str(error))


class _Door(Factory):
    """Makes the protocol of every connection."""

    noisy = False

    def __init__(self, bridges: Bridges) -> None:
        self._bridges = bridges

    def buildProtocol(self, addr: Any) -> Peer | None:
        """Return the protocol, None when too many strangers wait."""
        return self._bridges.peer(str(addr.host))


def _key(path: Path) -> bytes:
    with path.open("rb") as file:
        key = bytes.fromhex(file.read(KEY_FILE_MAX).decode("ascii").strip())
    if len(key) < KEY_MIN:
        raise ValueError(f"fewer than {KEY_MIN * 2} hexadecimal digits")
    return key


def _why(error: Exception) -> str:
    return error.strerror or "OS" if isinstance(error, OSError) else str(error)[:100]


def _remembered(path: Path) -> dict[str, Seen]:
    try:
        told = json.loads(path.read_bytes())
        return {str(id_): Seen(**seen) for id_, seen in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        # Nothing is proved by what cannot be read: every journal is new to us.
        return {}
