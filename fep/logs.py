"""Structured logs, masked first: no patient data and no key ever reaches a line (I15).

`configure` once at start; `get(name)` anywhere. Twisted's own log events are forwarded.
Values are JSON-escaped, so nothing a caller sends can forge a line.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Protocol, TextIO

import structlog

SECRET_NAMES = frozenset({
    "key", "mac", "token", "passphrase", "password", "secret", "payer", "payer_name", "name",
    "id_no", "id_card", "card_no", "tel", "phone", "email", "address", "account", "params",
})  # fmt: skip
# 18-digit identity numbers, 11-digit mobile numbers, long hexadecimal keys.
_NET = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)|(?<!\d)1[3-9]\d{9}(?!\d)|\b[0-9a-fA-F]{48,}\b")


class Wanted(Protocol):
    """The [log] section."""

    @property
    def level(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def file(self) -> str: ...


_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def mask(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what a name calls secret and what looks like one in any text."""
    for name, value in event.items():
        if name in SECRET_NAMES:
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = _NET.sub("***", value)
    return event


def configure(settings: Wanted) -> None:
    """Set structlog up as [log] says; `file` "-" is standard error."""
    level, form, file = settings.level, settings.format, settings.file
    stream: TextIO = sys.stderr
    if file != "-":
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        stream = open(file, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - lives as long as we
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if form == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            mask,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=stream)


def get(name: str) -> Any:
    """Return the logger of a part."""
    return structlog.get_logger(part=name)


def forward_twisted() -> None:
    """Send Twisted's warnings and failures through structlog, once a process."""
    from twisted.logger import ILogObserver, LogLevel, formatEvent, globalLogBeginner
    from zope.interface import provider

    log = get("twisted")

    @provider(ILogObserver)  # type: ignore[untyped-decorator]  # zope has no types
    def observe(event: Any) -> None:
        level = event.get("log_level", LogLevel.info)
        if level < LogLevel.warn:
            return
        failure = event.get("log_failure")
        trace = failure.getTraceback()[-3000:] if failure is not None else ""
        log.error("twisted", text=formatEvent(event)[:500], failure=trace)

    globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False, discardBuffer=True)
