"""Logs: structlog, one line an event, masked before it is written.

Owns the chain from a log call to the bytes of a line; Twisted's and the standard library's
messages come the same way. Rules: masking is the last step before rendering, so nothing is
added behind it; a log that cannot be written stops nobody; nothing happens on import.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from fep.domain.calendar import CST
from fep.env import RealClock
from fep.logs_mask import clean, masked, net
from fep.ports import Clock
from fep.settings_types import LogSettings

TRACE_MAX = 12_000
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_FIRST = ("time", "level", "part", "event")
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_begun: list[str] = []

Write = Callable[[bytes], object]


def configure(settings: LogSettings, *, clock: Clock | None = None, write: Write | None = None,
              twisted: bool = True) -> None:  # fmt: skip
    """Set the chain up for this process; a later call replaces it.

    `write` takes whole lines (default: where the settings say). Raises OSError when the log
    file cannot be opened.
    """
    put = write if write is not None else _door(settings.file)
    colour = settings.file == "-" and write is None and sys.stderr.isatty()
    render = _console(colour) if settings.format == "console" else _json
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _stamp(clock if clock is not None else RealClock()),
            _trace,
            _mask,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[settings.level]),
        logger_factory=lambda *_: _Lines(put),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _FromLibraries)]:
        root.removeHandler(old)
    root.addHandler(_FromLibraries(logging.WARNING))
    if twisted and not _begun:
        from twisted.logger import globalLogBeginner

        _begun.append("twisted")
        observer: Any = from_twisted  # a plain function provides ILogObserver by being called
        globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)


def get(name: str, **values: Any) -> FilteringBoundLogger:
    """Return the log of a part of the daemon; `values` stand in each of its lines."""
    return cast(FilteringBoundLogger, structlog.get_logger(part=name, **values))


class _Lines:
    """Where rendered lines go; every level is the same method."""

    def __init__(self, put: Write) -> None:
        self._put = put

    def msg(self, line: bytes) -> None:
        try:
            self._put(line)
        except (OSError, ValueError):
            return  # a full disk or a closed terminal must not stop a cashier

    debug = info = warning = error = critical = log = msg


def _door(file: str) -> Write:
    if file == "-":
        return lambda line: os.write(2, line)
    # One write(2) a line on an O_APPEND file: lines of two processes never mix, and a
    # rotation by copytruncate loses nothing.
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    return lambda line: os.write(fd, line)


def _stamp(clock: Clock) -> Callable[[WrappedLogger, str, EventDict], EventDict]:
    def stamp(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["time"] = clock.wall().astimezone(CST).isoformat(timespec="milliseconds")
        event["level"] = method
        return event

    return stamp


def _trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Turn exc_info into text, so that masking sees it."""
    told = event.pop("exc_info", None)
    if told is True:
        told = sys.exc_info()[1]
    if isinstance(told, tuple):
        told = told[1]
    if isinstance(told, BaseException):
        frames: TracebackType | None = told.__traceback__
        event["trace"] = "".join(traceback.format_exception(type(told), told, frames))
    return event


def _mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    trace = event.pop("trace", None)
    event = cast(EventDict, masked(event))
    if isinstance(trace, str):
        event["trace"] = clean(net(trace), TRACE_MAX, keep="\n")
    return event


def _json(_logger: WrappedLogger, _method: str, event: MutableMapping[str, Any]) -> bytes:
    ordered = {name: event.pop(name) for name in _FIRST if name in event}
    return msgspec.json.encode(ordered | dict(event)) + b"\n"


def _console(colour: bool) -> Callable[[WrappedLogger, str, EventDict], bytes]:
    def render(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
        time, level = str(event.pop("time", "")), str(event.pop("level", ""))
        part, said = str(event.pop("part", "")), str(event.pop("event", ""))
        trace = str(event.pop("trace", ""))
        members = " ".join(f"{name}={_shown(value)}" for name, value in event.items())
        line = f"{time[11:23]} {level:<8} {part:<8} {said} {members}".rstrip()
        if colour and level in _COLOURS:
            line = f"{_COLOURS[level]}{line}\x1b[0m"
        # A line of a traceback can never be taken for an event: it begins with a bar.
        lines = [line, *(f"    | {row}" for row in trace.splitlines())]
        return "\n".join(lines).encode("utf-8", "replace") + b"\n"

    return render


def _shown(value: Any) -> str:
    if isinstance(value, str) and value and " " not in value and "=" not in value:
        return value
    return msgspec.json.encode(value).decode()


class _FromLibraries(logging.Handler):
    """The standard library's log (APScheduler, SQLAlchemy): warnings and worse."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a record on."""
        told = record.exc_info[1] if record.exc_info else None
        level = min(max(record.levelno, LEVELS["warning"]), LEVELS["critical"])
        get(record.name.split(".")[0]).log(level, record.getMessage(), exc_info=told)


def from_twisted(event: dict[str, Any]) -> None:
    """Pass an event of twisted.logger on; its small talk is for debugging."""
    from twisted.logger import formatEvent

    level = getattr(event.get("log_level"), "name", "info")
    level = {"warn": "warning", "info": "debug"}.get(level, level)
    failure = event.get("log_failure")
    members = {"trace": failure.getTraceback()} if failure is not None else {}
    said = formatEvent(event) or (failure.getErrorMessage() if failure is not None else "")
    get("twisted").log(LEVELS.get(level, 20), said, **members)
