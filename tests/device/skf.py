"""A UKEY for tests: the stub library built by the system's gcc, and a simulated token behind it.

The library is built once per kind and copied for each key, because its socket stands beside
it. The token lives in the test's own reactor; whoever calls the library is another process,
or a thread.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from fep.crypto.skf import Profile
from fep.sim import sm
from fep.sim.signer.server import Slot
from fep.sim.signer.token import Token

SOURCE = Path(__file__).with_name("skf_stub.c")
PIN = "87654321"


@cache
def built(*switches: str) -> Path:
    """Compile the stub once for a set of switches."""
    place = Path(tempfile.mkdtemp(prefix="skf-")) / "libskf.so"
    subprocess.run(
        ["gcc", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", *switches,
         "-o", str(place), str(SOURCE), "-ldl"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return place


def library(place: Path, *switches: str) -> Path:
    """Return a copy of the library of its own in a directory."""
    copy = place / "libskf.so"
    shutil.copy(built(*switches), copy)
    return copy


class UKeyRig:
    """A token in its slot, with library and certificate file in a directory."""

    def __init__(self, reactor: Any, place: Path, *switches: str, identity: Path | None = None,
                 ) -> None:  # fmt: skip
        place.mkdir(parents=True, exist_ok=True)
        self.place = place
        self.library = library(place, *switches)
        own = identity or place
        self.key, self.cert = own / "token.key", own / "token.crt"
        if not self.key.exists():
            sm.create_identity(self.key, self.cert, "unit", 77)
        held = sm.load_certificate(self.cert.read_bytes())
        self.token = Token(sm.load_private(self.key.read_bytes()), held.der, PIN)
        self.slot = Slot(reactor, self.token)
        self.slot.open(self.library)

    def config(self, **other: Any) -> dict[str, Any]:
        """Return the `skf` part of a signer's configuration."""
        profile = {name: getattr(Profile(), name) for name in Profile.__dataclass_fields__}
        told = {
            "library": str(self.library), "device": "", "application": "FEP", "container": "unit",
            "profile": profile, "mark": str(self.place / "mark"), "poll_s": 0.05,
        }  # fmt: skip
        return told | other
