"""A process that looks into UKEYs: one JSON line of what library, one JSON line of what is there.

A process of its own because the vendor's library may crash or hang; whatever that prints goes
to standard error. It uses no PIN.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any

from fep.crypto import skf, skf_look
from fep.crypto.errors import CryptoError


def main() -> None:
    """Read the question from stdin, answer on what was stdout."""
    out = os.dup(1)
    os.dup2(2, 1)
    asked = json.loads(sys.stdin.readline())
    os.write(out, json.dumps(answer(asked)).encode() + b"\n")


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the devices of a library, or why it cannot be asked."""
    profile = skf.Profile.of(asked["profile"])
    try:
        seen = skf_look.look(skf.Library(asked["library"], profile))
    except CryptoError as error:
        return {"devices": [], "why": str(error)}
    told = [asdict(device) for device in seen]
    for device in told:
        for application in device["applications"]:
            for container in application["containers"]:
                held = container["certificate"]
                container["certificate"] = held.hex() if held else ""
    return {"devices": told, "why": ""}


if __name__ == "__main__":
    main()
