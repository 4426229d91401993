"""A site directory made of the shipped templates, to be spoilt line by line."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fep.crypto import certs, keyfile
from fep.env import RealEntropy
from fep.settings import Problem, Settings, load, survey, template_dir

KEYS = ("node.key", "node.crt", "unit.key", "unit.crt", "platform.crt", "caller-his.key")


class Place:
    """One site; nothing in it is a real key, because nothing here opens one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for room in ("units", "kinds", "provinces", "devices"):
            (root / room).mkdir()
            for file in (template_dir() / room).glob("*.toml"):
                shutil.copyfile(file, root / room / file.name)
        shutil.copyfile(template_dir() / "fep.toml", root / "fep.toml")
        (root / "keys").mkdir()
        for name in KEYS:
            (root / "keys" / name).write_text("0123456789abcdef" * 4 + "\n", "ascii")
            (root / "keys" / name).chmod(0o600)

    @property
    def config(self) -> Path:
        """The site's fep.toml."""
        return self.root / "fep.toml"

    def change(self, old: str, new: str, file: str = "fep.toml") -> int:
        """Replace the first `old`; return the line on which it stood."""
        path = self.root / file
        text = path.read_text("utf-8")
        assert old in text, old
        path.write_text(text.replace(old, new, 1), "utf-8")
        return text[: text.index(old)].count("\n") + 1

    def add(self, text: str, file: str = "fep.toml") -> int:
        """Append text; return the line on which it starts."""
        path = self.root / file
        before = path.read_text("utf-8")
        path.write_text(before + text, "utf-8")
        return before.count("\n") + 1

    def load(self) -> Settings:
        """Load it as the daemon does."""
        return load(self.config, {})

    def errors(self) -> list[Problem]:
        """Return what forbids a start."""
        return survey(self.config, {}).errors

    def warnings(self) -> list[Problem]:
        """Return what is weak."""
        return survey(self.config, {}).warnings

    def told(self, problem: Problem) -> tuple[str, int, str]:
        """Return file, line and key of a problem, the file as seen from the site."""
        return str(Path(problem.file).relative_to(self.root)), problem.line, problem.key

    def places(self) -> list[tuple[str, int, str]]:
        """Return file, line and key of every error."""
        return [self.told(problem) for problem in self.errors()]


def certificate(path: Path, name: str = "province") -> Path:
    """Write a self-signed certificate."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    key = keyfile.generate(RealEntropy())
    path.write_bytes(certs.self_signed(key, name, 7, now, now + timedelta(days=400)))
    return path


def tree(path: Path) -> dict[str, bytes]:
    """Return every file below a directory."""
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in sorted(path.rglob("*")) if file.is_file()
    }  # fmt: skip
