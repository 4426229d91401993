"""What the operator asks of the printer over its control socket; each order is journalled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fep.sim import control
from fep.sim.printer import orders
from fep.sim.printer.server import Station


def listen(reactor: Any, station: Station, where: str) -> Any:
    """Open the control socket at a path or a TCP port; return the listening port.

    Raises CannotListenError.
    """

    async def obey(words: Sequence[str]) -> dict[str, object]:
        state = await orders.obey(station, words)
        station.printer.journal.write("order", words=list(words))
        return state

    return control.listen(reactor, obey, where)
