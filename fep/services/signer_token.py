"""The signer process of a UKEY: the same pipe, and notes about the key's state.

Rules: a digest that came while the key was away is answered REMOVED and comes again; the PIN
is tried by `UKey.open` alone, and after a refusal nothing is opened any more until the daemon
starts another process; after every look at the key an empty note says that this one lives.
Whatever the vendor's library prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import select
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fep.crypto import certs, skf_key
from fep.crypto.errors import CryptoError
from fep.crypto.skf import Profile
from fep.env import RealClock, fsync_dir, write_durably
from fep.services.signer_process import (
    ANSWER,
    FAILED,
    NOTE,
    READ_BYTES,
    REMOVED,
    REQUEST,
)

NOTE_MAX_BYTES = 255
WHY_MAX_CHARS = 100
# A self-test every so many looks at a key that nobody uses.
PROBE_EVERY = 30


class Key(Protocol):
    """What is asked of a key that may go away (fep.crypto.skf_key.UKey)."""

    backend: str

    def open(self) -> None:
        """Find it, log in, prove it."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Return a good DER signature."""

    def probe(self) -> None:
        """Sign and verify once."""

    def present(self) -> bool:
        """Ask whether it is there."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, slots=True)
class State:
    """The key's state in the daemon's words; `fault` is a code of the catalogue."""

    name: str  # ready | removed | failing | failed
    fault: str = ""
    left: int = 0
    why: str = ""

    def told(self, backend: str) -> dict[str, Any]:
        """Return the members of a note."""
        members = {"state": self.name, "fault": self.fault, "left": self.left,
                   "why": self.why[:WHY_MAX_CHARS], "backend": backend[:64]}  # fmt: skip
        return {name: value for name, value in members.items() if value}


READY = State("ready")


class MarkFile:
    """The mark of a login in a small file; it is durable before the PIN goes out."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str:
        """Return the word, "" without a file."""
        try:
            return self._path.read_text("ascii")[:16]
        except FileNotFoundError:
            return ""

    def write(self, word: str) -> None:
        """Write the word durably; "" removes the file."""
        if word:
            write_durably(self._path, word.encode("ascii"), mode=0o600)
        elif self._path.exists():
            self._path.unlink()
            fsync_dir(self._path.parent)


def judged(error: Exception) -> State:
    """Return the state that an error of `open` or `sign_digest` leaves behind."""
    why = str(error)
    match error:
        case skf_key.KeyRemoved():
            return State("removed", "SIG_REMOVED", why=why)
        case skf_key.PinRefused():
            return State("failed", "SIG_PIN_WRONG", error.left)
        case skf_key.PinLocked():
            return State("failed", "SIG_PIN_LOCKED")
        case skf_key.LoginUnknown():
            return State("failed", "SIG_LOGIN", why=why)
        case skf_key.SignFailed():
            return State("failing", "SIG_FAIL", why=why)
    return State("broken", "SIG_KEY", why=f"{type(error).__name__}: {why}")


