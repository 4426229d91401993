"""Many light receipt printers in one process, for `bench print`: python -m scripts.bench_printers

Arguments: ports, separated by blanks; one after `--dead` takes connections and never answers.
They prove by process id, keep no more than the last sheet and draw nothing.
"""

from __future__ import annotations

import sys
from typing import Any

from tests.device.peer import Printer


class Light(Printer):
    """A printer that forgets its sheets."""

    def _cut(self) -> None:
        super()._cut()
        del self.sheets[:-1]


def main() -> None:
    """Listen until the process is ended."""
    from twisted.internet import reactor as _reactor

    reactor: Any = _reactor
    dead = False
    for word in sys.argv[1:]:
        if word == "--dead":
            dead = True
            continue
        printer = Light()
        printer.mute = dead
        reactor.listenTCP(int(word), printer, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main()
