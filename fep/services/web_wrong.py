"""Wrong addresses, counted per source: who guesses too often is not answered for a while.

Bounded: at most SOURCES_MAX are remembered, the longest-unseen one is forgotten first. IPv6
sources are counted by their /64, which one household or one host has to itself.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from fep.ports import Clock

WINDOW_S = 60.0
SOURCES_MAX = 4096


class Wrong:
    """Counts wrong tokens a minute."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def over(self, source: str) -> bool:
        """Say whether a source has used up its guesses of this minute."""
        since, count = self._seen.get(source, (0.0, 0))
        return count >= self._most and self._clock.mono() < since + WINDOW_S

    def note(self, source: str) -> None:
        """Count one wrong token."""
        now = self._clock.mono()
        since, count = self._seen.pop(source, (now, 0))
        self._seen[source] = (since, count + 1) if now < since + WINDOW_S else (now, 1)
        if len(self._seen) > SOURCES_MAX:
            self._seen.popitem(last=False)


def source_of(peer: str, forwarded: str, proxies: frozenset[str]) -> str:
    """Return whom a request counts against.

    `forwarded` is X-Forwarded-For; only what our own proxies wrote is believed: the last
    address that is not one of them.
    """
    source = peer
    if peer in proxies:
        for hop in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
            source = hop
            if hop not in proxies:
                break
    return _network(source)


def _network(source: str) -> str:
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
