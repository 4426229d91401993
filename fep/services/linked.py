"""The node's link, put together from settings; without a platform certificate there is none,
and that is said, never guessed at. Offline time then counts from the node's first start."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from sqlalchemy import Connection, func, select
from twisted.internet.defer import Deferred, execute
from twisted.internet.threads import deferToThread

from fep.crypto import certs, keyfile
from fep.domain.calendar import to_ms
from fep.domain.kind import Province, Unit
from fep.domain.link_budget import OfflineBudget
from fep.env import stand_aside, step_back
from fep.ports import Clock, Entropy
from fep.services.carrier_belt import Tools
from fep.services.carrier_build import make_carrier
from fep.services.uplink import Uplink
from fep.services.uplink_ends import Work
from fep.services.uplink_keys import Pair
from fep.settings import Settings, read_secret
from fep.store.link import DueRow
from fep.store.schema import journal, link_state
from fep.store.writer import Store
from fep.wire import einvoice


class Budget(Protocol):
    """What the link tells the offline budget."""

    def answered(self, count: int, amount_fen: int) -> None:
        """The platform has answered for receipts."""

    def bind(self, signed: OfflineBudget) -> None:
        """The platform has signed limits."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the link is built on."""

    settings: Settings
    reactor: Any
    clock: Clock
    entropy: Entropy
    store: Store
    log: Any
    threads: bool


def make_uplink(parts: Parts, budget: Budget, on_grant: Callable[..., bool],
                busy: Callable[[], bool]) -> Uplink | None:  # fmt: skip
    """Return the uplink, None when the link is off or the platform is not known yet.

    While `busy` says that callers wait, batches are built with pauses: the backlog has time.
    """
    s = parts.settings
    if s.link.enabled and s.link.direct:
        from fep.services.direct_build import make_direct

        # It has all that a node asks of an uplink, and shares no line with it.
        return cast("Uplink", make_direct(parts, budget, on_grant))
    platform_cert = s.root / s.link.platform_cert
    if not s.link.enabled or not platform_cert.is_file():
        parts.log.warning("link.none", enabled=s.link.enabled, cert=str(platform_cert))
        return None
    secret = read_secret(s.node.passphrase, s.root) if s.node.passphrase else None
    node_key = keyfile.load_private(s.node.key.read_bytes(), secret, entropy=parts.entropy)
    following = None
    if s.link.next_key:
        next_key = (s.root / s.link.next_key).read_bytes()
        following = Pair(keyfile.load_private(next_key, secret, entropy=parts.entropy),
                         certs.parse((s.root / s.link.next_cert).read_bytes()))  # fmt: skip
    work = cast("Work", _aside if parts.threads else execute)
    tools = Tools(parts.reactor, parts.clock, work, parts.log)
    carrier = make_carrier(tools, s.link.carrier, s.root / s.link.directory, s.root)
    uplink = Uplink(
        parts.reactor,
        parts.clock,
        parts.entropy,
        parts.store,
        s.link,
        node_key,
        certs.parse(s.node.cert.read_bytes()),
        certs.parse(platform_cert.read_bytes()),
        node_id=s.node.id,
        carrier=carrier,
        work=work,
        on_grant=on_grant,
        signature_xml=_signature_xml(s),
        on_answered=budget.answered,
        on_quota=budget.bind,
        breathe=lambda: stand_aside() if busy() else None,
        log=parts.log,
        finance_certs=finance_certs(s),
        following=following,
    )
    uplink.absent(parts.store.read(unlinked_q, s.link.dest, to_ms(parts.clock.wall())))
    return uplink


def _aside(fn: Callable[..., Any], *args: Any) -> Deferred[Any]:
    """Run the link's work in a thread that comes after whoever answers callers."""

    def work() -> Any:
        step_back()
        return fn(*args)

    return deferToThread(work)


def finance_certs(settings: Settings) -> tuple[certs.Certificate, ...]:
    """Return finance's own certificates. Raises OSError, BadCertificate."""
    paths = (settings.root / path for path in settings.link.finance_certs)
    return tuple(certs.parse(path.read_bytes()) for path in paths)


def _signature_xml(settings: Settings) -> Callable[[DueRow], str]:
    parsed: dict[bytes, certs.Certificate] = {}

    def element(row: DueRow) -> str:
        certificate = parsed.get(row.cert_der)
        if certificate is None:
            certificate = parsed[row.cert_der] = certs.parse(row.cert_der)
        return einvoice.signature_element(
            row.der, row.signed_at, certificate, province_of(settings, row.unit)
        )

    return element


def province_of(settings: Settings, unit: str) -> Province:
    """Return the province of a configured unit. Raises KeyError."""
    found: Unit = settings.units[unit]
    return settings.provinces[found.province]


def unlinked_q(conn: Connection, dest: str, now_ms: int) -> int:
    """Return for how long (ms) the node has been without this link; 0 once its pulse was kept.

    A link that is switched on late does not make that time unseen: it was time offline.
    """
    kept = conn.execute(select(link_state.c.dest).where(link_state.c.dest == dest)).first()
    began = 0 if kept is not None else first_start_q(conn)
    return max(0, now_ms - began) if began else 0


def first_start_q(conn: Connection) -> int:
    """Return when this node first started, 0 on a new store (ms).

    A link that was switched off counts from when the platform was last heard through it.
    """
    heard = conn.execute(select(func.max(link_state.c.last_heard_at))).scalar() or 0
    line = conn.execute(select(journal.c.line).order_by(journal.c.seq).limit(1)).scalar()
    return max(int(json.loads(line)["at"]) if line else 0, int(heard))
