"""The pytest plug-in `fep-device-kit`: promises, exemptions with a reason, and a report.

Rules: an exemption of a test that does not exist, or without a reason, stops the run; a class
that names no driver is not run. Imports nothing heavy: every pytest on this machine loads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

MARKER = "fep_device: a promise of the device kit (fep.testing)"
_KITS = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the report, and the long form of the kit."""
    group = parser.getgroup("fep")
    group.addoption(
        "--fep-kit-report", metavar="FILE", default="",
        help="write what each driver keeps, fails and is exempt from as JSON",
    )  # fmt: skip
    group.addoption(
        "--fep-kit-every-byte", action="store_true",
        help="cut links at every byte, also where a kit says that it strides",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known and the kit's asserts speak."""
    config.addinivalue_line("markers", MARKER)
    config.stash[_KITS] = {}
    for module in ("printer_case", "printer_life", "printers", "terminals"):
        pytest.register_assert_rewrite(f"fep.testing.{module}")


@pytest.fixture
def device_reactor() -> Any:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    return reactor


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what a driver is exempt from. Raises UsageError for a bad exemption."""
    every_byte = config.getoption("--fep-kit-every-byte", default=False)
    for item in items:
        kit = getattr(item, "cls", None)
        exempt: Mapping[str, str] | None = getattr(kit, "exempt", None)
        if kit is None or exempt is None or not hasattr(kit, "promises"):
            continue
        if not kit.driver:
            raise pytest.UsageError(f"{kit.__name__} names no driver")
        if every_byte:
            kit.stride = 1
        known = {promise.test for promise in kit.promises()}
        for name, reason in exempt.items():
            if name not in known or not reason.strip():
                raise pytest.UsageError(f"{kit.__name__}: exempt from {name!r}: {reason!r}")
        name = getattr(item, "originalname", item.name)
        if name in known:
            item.add_marker("fep_device")
        if name in exempt:
            item.add_marker(pytest.mark.skip(reason=f"exempt: {exempt[name]}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[None]:
    """Note what became of a promise."""
    outcome: Any = yield
    report = outcome.get_result()
    kit = getattr(item, "cls", None)
    if item.get_closest_marker("fep_device") is None or kit is None:
        return
    if report.when == "call" or report.outcome != "passed":
        found = item.config.stash[_KITS].setdefault(kit.__name__, {"driver": kit.driver})
        words = {"passed": "done", "skipped": "exempt"}
        found[getattr(item, "originalname", item.name)] = words.get(report.outcome, "failed")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report where one is wanted."""
    where = session.config.getoption("--fep-kit-report", default="")
    if where:
        text = json.dumps(session.config.stash[_KITS], indent=1, sort_keys=True)
        Path(where).write_text(text + "\n", "utf-8")
