"""fepsim province serve: the process around a province that speaks its own dialect."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click

from fep.cli.sim_loop import Loop
from fep.env import RealClock, calm_collector
from fep.sim.ports import wall_ms
from fep.sim.province_book import Book
from fep.sim.province_server import Counter, Faults, serve
from fep.sim.province_window import Rules, Window


def run_server(book: Book, state: Path, dialect: str, port: int, key: str, rules: Rules,
               faults: Faults) -> None:  # fmt: skip
    """Serve until SIGTERM; says the port when it listens."""
    clock = RealClock()
    counter = Counter(book, Window(book, lambda: wall_ms(clock), rules), faults, key)

    async def main() -> None:
        calm_collector()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(counter, dialect, port, stop,
                    lambda bound: click.echo(f"province ready {dialect} {bound}"))  # fmt: skip

    with Loop(state / "serve.lock"):
        try:
            asyncio.run(main())
        finally:
            book.close()
