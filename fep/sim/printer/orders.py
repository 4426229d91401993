"""What the operator of the simulator can do to the printer, by words: `cover open`.

An order is a few words; the first one or two select a row of the table, the rest are its
values. Faults of the mechanism, of the network and of the power are all here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from fep.sim.printer.knobs import ByteFault
from fep.sim.printer.server import Station

Values = Sequence[str]
Do = Callable[[Station, Values], Awaitable[None] | None]


class OrderRefused(ValueError):
    """The order is not known or its value makes no sense."""


async def obey(station: Station, words: Sequence[str]) -> dict[str, object]:
    """Carry out an order and return the state after it. Raises OrderRefused."""
    for count in (2, 1):
        act = ORDERS.get(" ".join(words[:count]))
        if act is not None and len(words) >= count:
            await _carry_out(act, station, words[count:])
            return {**station.printer.facts(), "port": station.port}
    raise OrderRefused(f"unknown order {' '.join(words)!r}; known: {', '.join(sorted(ORDERS))}")


async def _carry_out(act: Do, station: Station, values: Values) -> None:
    try:
        pending = act(station, values)
    except (ValueError, IndexError) as error:
        raise OrderRefused(f"bad or missing value: {error}") from error
    if pending is not None:
        await pending


def _state(**changes: bool) -> Do:
    """Return an order that changes the condition of the mechanism."""

    def act(station: Station, values: Values) -> None:
        for name, value in changes.items():
            setattr(station.printer.state, name, value)
        station.printer.settle()

    return act


def _look(station: Station, values: Values) -> None:
    """Change nothing."""


def _load(station: Station, values: Values) -> None:
    printer = station.printer
    printer.load_paper(int(values[0]) if values else printer.knobs.paper_rows)


def _rows_left(station: Station, values: Values) -> None:
    station.printer.state.rows_left = int(values[0])
    station.printer.settle()


def _near(station: Station, values: Values) -> None:
    state = station.printer.state
    state.rows_left = min(state.rows_left, state.near_end_rows)
    station.printer.settle()


def _hot(station: Station, values: Values) -> None:
    station.printer.heat(float(values[0]) if values else 3.0)


def _mute(station: Station, values: Values) -> None:
    station.printer.mute = not values or values[0] == "on"


def _hang_up_at(station: Station, values: Values) -> None:
    station.printer.knobs.hang_up_at = int(values[0])


def _hang_up(station: Station, values: Values) -> None:
    station.hang_up()


def _byte_fault(station: Station, values: Values) -> None:
    direction, kind, at = values
    if direction not in ("rx", "tx") or kind not in ("drop", "duplicate", "corrupt"):
        raise ValueError("expected rx|tx drop|duplicate|corrupt N")
    station.printer.knobs.faults.append(ByteFault(direction, kind, int(at)))


def _second_client(station: Station, values: Values) -> None:
    if values[0] not in ("refuse", "reset", "hang"):
        raise ValueError("expected refuse|reset|hang")
    station.printer.knobs.second_client = values[0]


def _number(name: str) -> Do:
    """Return an order that sets a knob that is a number."""

    def act(station: Station, values: Values) -> None:
        old = getattr(station.printer.knobs, name)
        setattr(station.printer.knobs, name, type(old)(values[0]))

    return act


ORDERS: dict[str, Do] = {
    "state": _look,
    "cover open": _state(cover_open=True),
    "cover close": _state(cover_open=False),
    "paper end": lambda station, values: station.printer.end_paper(),
    "paper load": _load,
    "paper rows": _rows_left,
    "paper near": _near,
    "cutter jam": _state(cutter_blocked=True, cutter_error=True),
    "cutter jam-next": _state(cutter_fails_next=True),
    "cutter clear": _state(cutter_blocked=False),
    "head hot": _hot,
    "head cool": lambda station, values: station.printer.cool(),
    "fatal": _state(fatal=True),
    "drawer open": _state(drawer_open=True),
    "drawer close": _state(drawer_open=False),
    "feed press": _state(feed_pressed=True),
    "feed release": _state(feed_pressed=False),
    "mute": _mute,
    "hang-up": _hang_up,
    "hang-up-at": _hang_up_at,
    "restart": lambda station, values: station.restart(float(values[0]) if values else None),
    "power off": lambda station, values: station.power_off(),
    "power on": lambda station, values: station.power_on(),
    "byte": _byte_fault,
    "second-client": _second_client,
    "speed": _number("lines_s"),
    "latency": _number("latency_s"),
    "jitter": _number("jitter"),
    "pace": _number("pace_bytes_s"),
    "split": _number("split_bytes"),
    "noise": _number("noise"),
    "idle-close": _number("idle_close_s"),
    "reopen": _number("reopen_s"),
}
