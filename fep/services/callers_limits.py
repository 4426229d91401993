"""A caller's limits: calls a second, addresses, and the memory of nonces of signed requests.

Rules: every memory here is bounded, and being full refuses the caller whose memory it is,
nobody else. A nonce is remembered as long as its time would be taken; what was signed before
this node started is not taken, because its nonces are not known any more.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from fep.domain.faults import refuse
from fep.ports import Clock

WINDOW_S = 300
NONCES_MAX = 200_000  # of one caller: 330 calls a second for as long as they are remembered
_NET = ipaddress.IPv4Network | ipaddress.IPv6Network


class Pace:
    """Lets a caller make so many calls a second, and as many at once."""

    __slots__ = ("_at", "_clock", "_left", "rate")

    def __init__(self, clock: Clock, rate: int) -> None:
        self._clock = clock
        self.rate = rate
        self._left = float(rate)
        self._at = clock.mono()

    def take(self) -> None:
        """Count one call. Raises Refused CALLER_RATE."""
        now = self._clock.mono()
        self._left = min(self._left + (now - self._at) * self.rate, float(self.rate))
        self._at = now
        if self._left < 1:
            raise refuse("CALLER_RATE", rate=self.rate)
        self._left -= 1


class Addresses:
    """The addresses a caller may come from; none listed is every one."""

    __slots__ = ("_known", "_nets")

    def __init__(self, listed: Iterable[str]) -> None:
        self._nets = tuple(ipaddress.ip_network(text, strict=False) for text in listed)
        self._known: dict[str, bool] = {}

    @property
    def listed(self) -> bool:
        """Say whether any address is listed."""
        return bool(self._nets)

    def hold(self, address: str) -> bool:
        """Say whether an address may be used; a Unix socket counts as this machine."""
        if not self._nets:
            return True
        if address not in self._known:
            if len(self._known) > 1000:
                self._known.clear()
            self._known[address] = _inside(address, self._nets)
        return self._known[address]


def _inside(text: str, nets: tuple[_NET, ...]) -> bool:
    try:
        address = ipaddress.ip_address("127.0.0.1" if text == "unix" else text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in net for net in nets)


class Nonces:
    """What each caller has used within the window, by the second it was signed in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._from = int(clock.wall().timestamp())
        self._used: dict[str, _Used] = {}

    def in_time(self, at: int) -> int:
        """Return now. Raises Refused AUTH_TIME unless a time is within the window."""
        now = int(self._clock.wall().timestamp())
        if abs(now - at) > WINDOW_S or at < self._from:
            raise refuse("AUTH_TIME", now=now)
        return now

    def take(self, appid: str, at: int, nonce: str) -> None:
        """Use a proved nonce up. Raises Refused AUTH_REPLAY, AUTH_TIME, BUSY."""
        now = self.in_time(at)
        used = self._used.setdefault(appid, _Used({}))
        mark = hash(nonce)
        if mark in used.seconds.get(at, ()):
            raise refuse("AUTH_REPLAY")
        if at not in used.seconds:
            for old in [second for second in used.seconds if now - second > WINDOW_S]:
                used.count -= len(used.seconds.pop(old))
            used.seconds[at] = set()
        if used.count >= NONCES_MAX:
            raise refuse("BUSY")
        used.seconds[at].add(mark)
        used.count += 1


@dataclass(slots=True)
class _Used:
    """The nonces of one caller: second they were signed in -> their hashes."""

    seconds: dict[int, set[int]]
    count: int = 0
