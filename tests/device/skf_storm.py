"""A storm over a UKEY: pulled, put back, refusing, signing wrongly, hanging, its process killed.

Callers ask for signatures all the while. Rules that must hold: every answer verifies under the
certificate of the signer that was asked; the PIN loses no try; when the weather is fine again,
everybody has an answer.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, gatherResults

from fep.domain.faults import Refused
from fep.services import signing, signing_bench
from fep.services.signing import Moved, SignerFiles, UnitSigner
from fep.services.signing_bench import Bench
from fep.sim import sm
from tests.device.skf import PIN, UKeyRig

UNIT = "H001"
CALLERS = 6
CALM_WITHIN_S = 20.0
CALLS = ("ECCSignData", "GetDevState", "ConnectDev", "OpenContainer", "EnumDev")
CODES = ("0A00000F", "0A000001", "0A000023", "0A00002D", "0A000005")
QUICK = ((signing, "RESTART_S", (0.05, 0.2)), (signing, "HUNG_S", 1.5), (signing, "OPEN_S", 4.0),
         (signing_bench, "BACK_S", 0.3), (signing_bench, "HUNG_PAIR_S", 1.0))  # fmt: skip


class Quiet:
    """A log that nobody reads."""

    def __getattr__(self, _level: str) -> Any:
        return lambda *_names, **_facts: None


@contextmanager
def quick() -> Iterator[None]:
    """Make every patience short, so that much happens in a second."""
    before = [(module, name, getattr(module, name)) for module, name, _value in QUICK]
    for module, name, value in QUICK:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


class Storm:
    """One seed of weather over a UKEY, alone or with a key file that stands by."""

    def __init__(self, reactor: Any, place: Path, seed: int, *, pair: bool) -> None:
        self._reactor = reactor
        self._dice = Random(seed)
        self.rig = UKeyRig(reactor, place / "slot")
        main = UnitSigner(
            reactor,
            SignerFiles(UNIT, self.rig.key, self.rig.cert, PIN, "main", self.rig.config(),
                        self.rig.place / "mark"),
            Quiet(),
        )  # fmt: skip
        signers = [main]
        if pair:
            sm.create_identity(place / "k", place / "c", "unit", 78)
            files = SignerFiles(UNIT, place / "k", place / "c", "", "standby")
            signers.append(UnitSigner(reactor, files, Quiet()))
        self.bench = Bench(reactor, Quiet())
        self.bench.add(UNIT, tuple(signers))
        self.told: Counter[str] = Counter()
        self._over = False

    async def blow(self, seconds: float) -> list[str]:
        """Let it blow, then wait for calm; return what was wrong."""
        for signer in self.bench.all():
            signer.start()
        callers = [Deferred.fromCoroutine(self._caller(number)) for number in range(CALLERS)]
        until = self._reactor.seconds() + seconds
        while self._reactor.seconds() < until:
            self._strike()
            await task.deferLater(self._reactor, self._dice.uniform(0.02, 0.25))
        self._calm()
        wrong = []
        try:
            await gatherResults(callers).addTimeout(CALM_WITHIN_S, self._reactor)
        except Exception as error:  # whatever kept a caller waiting is the finding
            wrong.append(f"callers wait for ever: {error!r}")
        if self.rig.token.tries_left != self.rig.token.tries_max:
            wrong.append(f"the PIN has {self.rig.token.tries_left} tries left")
        if self.told["bad"]:
            wrong.append(f"{self.told['bad']} signatures do not verify")
        await gatherResults(self.bench.stop())
        await self.rig.slot.close()
        return wrong

    async def _caller(self, number: int) -> None:
        count = 0
        while not self._over:
            count += 1
            message = f"{number}-{count}".encode()
            while await self._asked(message) is None:
                await task.deferLater(self._reactor, 0.02)

    async def _asked(self, message: bytes) -> bytes | None:
        signer = self.bench.active[UNIT]
        try:
            der = await signer.sign(signer.digest_of(message))
        except Moved:
            self.told["moved"] += 1
            return None
        except Refused:
            self.told["refused"] += 1
            return None
        good = signer.certificate.public_key.verify(message, der)
        self.told["good" if good else "bad"] += 1
        return der

    def _strike(self) -> None:
        token, knobs, dice = self.rig.token, self.rig.token.knobs, self._dice
        match dice.choices(
            ("pull", "insert", "wrong", "refuse", "hang", "kill", "pull mid", "slow", "sun"),
            (12, 28, 10, 10, 3, 6, 6, 10, 15),
        )[0]:
            case "pull":
                token.pull()
            case "insert":
                token.put_in()
            case "wrong":
                knobs.wrong_signatures = dice.randint(1, 8)
            case "refuse":
                knobs.fails, knobs.fails_at = dice.randint(1, 4), dice.choice(CALLS)
                knobs.fails_with = dice.choice(CODES)
            case "hang":
                knobs.hangs = 1
            case "kill":
                child = dice.choice(list(self.bench.all()))._child
                if child is not None:
                    child.kill()
            case "pull mid":
                knobs.removed_signs = 1
            case "slow":
                knobs.sign_s = dice.choice((0.0, 0.0, 0.01, 0.05))

    def _calm(self) -> None:
        knobs = self.rig.token.knobs
        knobs.fails = knobs.hangs = knobs.wrong_signatures = knobs.removed_signs = 0
        knobs.sign_s = 0.0
        self.rig.token.put_in()
        self._over = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `scripts/soak ukey`."""
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run")


def soak_ukey(options: argparse.Namespace) -> int:
    """Run seed after seed, alone and with a second signer; 1 when a rule was broken."""
    from twisted.internet import reactor as untyped

    reactor: Any = untyped
    found: list[str] = []

    async def runs() -> None:
        for seed in range(options.first, options.first + options.runs):
            for pair in (False, True):
                with tempfile.TemporaryDirectory(prefix="ukey-") as place:
                    storm = Storm(reactor, Path(place), seed, pair=pair)
                    wrong = await storm.blow(options.seconds)
                kind = "pair" if pair else "alone"
                print(f"seed {seed} {kind}: {dict(storm.told)} {'; '.join(wrong) or 'OK'}")
                found.extend(wrong)

    def begin() -> None:
        done = Deferred.fromCoroutine(runs())
        done.addErrback(lambda failure: found.append(failure.getTraceback()))
        done.addBoth(lambda _: reactor.stop())

    with quick():
        reactor.callWhenRunning(begin)
        reactor.run()
    print("\n".join(found))
    return 1 if found else 0
