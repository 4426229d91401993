"""The daemon's side of the signer process: digests down, signatures up.

One child a key. Requests that were under way when the child died, or the key was pulled out,
are sent again when it is back: a signature over frozen bytes may be made twice, a number
never. A key whose PIN was refused is `failed` until an operator resets it. Bounded: more than
`PENDING_MAX` waiting digests are refused as BUSY.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from fep.crypto import certs
from fep.domain.faults import Refused, refuse
from fep.services.signer_process import ANSWER, FAULT, NOTE, REMOVED, REQUEST

PENDING_MAX = 4096
NOT_INHERITED = ("PYTHON", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")
HUNG_S = 10.0
OPEN_S = 60.0  # a UKEY may be slow to open, a hung library takes for ever
RESTART_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class SignerFiles:
    """Where a unit's key lives: a file, or with `skf` a UKEY whose PIN is the passphrase."""

    unit: str
    key: Path
    cert: Path
    passphrase: str = field(repr=False)
    role: str = "main"  # main | standby
    skf: Mapping[str, Any] | None = None
    mark: Path | None = None  # of a login that was not good, see fep/crypto/skf_key.py


class Moved(Exception):
    """This signer has gone and another of its unit is there: sign again, with that one."""


class UnitSigner:
    """A unit's signer: `digest_of` and `sign`, whatever happens to the child."""

    def __init__(self, reactor: Any, files: SignerFiles, log: Any) -> None:
        self._reactor = reactor
        self._files = files
        self._log = log
        self.certificate = certs.parse(files.cert.read_bytes())
        self.cert_serial = self.certificate.serial_hex
        self.cert_id = 0
        self.state = "stopped"
        self.why = ""
        self.fault = ""  # the code of the catalogue for a key that is away or refused
        self.left = 0  # tries of the PIN
        self.backend = ""
        self.hung_s = 0.0  # 0: HUNG_S; set where another signer is at hand
        self.on_change: Callable[[], None] = _nobody
        self._pending: dict[int, tuple[bytes, Deferred[bytes]]] = {}
        self._next = 1
        self._child: _Child | None = None
        self._failures = 0
        self._restart: Any = None
        self._hung: Any = None
        self._answers = 0
        self._stopping: Deferred[None] | None = None

    # from node
    def start(self) -> None:
        """Start the child; `state` becomes ready or failed with `why`."""
        self.state = "starting"
        self._restart = None
        self._child = _Child(self)
        # Neither Python's switches nor systemd's socket are the key holder's business.
        self._reactor.spawnProcess(
            self._child,
            sys.executable,
            [sys.executable, "-P", "-m", "fep.services.signer_process"],
            env={k: v for k, v in os.environ.items() if not k.startswith(NOT_INHERITED)},
            childFDs={0: "w", 1: "r", 2: 2},
        )
        config = {
            "key": str(self._files.key),
            "cert": str(self._files.cert),
            "passphrase": self._files.passphrase,
            "skf": self._files.skf,
        }
        self._child.send(json.dumps(config).encode() + b"\n")
        self._hung = self._reactor.callLater(OPEN_S, self._child.kill)

    def stop(self) -> Deferred[None]:
        """End the child; waiting digests fail with SIG_DOWN."""
        done: Deferred[None] = Deferred()
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        self._calm()
        self._stopping = done
        if self._child is None:
            self._stopped(done)
        else:
            self._child.close()
            self._hung = self._reactor.callLater(HUNG_S, self._child.kill)
        return done

    def reset(self, passphrase: str) -> None:
        """An operator has acted: forget the refused PIN and begin anew."""
        self._files = replace(self._files, passphrase=passphrase)
        if self._files.mark is not None:
            self._files.mark.unlink(missing_ok=True)
        self._failures = 0
        self._log.warning("signer.reset", unit=self._files.unit, role=self._files.role)
        if self._child is not None:
            self._child.kill()  # `ended` starts the next one
        elif self._restart is not None:
            self._restart.reset(0)

    @property
    def files(self) -> SignerFiles:
        """Return where the key lives."""
        return self._files

    @property
    def waiting(self) -> int:
        """Return how many digests wait."""
        return len(self._pending)

    def release(self) -> None:
        """Give back what waits: another signer of the unit takes it. Fails it with `Moved`."""
        waiting, self._pending = self._pending, {}
        for _, done in waiting.values():
            done.errback(Moved())

    def _calm(self) -> None:
        if self._hung is not None and self._hung.active():
            self._hung.cancel()
        self._hung = None

    @property
    def failures(self) -> int:
        """Return how often in a row the child has ended since it was last ready."""
        return self._failures

    # from issue
    def digest_of(self, message: bytes) -> bytes:
        """Return SM3(Z ‖ message), what the child signs."""
        return self.certificate.public_key.digest(message)

    def sign(self, digest: bytes) -> Deferred[bytes]:
        """Return the DER signature of a 32-byte digest. Fails with SIG_FAIL, BUSY, SIG_DOWN."""
        done: Deferred[bytes] = Deferred()
        if len(self._pending) >= PENDING_MAX:
            done.errback(refuse("BUSY"))
            return done
        if self._stopping is not None:
            done.errback(refuse("SIG_DOWN"))
            return done
        call_id = self._next
        self._next += 1
        self._pending[call_id] = (digest, done)
        if self._child is not None and self.state == "ready":
            self._child.send(REQUEST.pack(call_id, digest))
            if self._beats and len(self._pending) == 1:
                self._calm()  # what was watched so far was an idle child
            if self._hung is None:
                self._watch()
        return done

    @property
    def _paired(self) -> bool:
        return self.hung_s > 0

    @property
    def _beats(self) -> bool:
        """Say whether the child tells, asked or not, that it lives: one of a UKEY does."""
        return self._files.skf is not None

    def _watch(self, silent: int = 0) -> None:
        wait_s = self.hung_s or HUNG_S
        self._hung = self._reactor.callLater(wait_s, self._look, self._answers, silent)

    def _look(self, answers: int, silent: int) -> None:
        """A child that has been asked and says nothing is hung: another one takes over.

        One of a UKEY may hang unasked, in the vendor's library; it may also be slow to open.
        """
        self._hung = None
        asked = bool(self._pending) and self.state == "ready"
        if self._child is None or self._stopping is not None:
            return
        if not self._pending and not self._beats:
            return
        silent = silent + 1 if self._answers == answers else 0
        patience = 1 if asked or not self.hung_s else math.ceil(HUNG_S / self.hung_s)
        if silent >= patience and (asked or self._beats):
            self._log.error("signer.hung", unit=self._files.unit, waiting=len(self._pending))
            self._child.kill()
            return
        self._watch(silent)

    # from child
    def opened(self, told: dict[str, Any]) -> None:
        """Take the child's first line; send what has been waiting."""
        self._calm()
        if told["ok"]:
            self._failures = 0
            if self._beats:
                self._watch()
            self.noted(told)
            return
        self.state, self.why, self.fault = "failed", str(told["why"]), "SIG_KEY"
        self._log.error("signer.failed", unit=self._files.unit, why=self.why)
        self.on_change()

    def noted(self, told: dict[str, Any]) -> None:
        """Take what the child says of its key; one that is back gets what has been waiting."""
        self.state, self.why = str(told.get("state", "ready")), str(told.get("why", ""))
        self.fault, self.left = str(told.get("fault", "")), int(told.get("left", 0))
        self.backend = str(told.get("backend", self.backend))
        if self.state != "ready":
            self._log.error("signer.away", unit=self._files.unit, role=self._files.role,
                            state=self.state, fault=self.fault, why=self.why)  # fmt: skip
            self.on_change()
            return
        self._log.info("signer.ready", unit=self._files.unit, backend=self.backend)
        assert self._child is not None
        for call_id, (digest, _) in self._pending.items():
            self._child.send(REQUEST.pack(call_id, digest))
        if self._pending and self._hung is None:
            self._watch()
        self.on_change()

    def beat(self) -> None:
        """The child lives."""
        self._answers += 1

    def signed(self, call_id: int, der: bytes) -> None:
        """Hand a signature to who waits for it; one that nobody waits for is dropped."""
        self._answers += 1
        entry = self._pending.pop(call_id, None)
        if entry is None:
            return
        entry[1].callback(der)

    def unsigned(self, call_id: int, fault: int) -> None:
        """No signature: one of a key that is away waits for it, any other fails."""
        self._answers += 1
        if fault == REMOVED:
            return
        if self._paired and self.state == "ready" and self._child is not None:
            self._child.kill()  # what waits here is signed by the other one
            return
        entry = self._pending.pop(call_id, None)
        if entry is not None:
            entry[1].errback(refuse("SIG_FAIL", unit=self._files.unit))

    def ended(self, why: str) -> None:
        """The child is gone: start another one after a pause, or finish the stop."""
        self._calm()
        self._child = None
        if self._stopping is not None:
            self._stopped(self._stopping)
            return
        if self.state != "failed":
            self.state, self.why = "down", why
        pause = RESTART_S[min(self._failures, len(RESTART_S) - 1)]
        self._failures += 1
        self._log.error("signer.down", unit=self._files.unit, why=why, retry_s=pause)
        self._restart = self._reactor.callLater(pause, self.start)
        self.on_change()

    def _stopped(self, stopping: Deferred[None]) -> None:
        self.state = "stopped"
        waiting, self._pending = self._pending, {}
        for _, done in waiting.values():
            done.errback(refuse("SIG_DOWN"))
        stopping.callback(None)


