"""What the operator asks of the UKEY over its control socket.

Orders: set KNOB=VALUE …, pull, insert, unlock, state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from fep.sim import control
from fep.sim.signer.token import Token


async def obey(token: Token, words: Sequence[str]) -> dict[str, object]:
    """Carry an order out and return the state. Raises ValueError for an unknown one."""
    verb, rest = words[0], words[1:]
    acts = {"pull": token.pull, "insert": token.put_in, "unlock": token.unlock}
    if verb == "set" and rest:
        for word in rest:
            name, _, value = word.partition("=")
            token.knobs.turn(name, value)
    elif verb in acts and not rest:
        acts[verb]()
    elif verb != "state":
        raise ValueError("orders: set KNOB=VALUE, pull, insert, unlock, state")
    return {
        "present": token.present, "tries_left": token.tries_left,
        "signatures": token.signatures, "logins": token.calls.count("VerifyPIN"),
        "knobs": asdict(token.knobs),
    }  # fmt: skip


def listen(reactor: Any, token: Token, where: str) -> Any:
    """Open the control socket at a path or a TCP port. Raises CannotListenError."""
    return control.listen(reactor, partial(obey, token), where)
