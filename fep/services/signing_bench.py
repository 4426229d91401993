"""All signers of a node: which one signs for a unit now, and who takes over.

A unit has a main signer and may have one that stands by, under the same certificate or one of
its own. Two rules: the standby signs as soon as the main one cannot, and what waited there is
signed anew by it, with the number and the bytes it has; the main one comes back after it has
been well for `BACK_S`. A digest is given to one signer at a time, and what another says later
is dropped: one number, one signature, with the id of the certificate that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fep.crypto.errors import CryptoError
from fep.domain.faults import Refused, refuse
from fep.domain.kind import KeyPlace, Unit
from fep.services.signing import SignerFiles, UnitSigner, expired, signer_fault
from fep.settings import SettingsError, read_secret
from fep.settings_signer import skf_profile

BACK_S = 30.0
# A caller waits three seconds: with another signer at hand nobody waits for a hung one longer.
HUNG_PAIR_S = 2.0
ROLES = ("main", "standby")
Revoked = Callable[[str, str], Refused | None]


@dataclass(slots=True, eq=False)
class _Chain:
    """A unit's signers, the main one first; `back` is the timer of its return."""

    signers: tuple[UnitSigner, ...]
    back: Any = None


class Bench:
    """The signers of a node. `active` maps a unit to the one that signs now."""

    def __init__(self, reactor: Any, log: Any) -> None:
        self._reactor = reactor
        self._log = log
        self._chains: dict[str, _Chain] = {}
        self._stopping = False
        self.active: dict[str, UnitSigner] = {}

    def add(self, unit: str, signers: tuple[UnitSigner, ...]) -> None:
        """Take a unit's signers in, the main one first."""
        self._chains[unit] = _Chain(signers)
        self.active[unit] = signers[0]
        if len(signers) > 1:
            for signer in signers:
                signer.hung_s = HUNG_PAIR_S
                signer.on_change = lambda: self._changed(unit)

    def all(self) -> Iterator[UnitSigner]:
        """Yield every signer there is."""
        for chain in self._chains.values():
            yield from chain.signers

    def chain(self, unit: str) -> tuple[UnitSigner, ...]:
        """Return a unit's signers, the main one first."""
        chain = self._chains.get(unit)
        return chain.signers if chain is not None else ()

    def find(self, unit: str, role: str) -> UnitSigner:
        """Return one signer. Raises Refused SIG_UNKNOWN."""
        for signer in self.chain(unit):
            if signer.files.role == role:
                return signer
        raise refuse("SIG_UNKNOWN", unit=unit, role=role)

    def fault(self, unit: str, now: datetime, revoked: Revoked) -> Refused | None:
        """Return why nothing can be signed for a unit now, None when it can.

        A certificate that is out of its time or revoked is passed over for one that is not.
        """
        signer = self.active.get(unit)
        if signer is None:
            return None
        found = signer_fault(signer)
        if found is not None:
            return found
        barred = expired(signer, now) or revoked(unit, signer.cert_serial)
        if barred is not None:
            for other in self._chains[unit].signers:
                fine = other.state == "ready" and expired(other, now) is None
                if fine and revoked(unit, other.cert_serial) is None:
                    self._hand_over(unit, other)
                    return None
        return barred

    def stop(self) -> list[Any]:
        """Stop all; return what to wait for."""
        self._stopping = True
        for chain in self._chains.values():
            self._stay(chain)
        return [signer.stop() for signer in self.all()]

    # from signers
    def _changed(self, unit: str) -> None:
        """A signer of a unit is well or not any more: see who signs."""
        if self._stopping:
            return
        chain, now = self._chains[unit], self.active[unit]
        main = chain.signers[0]
        if main.state != "ready":
            self._stay(chain)
        if now.state == "ready":
            if now is not main and main.state == "ready" and chain.back is None:
                chain.back = self._reactor.callLater(BACK_S, self._come_back, unit)
            return
        if now.state == "starting" and not now.failures:
            return  # the first start: nothing is wrong yet
        for other in chain.signers:
            if other is not now and other.state == "ready":
                self._hand_over(unit, other)
                return

    def _come_back(self, unit: str) -> None:
        chain = self._chains[unit]
        chain.back = None
        self._hand_over(unit, chain.signers[0])

    def _stay(self, chain: _Chain) -> None:
        if chain.back is not None:
            chain.back.cancel()
            chain.back = None

    def _hand_over(self, unit: str, to: UnitSigner) -> None:
        before, self.active[unit] = self.active[unit], to
        self._log.warning("signer.handed_over", unit=unit, to=to.files.role,
                          serial=to.cert_serial, waiting=before.waiting)  # fmt: skip
        if before.state != "ready":  # one that is well finishes what it has
            before.release()


def make_bench(reactor: Any, units: Mapping[str, Unit], root: Path, data: Path,
               log: Any) -> Bench:  # fmt: skip
    """Return the signers of all units, not started yet.

    Raises SettingsError, OSError, BadCertificate when a main signer cannot be made.
    """
    bench = Bench(reactor, log)
    for unit in units.values():
        main, *others = unit.key_places()
        signers = [UnitSigner(reactor, files_of(unit.code, ROLES[0], main, root, data), log)]
        for role, place in zip(ROLES[1:], others, strict=False):
            try:
                files = files_of(unit.code, role, place, root, data)
                signers.append(UnitSigner(reactor, files, log))
            except (SettingsError, CryptoError, OSError) as error:
                # A spare that is broken is no reason to open late; the doctor tells of it.
                log.error("signer.unusable", unit=unit.code, role=role, why=str(error)[:200])
        bench.add(unit.code, tuple(signers))
    return bench


def files_of(unit: str, role: str, place: KeyPlace, root: Path, data: Path) -> SignerFiles:
    """Return what a signer process needs to know. Raises SettingsError."""
    files = SignerFiles(unit, root / place.key, root / place.cert, secret_of(place, root), role)
    if place.kind != "skf":
        return files
    profile = skf_profile(root, place.profile)
    mark = data / f"signer-{unit}-{role}.mark"
    skf = {
        "library": place.library, "device": place.device, "application": place.application,
        "container": place.container, "profile": profile.numbers(), "mark": str(mark),
        "poll_s": profile.poll_s,
    }  # fmt: skip
    return SignerFiles(unit, files.key, files.cert, files.passphrase, role, skf, mark)


def secret_of(place: KeyPlace, root: Path) -> str:
    """Return passphrase or PIN, as it stands in its file now. Raises SettingsError."""
    return read_secret(place.passphrase, root) if place.passphrase else ""