class _Child(ProcessProtocol):
    """The pipe to one child: a JSON line first, then binary answers."""

    def __init__(self, owner: UnitSigner) -> None:
        self._owner = owner
        self._rest = b""
        self._open = False

    def send(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(data)

    def close(self) -> None:
        transport: Any = self.transport
        transport.closeStdin()

    def kill(self) -> None:
        transport: Any = self.transport
        transport.signalProcess("KILL")

    def outReceived(self, data: bytes) -> None:
        data = self._rest + data
        if not self._open:
            line, end, data = data.partition(b"\n")
            if not end:
                self._rest = line
                return
            self._open = True
            self._owner.opened(json.loads(line))
        offset, head = 0, ANSWER.size
        while len(data) - offset >= head:
            call_id, length = ANSWER.unpack_from(data, offset)
            if length >= FAULT and call_id != NOTE:
                self._owner.unsigned(call_id, length)
                offset += head
                continue
            if len(data) - offset < head + length:
                break
            body = data[offset + head : offset + head + length]
            if call_id == NOTE:
                self._owner.beat()
                if body:
                    self._owner.noted(json.loads(body))
            else:
                self._owner.signed(call_id, body)
            offset += head + length
        self._rest = data[offset:]

    def processEnded(self, reason: Failure) -> None:
        why = "exit" if isinstance(reason.value, ProcessDone) else str(reason.value)[:200]
        self._owner.ended(why)


def signer_fault(signer: UnitSigner) -> Refused | None:
    """Return why a unit cannot sign now, None when it can or soon will.

    Whoever asks before a number is given wastes none on a signer that is not there; a child
    that has just ended once is waited for.
    """
    if signer.state in ("failed", "removed", "failing"):
        unit, code = signer.files.unit, signer.fault or "SIG_KEY"
        return refuse(code, unit=unit, why=signer.why, left=signer.left)
    if signer.state != "ready" and signer.failures > 1:
        return refuse("SIG_DOWN")
    return None


def expired(signer: UnitSigner, now: datetime) -> Refused | None:
    """Return why a certificate is not valid at a moment, None when it is."""
    held = signer.certificate
    if held.not_before <= now <= held.not_after:
        return None
    return refuse("SIG_CERT_EXPIRED", unit=signer.files.unit, serial=held.serial_hex,
                  since=f"{held.not_before:%Y-%m-%d}",
                  until=f"{held.not_after:%Y-%m-%d}")  # fmt: skip


def _nobody() -> None:
    """Nobody is told of changes."""
