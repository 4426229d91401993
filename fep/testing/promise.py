"""What a kit's test promises, and which drivers are excused from it, with the reason.

A promise is a test of a kit; its words stand in the table of driver quality. A driver class
excuses itself by `exempt = {"test_name": "reason"}`; the plug-in skips it with that reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import pytest_twisted

from fep.testing.cable import Cable
from fep.testing.cable_pty import PtyCable
from fep.testing.cable_tcp import TcpCable

Test = TypeVar("Test", bound=Callable[..., Awaitable[None]])


@dataclass(frozen=True, slots=True)
class Promise:
    """One test of a kit. `part` is A to F of the kit's sections."""

    test: str
    part: str
    zh: str
    en: str


def promise(part: str, zh: str) -> Callable[[Test], Test]:
    """Make an async test method a promise of its kit; its docstring says it in English."""

    def made(test: Test) -> Test:
        run = pytest_twisted.ensureDeferred(test)
        said = (test.__doc__ or "").strip().rstrip(".")
        run.__promise__ = Promise(test.__name__, part, zh, said[:1].lower() + said[1:])
        return cast(Test, run)

    return made


class Kit:
    """What every kit tells of the driver it runs over."""

    driver: ClassVar[str] = ""
    """The driver's name, as in a device file."""

    way: ClassVar[str] = "tcp"
    """How it is reached here: `tcp` or `pty`."""

    over: ClassVar[str] = ""
    """What the table of quality says of the way, where the cable alone does not tell it."""

    tried_on: ClassVar[str] = ""
    """What stands at the other end, for the table of quality."""

    hardware: ClassVar[tuple[str, ...]] = ()
    """Real devices on which a person has run it; empty means untested on hardware."""

    stride: ClassVar[int] = 1
    """Every how many-th byte is cut at; more than 1 only where each cut takes long."""

    exempt: ClassVar[Mapping[str, str]] = {}
    """Promises that do not apply, each with the reason."""

    def make_cable(self, reactor: Any, port: int, place: Path) -> Cable:
        """Return the cable to the simulator at a port; one's own for a device that dials."""
        if self.way == "pty":
            return PtyCable(reactor, port, place / "tty")
        return TcpCable(reactor, port)

    @classmethod
    def promises(cls) -> tuple[Promise, ...]:
        """Return the promises of this kit, in their order."""
        found: dict[str, Promise] = {}
        for kind in reversed(cls.__mro__):
            for value in vars(kind).values():
                told: Any = getattr(value, "__promise__", None)
                if isinstance(told, Promise):
                    found[told.test] = told
        return tuple(found.values())
