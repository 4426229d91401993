"""Days full of trouble, drawn from a seed: crashes, bad gates, paper, clock, signer.

Safety is checked at the end of each day, liveness by the day's coming to rest once
everything is well again. The same seed lives through the same day.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from fep.sim import gate, province_desk
from fep.sim.printer import orders
from tests.harness.checkers import check_world
from tests.harness.world import World
from tests.simulation.city import City

EPISODES = 14
REST_S = 4 * 3600


def bad_gate(seed: int) -> gate.Knobs:
    """Return a gate that delays, doubles, mixes up, halves and loses files."""
    return gate.Knobs(
        delay_ms=(50, 4000), duplicate=0.3, reorder=True, half_visible=0.2, half_ms=700,
        drop=0.15, rename_on_clash=True, seed=seed,
    )  # fmt: skip


def live(place: Path, seed: int, reached: Counter[str] | None = None) -> list[str]:
    """Live through the day of a seed; return what was wrong at its end.

    `reached` counts states that the days together must have seen, or they prove little.
    """
    dice = random.Random(seed)
    city = City(place, seed, bad_gate(seed))
    city.start()
    city.grant(400)
    assert city.hub.run(900, until=lambda: city.numbers_left() > 0), city.notes.tail()
    # A sheet takes a second or two, so that a crash finds one half out.
    order_now(city, "speed", "25")
    city.his.open(6)
    try:
        for _episode in range(EPISODES):
            city.his.want(dice.randrange(1, 12))
            city.hub.run(dice.choice((0.02, 0.1, 0.7, 9.0, 300.0)) * dice.random())
            FAULTS[dice.choice(sorted(FAULTS))](city, dice)
        _all_well(city)
        city.settle(REST_S)
        city.stop()
        world = city.look()
        wrong = [str(violation) for violation in check_world(world)]
        if reached is not None:
            reached.update(_reached(city, world))
        answered = {acked.key for acked in city.his.told} | {key for key, _ in city.his.refused}
        if len(answered) != city.his.wanted:
            wrong.append(f"{city.his.wanted} events, {len(answered)} answered")
        return wrong
    finally:
        city.close()


def _reached(city: City, world: World) -> set[str]:
    found = {event for _level, event, _facts in city.notes.lines}
    found |= {f"receipt {row.state}" for row in world.books["receipt"]}
    found |= {f"paper {row.outcome}" for row in world.books["print_attempt"]}
    found |= {f"told {fault}" for _key, fault in city.his.refused}
    if any(acked.repeated for acked in city.his.told):
        found.add("answer repeated")
    report = province_desk.report(city.book)
    if report["duplicate_batches"] or report["duplicate_records"]:
        found.add("batch twice")
    return found


def _crash(city: City, dice: random.Random) -> None:
    city.crash()
    city.hub.run(dice.random() * 20)
    city.start()


def _restart(city: City, _dice: random.Random) -> None:
    city.stop()
    city.start()


def _cut(city: City, dice: random.Random) -> None:
    city.cut()
    city.hub.run(dice.random() * 600)
    if dice.random() < 0.5:
        city.heal()


def _mute_signer(city: City, dice: random.Random) -> None:
    """The signer hangs past the deadline: events are refused, numbers burned."""
    city.reactor.signer_mute = True
    city.his.want(2)
    city.hub.run(5)
    city.crash()
    city.hub.run(dice.random())
    city.start()


def _clock_back(city: City, dice: random.Random) -> None:
    city.clock.offset -= timedelta(seconds=dice.randrange(1, 400))


def _paper(order: str) -> Callable[[City, random.Random], None]:
    def give(city: City, dice: random.Random) -> None:
        order_now(city, *order.split())
        city.hub.run(dice.random() * 30)

    return give


def order_now(city: City, *words: str) -> None:
    """Give the printer an order."""
    city._now(orders.obey(city.printer, list(words)))


FAULTS: dict[str, Callable[[City, random.Random], None]] = {
    "crash": _crash,
    "crash again": _crash,
    "restart": _restart,
    "cut": _cut,
    "signer": _mute_signer,
    "clock": _clock_back,
    "cover": _paper("cover open"),
    "paper": _paper("paper end"),
    "hang up": lambda city, _dice: city.printer.hang_up(),
    "power": _paper("restart"),
}


def _all_well(city: City) -> None:
    city.heal()
    order_now(city, "cover", "close")
    order_now(city, "paper", "load")
