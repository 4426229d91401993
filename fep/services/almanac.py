"""Calendar work: day change and the hourly self-check, by APScheduler.

Only what follows the calendar; leases, retries and time-outs are the reactor's. Jobs are
synchronous shims that step onto the reactor thread: APScheduler drops coroutines silently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apscheduler.schedulers.twisted import TwistedScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from fep.domain.calendar import CST


class Almanac:
    """The scheduler with this node's calendar."""

    def __init__(self, reactor: Any, log: Any) -> None:
        self._reactor = reactor
        self._log = log
        self._scheduler = TwistedScheduler(
            reactor=reactor,
            timezone=CST,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
        )

    def daily(self, name: str, hour: int, minute: int, work: Callable[[], object]) -> None:
        """Run `work` on the reactor thread every day at a +08:00 time."""
        self._add(name, CronTrigger(hour=hour, minute=minute, timezone=CST), work)

    def every(self, name: str, minutes: int, work: Callable[[], object]) -> None:
        """Run `work` on the reactor thread every so many minutes."""
        self._add(name, IntervalTrigger(minutes=minutes, timezone=CST), work)

    def start(self) -> None:
        """Start counting."""
        self._scheduler.start()

    @property
    def running(self) -> bool:
        """Return whether it counts."""
        return bool(self._scheduler.running)

    def stop(self) -> None:
        """Stop without waiting; calendar work is never half an effect."""
        self._scheduler.shutdown(wait=False)

    def _add(self, name: str, trigger: Any, work: Callable[[], object]) -> None:
        def shim() -> None:
            self._reactor.callFromThread(self._run, name, work)

        self._scheduler.add_job(shim, trigger, id=name, name=name)

    def _run(self, name: str, work: Callable[[], object]) -> None:
        self._log.info("calendar.run", job=name)
        work()
