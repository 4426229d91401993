"""The signer: a process of its own that holds the unit's key and signs digests.

It reads one JSON line of configuration from stdin, answers with one JSON line, then takes
40-byte requests (id u64, digest 32) and gives answers (id u64, length u8, DER). A DER has at
most 72 bytes; a length of `FAULT` or more is a fault without a body. An answer with the id 0
is a note: JSON about the state of the key, or nothing but a sign of life. It imports nothing
of the daemon but the crypto door, ignores the signals that stop the daemon, and ends when its
stdin does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
from pathlib import Path
from typing import Any

from fep.crypto import certs, keyfile, sm2
from fep.env import RealEntropy

REQUEST = struct.Struct(">Q32s")
ANSWER = struct.Struct(">QB")
NOTE = 0  # the id of no request
FAULT = 0xF0
REMOVED = 0xF1  # the key is not there: the digest may be given again when it is
FAILED = 0xF2  # the key gave no good signature
READ_BYTES = REQUEST.size * 256
# Answers go up in small bunches: a wake-up of the daemon for each would cost more than it saves.
_BUNCH = 4


def main() -> None:
    """Serve until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    config = json.loads(_line())
    if config.get("skf"):
        from fep.services import signer_token  # a software key needs nothing of it

        signer_token.serve(config)
        return
    try:
        key = _open(config)
    except Exception as error:  # whatever is wrong with a key file is told, not raised
        _write(json.dumps({"ok": False, "why": f"{type(error).__name__}: {error}"[:300]}).encode())
        _write(b"\n")
        return
    _write(json.dumps({"ok": True, "backend": key.backend}).encode() + b"\n")
    _serve(key)


def _line() -> bytes:
    """Read the configuration line byte by byte: what follows it are requests."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(0, 1)):
        line += byte
    return line


def _open(config: dict[str, Any]) -> sm2.PrivateKey:
    passphrase = config["passphrase"].encode() if config["passphrase"] else None
    key = keyfile.load_private(Path(config["key"]).read_bytes(), passphrase, entropy=RealEntropy())
    certificate = certs.parse(Path(config["cert"]).read_bytes())
    probe = certificate.public_key.digest(b"fep signer probe")
    if not certificate.public_key.verify_digest(probe, key.sign_digest(probe)):
        raise ValueError("the key does not belong to the certificate")
    return key


def _serve(key: sm2.PrivateKey) -> None:
    rest = b""
    while chunk := os.read(0, READ_BYTES):
        rest += chunk
        whole = len(rest) - len(rest) % REQUEST.size
        answers: list[bytes] = []
        for offset in range(0, whole, REQUEST.size):
            answers.append(_sign(key, *REQUEST.unpack_from(rest, offset)))
            if len(answers) == _BUNCH:
                _write(b"".join(answers))
                answers.clear()
        if answers:
            _write(b"".join(answers))
        rest = rest[whole:]


def _sign(key: sm2.PrivateKey, call_id: int, digest: bytes) -> bytes:
    try:
        der = key.sign_digest(digest)
    except Exception:  # a failing library is an answer, not the end of the signer
        return ANSWER.pack(call_id, FAILED)
    return ANSWER.pack(call_id, len(der)) + der


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the daemon has gone: nobody is left to tell
        main()
