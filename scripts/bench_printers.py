"""Light receipt printers in one process, for `bench print`: python -m scripts.bench_printers

Arguments: `--tally DIR`, then ports; those after `--dead` take connections and never answer.
They prove by process id, print in no time and draw nothing, so that what is measured is the
way to the paper. DIR/PORT.tally has the time of every cut sheet, DIR/PORT.bin its bytes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from tests.device.peer import Printer


class Light(Printer):
    """A printer that forgets its sheets and notes when they were cut."""

    def __init__(self, tally: Path) -> None:
        super().__init__()
        self._tally = tally.open("a", encoding="ascii", buffering=1)
        self._bin = tally.with_suffix(".bin")
        self._bytes = bytearray()
        self._fell = False

    def _command(self) -> int:
        before = self.buffer
        used = super()._command()
        self._bytes += before[:used]
        if self._fell:
            self._fell = False
            self._bin.write_bytes(self._bytes)
            self._bytes.clear()
        return used

    def _cut(self) -> None:
        super()._cut()
        del self.sheets[:-1]
        self._fell = True
        self._tally.write(f"{time.time_ns() // 1_000_000}\n")


def main() -> None:
    """Listen until the process is ended."""
    from twisted.internet import reactor as _reactor

    reactor: Any = _reactor
    words = sys.argv[1:]
    assert words[0] == "--tally", words
    place = Path(words[1])
    place.mkdir(parents=True, exist_ok=True)
    dead = False
    for word in words[2:]:
        if word == "--dead":
            dead = True
            continue
        printer = Light(place / f"{word}.tally")
        printer.mute = dead
        reactor.listenTCP(int(word), printer, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main()
