"""Who calls: business systems by appid and key, people by the control socket.

A lock-out is by (caller, address), never by address alone: a whole hospital may sit behind
one. Rights and scope are checked here for every door.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from fep.domain.faults import refuse
from fep.ports import Clock
from fep.wire import jsonrpc

FAILURES_MAX = 5
FAILURE_WINDOW_S = 60.0
LOCKED_S = 900.0
REMEMBERED_MAX = 10_000
EVERY_RIGHT = frozenset({"issue", "reverse", "print", "pay", "query", "admin"})


@dataclass(frozen=True, slots=True)
class Caller:
    """One business system, or one person at the control socket."""

    appid: str
    rights: frozenset[str]
    units: frozenset[str]  # "*" is every unit
    points: frozenset[str]
    auth: str = ""
    key: bytes = b""
    encoding: str = "utf-8"
    queue: bool = False
    who: str = ""

    def need(self, right: str, method: str) -> None:
        """Raises Refused AUTH_RIGHT unless the caller has the right."""
        if right and right not in self.rights:
            raise refuse("AUTH_RIGHT", method=method, right=right)

    def scope(self, unit: str, point: str = "") -> None:
        """Raises Refused AUTH_SCOPE unless unit and point are the caller's."""
        inside = self.sees(unit) and (not point or "*" in self.points or point in self.points)
        if not inside:
            raise refuse("AUTH_SCOPE", unit=unit, point=point or "*")

    def sees(self, unit: str) -> bool:
        """Return whether data of a unit may be shown: any window of it may look things up."""
        return "*" in self.units or unit in self.units


def person(login: str, uid: int) -> Caller:
    """Return the caller of the control socket: every right, known by uid and login."""
    every = frozenset({"*"})
    return Caller("control", EVERY_RIGHT, every, every, who=f"{login}({uid})")


class Callers:
    """The register and the lock-out."""

    def __init__(self, clock: Clock, callers: Iterable[Caller]) -> None:
        self._clock = clock
        self._callers = {caller.appid: caller for caller in callers}
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def prove(self, appid: str, algorithm: str, proof: str, challenge: str,
              address: str, *, token_ok: bool) -> Caller:  # fmt: skip
        """Return the caller whose key made the proof. Raises Refused AUTH_WRONG, AUTH_LOCKED."""
        self._check_locked(appid, address)
        caller = self._callers.get(appid)
        if caller is not None and caller.auth == algorithm:
            if algorithm == "token":
                good = token_ok and hmac.compare_digest(caller.key, proof.encode())
            else:
                expected = jsonrpc.challenge_mac(algorithm, caller.key, appid, challenge)
                good = jsonrpc.same(expected, proof)
            if good:
                self._failures.pop((appid, address), None)
                return caller
        self._failed(appid, address)
        raise refuse("AUTH_WRONG")

    def _check_locked(self, appid: str, address: str) -> None:
        times = self._failures.get((appid, address), [])
        if len(times) >= FAILURES_MAX:
            left = times[-1] + LOCKED_S - self._clock.mono()
            if left > 0:
                raise refuse("AUTH_LOCKED", seconds=int(left) + 1)
            del self._failures[appid, address]

    def _failed(self, appid: str, address: str) -> None:
        now = self._clock.mono()
        times = self._failures.pop((appid, address), [])
        self._failures[appid, address] = [at for at in times if at > now - FAILURE_WINDOW_S] + [now]
        while len(self._failures) > REMEMBERED_MAX:
            self._failures.popitem(last=False)
