"""Who calls: business systems by appid and key, people by the control socket.

A lock-out is by (caller, address), never by address alone: a whole hospital may sit behind
one. Rights, scope and limits are checked here for every door.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from fep.domain.faults import Refused, refuse
from fep.domain.money import format_fen
from fep.ports import Clock
from fep.services.callers_limits import Addresses, Pace
from fep.services.trace import Trace, told_of
from fep.wire import jsonrpc
from fep.wire.dialects.medical_codes import Codes

FAILURES_MAX = 5
FAILURE_WINDOW_S = 60.0
LOCKED_S = 900.0
REMEMBERED_MAX = 10_000
EVERY_RIGHT = frozenset({"issue", "reverse", "print", "pay", "query", "admin"})


ANYWHERE = Addresses(())
NO_CODES = Codes()


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
    addresses: Addresses = ANYWHERE
    rate_per_s: int = 0
    max_amount_fen: int = 0
    codes: Codes = NO_CODES  # what its dialect's codes mean here
    pace: Pace | None = None  # given by the register, one for all of its connections
    # The connection it speaks on, where one stays open: notifications go there.
    line: Any = field(default=None, compare=False, repr=False)

    def need(self, right: str, method: str) -> None:
        """Raises Refused AUTH_RIGHT unless the caller has the right."""
        if right and right not in self.rights:
            raise refuse("AUTH_RIGHT", method=method, right=right)

    def token_from(self, *, local: bool, tls: bool) -> bool:
        """Say whether a token is taken: from this machine, or over TLS by those listed."""
        return local or (tls and self.addresses.listed)

    def scope(self, unit: str, point: str = "", amount_fen: int = 0) -> None:
        """Raises Refused AUTH_SCOPE, CALLER_AMOUNT unless unit, point and sum are the caller's."""
        inside = self.sees(unit) and (not point or "*" in self.points or point in self.points)
        if not inside:
            raise refuse("AUTH_SCOPE", unit=unit, point=point or "*")
        if self.max_amount_fen and abs(amount_fen) > self.max_amount_fen:
            limit = format_fen(self.max_amount_fen)
            raise refuse("CALLER_AMOUNT", amount=format_fen(amount_fen), limit=limit)

    def sees(self, unit: str) -> bool:
        """Return whether data of a unit may be shown: any window of it may look things up."""
        return "*" in self.units or unit in self.units


def person(login: str, uid: int) -> Caller:
    """Return the caller of the control socket: every right, known by uid and login."""
    every = frozenset({"*"})
    return Caller("control", EVERY_RIGHT, every, every, who=f"{login}({uid})")


_NOBODY = Caller("", frozenset(), frozenset(), frozenset(), key=b"-" * 64)


class Callers:
    """The register and the lock-out."""

    def __init__(self, clock: Clock, callers: Iterable[Caller]) -> None:
        self._clock = clock
        self._callers = {caller.appid: _paced(caller, clock) for caller in callers}
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self.trace = Trace(clock)

    # from people
    def put(self, touched: Iterable[str], callers: Iterable[Caller]) -> None:
        """Forget the callers that were touched, and take them as they are now."""
        for appid in touched:
            self._callers.pop(appid, None)
        self._callers |= {caller.appid: _paced(caller, self._clock) for caller in callers}

    def locked(self) -> list[tuple[str, str, int]]:
        """Return which callers are locked out: appid, address, seconds that are left."""
        now = self._clock.mono()
        return [
            (appid, address, int(times[-1] + LOCKED_S - now) + 1)
            for (appid, address), times in self._failures.items()
            if appid in self._callers and len(times) >= FAILURES_MAX
            and times[-1] + LOCKED_S > now
        ]  # fmt: skip

    def forgive(self, appid: str) -> None:
        """Let a caller in again from everywhere, empty is every caller: a person saw to its key."""
        for who in [who for who in self._failures if not appid or who[0] == appid]:
            del self._failures[who]

    # from doors
    def prove(self, appid: str, algorithm: str, proof: str, challenge: str,
              address: str, *, token_ok: bool, tls: bool = False) -> Caller:  # fmt: skip
        """Return the caller whose key made the proof. Raises what `check` raises."""

        def proves(caller: Caller) -> bool:
            if algorithm == "token":
                fits = hmac.compare_digest(caller.key, proof.encode())
                return fits and caller.auth == algorithm and caller.token_from(
                    local=token_ok, tls=tls
                )  # fmt: skip
            expected = jsonrpc.challenge_mac(algorithm, caller.key, appid, challenge)
            return jsonrpc.same(expected, proof) and caller.auth == algorithm

        return self.check(appid, address, proves)

    def check(self, appid: str, address: str, proves: Callable[[Caller], bool]) -> Caller:
        """Return the caller that `proves` itself, whatever the door's way of proving is.

        An unknown appid takes as long as a known one. Raises Refused AUTH_WRONG, AUTH_LOCKED
        and, to who holds the key, AUTH_ADDRESS.
        """
        try:
            self._check_locked(appid, address)
            caller = self._callers.get(appid, _NOBODY)
            if not proves(caller) or caller is _NOBODY:
                self._failed(appid, address)
                raise refuse("AUTH_WRONG")
            if not caller.addresses.hold(address):
                raise refuse("AUTH_ADDRESS", address=address)
        except Refused as refused:
            if self.trace.watching:
                self.trace.note(appid, "auth", "out", address, told_of(refused))
            raise
        self._failures.pop((appid, address), None)
        return caller

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


def _paced(caller: Caller, clock: Clock) -> Caller:
    return replace(caller, pace=Pace(clock, caller.rate_per_s)) if caller.rate_per_s else caller