class Desk:
    """Requests in, answers and notes out, and a look at the key in between."""

    def __init__(self, key: Key, out: int, poll_s: float) -> None:
        self._key = key
        self._out = out
        self._poll_s = poll_s
        self._clock = RealClock()
        self._quiet = 0  # looks since the last signature
        self.state = self._said = State("starting")

    def open(self) -> State:
        """Open the key; what is wrong with it is a state."""
        try:
            self._key.open()
        except Exception as error:  # a vendor's library may fail in any way: it is told
            self.state = judged(error)
        else:
            self.state = READY
        return self.state

    def begin(self) -> None:
        """Say how the key was found."""
        self._said = self.state
        told = {"ok": True, **self.state.told(self._key.backend)}
        self._write(json.dumps(told).encode() + b"\n")

    def serve(self) -> None:
        """Serve until stdin closes."""
        rest = b""
        due = self._clock.mono() + self._poll_s
        while True:
            left_s = due - self._clock.mono()
            if left_s <= 0:
                self.look()
                due = self._clock.mono() + self._poll_s
                continue
            if not select.select([0], [], [], left_s)[0]:
                continue
            chunk = os.read(0, READ_BYTES)
            if not chunk:
                return
            rest += chunk
            whole = len(rest) - len(rest) % REQUEST.size
            for offset in range(0, whole, REQUEST.size):
                self._write(self.answer(*REQUEST.unpack_from(rest, offset)))
            rest = rest[whole:]

    def answer(self, call_id: int, digest: bytes) -> bytes:
        """Sign; a key that was away for a moment is opened again, once."""
        for _ in range(2):
            if self.state is not READY:
                break
            try:
                der = self._key.sign_digest(digest)
            except CryptoError as error:
                self._lost(error)
            else:
                self._quiet = 0
                return ANSWER.pack(call_id, len(der)) + der
        if self.state is READY:  # it comes and goes: the next look opens it, and says so
            self._told(State("removed", "SIG_REMOVED", why="the device comes and goes"))
        return ANSWER.pack(call_id, FAILED if self.state.name == "failing" else REMOVED)

    def look(self) -> None:
        """See whether the key is there, has come back, signs again; tell that we live."""
        self._see()
        self._write(ANSWER.pack(NOTE, 0))

    def _see(self) -> None:
        if self.state is READY:
            self._quiet += 1
            if not self._key.present():
                self._lost(skf_key.KeyRemoved("the device is not there"))
            elif self._quiet % PROBE_EVERY == 0:
                self._probe()
        elif self.state.name == "failing":
            self._probe()
        elif self.state.name == "removed":
            self._told(self.open())

    def _probe(self) -> None:
        try:
            self._key.probe()
        except CryptoError as error:
            self._lost(error)
        else:
            self._told(READY)

    def _lost(self, error: CryptoError) -> None:
        state = judged(error)
        if state.name == "removed":
            state = self.open()  # a moment's loss of contact needs nobody
        self._told(state)

    def _told(self, state: State) -> None:
        if state.name == "broken":  # something of the configuration: the daemon starts anew
            state = State("removed", state.fault, why=state.why)
        changed = (state.name, state.fault) != (self._said.name, self._said.fault)
        self.state = state
        if changed:
            self._said = state
            self._write(noted(state, self._key.backend))

    def _write(self, data: bytes) -> None:
        _write(self._out, data)


def noted(state: State, backend: str) -> bytes:
    """Return a note; what is too long for it loses its end, never its meaning."""
    for chars in (WHY_MAX_CHARS, 30, 0):
        members = state.told(backend)
        short = {
            name: v[:chars] if name in ("why", "backend") else v for name, v in members.items()
        }
        note = json.dumps(short, ensure_ascii=False).encode()
        if len(note) <= NOTE_MAX_BYTES:
            break
    return ANSWER.pack(NOTE, len(note)) + note


def serve(config: dict[str, Any]) -> None:
    """Open the key of a configuration and serve until stdin closes."""
    out = os.dup(1)
    os.dup2(2, 1)  # a vendor's library may print: the pipe is not for that
    asked = config["skf"]
    try:
        certificate = certs.parse(Path(config["cert"]).read_bytes())
        place = skf_key.Place(
            asked["library"], asked["device"], asked["application"], asked["container"],
            config["passphrase"],
        )  # fmt: skip
        profile = Profile.of(asked["profile"])
        mark = MarkFile(Path(asked["mark"]))
        desk = Desk(skf_key.UKey(place, profile, certificate, mark, _pause), out, asked["poll_s"])
        state = desk.open()
    except Exception as error:  # whatever is wrong is told, not raised
        state = State("broken", why=f"{type(error).__name__}: {error}")
    if state.name == "broken":
        _write(out, json.dumps({"ok": False, "why": state.why[:300]}).encode() + b"\n")
        return
    desk.begin()
    desk.serve()


def _write(out: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(out, view) :]


def _pause(seconds: float) -> None:
    select.select([], [], [], seconds)
