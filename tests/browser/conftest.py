"""A real daemon with the web door open, and a real browser; without Chromium it is said so."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.control import call, params
from tests.harness.processes import Fleet, free_ports, listens, wait_until
from tests.harness.town import Town, set_keys

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip
PAGE_S = 90
PUBLIC = "https://p.example.org"
TEST_UNIT = "T001"


@dataclass
class Browser:
    """Headless Chromium; a fresh profile for every page."""

    program: str
    place: Path

    def _run(self, *words: str) -> str:
        profile = self.place / "profile"
        shutil.rmtree(profile, ignore_errors=True)
        command = [self.program, *FLAGS, f"--user-data-dir={profile}", *words]
        ran = subprocess.run(command, capture_output=True, timeout=PAGE_S, check=False)
        assert ran.returncode == 0, ran.stderr.decode("utf-8", "replace")[-2000:]
        self.said = ran.stderr.decode("utf-8", "replace")
        return ran.stdout.decode()

    def dom(self, url: str) -> str:
        """Return the document as the browser built it."""
        return self._run("--enable-logging=stderr", "--dump-dom", url)

    def picture(self, url: str, name: str, width: int, height: int) -> Path:
        """Return a picture of the page."""
        path = self.place / f"{name}.png"
        self._run(f"--window-size={width},{height}", f"--screenshot={path}", url)
        return path


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Chromium, or a skip that says what to install."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium, then run tests/browser again")
    return Browser(found, tmp_path_factory.mktemp("browser"))


@dataclass
class Hospital:
    """A town whose daemon shows pages; `base` is where the browser reaches it."""

    town: Town
    base: str

    def issue(self, unit: str, key: str, **changes: object) -> dict[str, object]:
        """Issue over the control socket; return what the caller is told."""
        told = call(self.town.place / "data" / "control.sock", "receipt.issue",
                    params(unit, key, **changes))  # fmt: skip
        receipt = told["receipt"]
        assert isinstance(receipt, dict)
        return receipt

    def reached(self, url: object) -> str:
        """Return where a public address is reached here."""
        assert re.fullmatch(rf"{PUBLIC}/r/[0-9A-Za-z]{{16}}", str(url)), url
        return str(url).replace(PUBLIC, self.base)


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Hospital]:
    """One unit and one test unit, with numbers, behind a running daemon; no platform."""
    del browser  # without one nothing need be started
    place = tmp_path_factory.mktemp("town")
    with Fleet(place / "world" / "logs") as fleet:
        town = Town(place, fleet)
        town.found()
        (port,) = free_ports(1)
        set_keys(town.config, "web", {
            "listen": f'["tcp:{port}:interface=127.0.0.1"]', "public_url": f'"{PUBLIC}"',
        })  # fmt: skip
        _add_test_unit(place)
        daemon = town.start_daemon()
        wait_until(lambda: listens(port), "the web door", timeout_s=30, children=[daemon])
        for unit, first in ((town.unit, 1), (TEST_UNIT, 9_999_900_001)):
            town.fepctl(
                "numbers", "import", "--unit", unit, "--code", town.code, "--first",
                f"{first:010d}", "--last", f"{first + 99:010d}", "--approval", "A1",
                "--reason", "browser test",
            )  # fmt: skip
        yield Hospital(town, f"http://127.0.0.1:{port}")


def _add_test_unit(place: Path) -> None:
    (real,) = (place / "units").glob("*.toml")
    text = real.read_text("utf-8").replace('code = "H001"', f'code = "{TEST_UNIT}"', 1)
    text = text.replace("test = false", "test = true", 1)
    (place / "units" / "test-unit.toml").write_text(text, "utf-8")
