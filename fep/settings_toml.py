"""TOML texts and what is wrong in them: which line holds which key, told in two languages.

Owns Problem, and the walk that finds the line of a key. Rules: the walk only reads texts that
tomllib has accepted; a problem names file, line and key, and never holds a secret's value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Trail = tuple[str | int, ...]
"""Where a value is: keys of tables and places in arrays, from the top."""

FILE_MAX_BYTES = 1024 * 1024
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_BARE_END = re.compile(r"[,\]}#\n]")
# Some Chinese words in GBK read as letters of other alphabets in UTF-8 (医院: two of them).
_GBK_AS_UTF8 = re.compile(r"[\u0080-\u07ff]{2}")
_CHINESE = re.compile(r"[\u3000-\u9fff]")
_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right. `suggestion` is what to write or run, the same in any language.

    `line` is 0 where no line is to blame. `weak`: it works, but not as well as it should.
    """

    file: str
    line: int
    key: str
    zh: str
    en: str
    suggestion: str = ""
    weak: bool = False

    def __str__(self) -> str:
        hint = f" [{self.suggestion}]" if self.suggestion else ""
        return f"{self.file}:{self.line}: {self.key}: {self.en}{hint}"


class SettingsError(Exception):
    """The configuration cannot be used; `problems` says everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


def dotted(trail: Trail) -> str:
    """Return a place as a person writes it: callers[0].auth."""
    text = ""
    for step in trail:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


@dataclass(slots=True)
class Source:
    """One file: its values, the lines of its keys, and where its problems go."""

    path: Path
    problems: list[Problem]
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[Trail, int] = field(default_factory=dict)

    def line(self, trail: Trail) -> int:
        """Return the line of a place, or of the nearest table around it; 0 for none."""
        for size in range(len(trail), 0, -1):
            if trail[:size] in self.lines:
                return self.lines[trail[:size]]
        return 0

    def wrong(self, trail: Trail, zh: str, en: str, suggestion: str = "", *,
              weak: bool = False) -> None:  # fmt: skip
        """Note a problem of the value at `trail`."""
        self.problems.append(
            Problem(str(self.path), self.line(trail), dotted(trail), zh, en, suggestion, weak)
        )


def read_toml(path: Path, problems: list[Problem]) -> Source | None:
    """Read a file; None when it cannot be read or is no TOML, and `problems` says why."""
    source = Source(path, problems)
    try:
        size = path.stat().st_size
        raw = path.read_bytes() if size <= FILE_MAX_BYTES else b""
    except FileNotFoundError:
        source.wrong((), "文件不存在", "the file does not exist", "fepctl init DIR")
        return None
    except OSError as error:
        source.wrong((), f"无法读取：{error.strerror}", f"cannot be read: {error.strerror}")
        return None
    if size > FILE_MAX_BYTES:
        source.wrong((), f"文件超过 {FILE_MAX_BYTES} 字节", f"larger than {FILE_MAX_BYTES} bytes")
        return None
    try:
        # Notepad writes a byte order mark; it is no error of the technician's.
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        problems.append(_not_utf8(path, raw[: error.start].count(b"\n") + 1))
        return None
    if (found := _GBK_AS_UTF8.search(text)) and not _CHINESE.search(text):
        problems.append(_not_utf8(path, text[: found.start()].count("\n") + 1))
        return None
    try:
        source.values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(_syntax(path, text, str(error)))
        return None
    source.lines = lines_of(text)
    return source


def _not_utf8(path: Path, line: int) -> Problem:
    return Problem(
        str(path), line, "", "文件不是 UTF-8 编码", "the file is not UTF-8",
        f"iconv -f GB18030 -t UTF-8 {path.name}",
    )  # fmt: skip


def _syntax(path: Path, text: str, said: str) -> Problem:
    found = _AT_LINE.search(said)
    line = int(found.group(1)) if found else text.count("\n") + 1
    why = _AT_LINE.sub("", said).replace("(at end of document)", "").strip()
    return Problem(str(path), line, "", f"TOML 语法错误：{why}", f"TOML syntax: {why}")


def lines_of(text: str) -> dict[Trail, int]:
    """Return the line (from 1) of every key, table and array element of a valid TOML text."""
    walk = _Walk(text)
    walk.document()
    return walk.lines


class _Walk:
    """Steps over a valid document; it knows where values end, not what they mean."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Trail, int] = {}
        self._counts: dict[Trail, int] = {}
        self._line = 1
        self._counted = 0

    def document(self) -> None:
        table: Trail = ()
        while self._blank():
            if self._next("[["):
                table = self._table(self._names("]]"), array=True)
            elif self._next("["):
                table = self._table(self._names("]"), array=False)
            else:
                self._pair(table)

    def _table(self, names: tuple[str, ...], *, array: bool) -> Trail:
        trail: Trail = ()
        for name in names[:-1]:
            trail = self._inside((*trail, name))
        trail = (*trail, names[-1])
        self._note(trail)
        if array:
            self._counts[trail] = self._counts.get(trail, -1) + 1
            trail = self._inside(trail)
            self._note(trail)
        return trail

    def _inside(self, trail: Trail) -> Trail:
        """Return the newest element where `trail` is an array of tables."""
        return (*trail, self._counts[trail]) if trail in self._counts else trail

    def _pair(self, table: Trail) -> None:
        begun = self.at
        trail = (*table, *self._names("="))
        for size in range(len(table) + 1, len(trail) + 1):
            self._note(trail[:size], begun)
        self._value(trail)

    def _names(self, end: str) -> tuple[str, ...]:
        names: list[str] = []
        while True:
            self._blank()
            if self._next(end):
                return tuple(names)
            if self._next("."):
                continue
            names.append(self._name())

    def _name(self) -> str:
        begun = self.at
        if self.text[begun] in "\"'":
            self._string()
            word = self.text[begun : self.at]
            return str(tomllib.loads(f"name = {word}")["name"])
        found = _KEY.match(self.text, begun)
        assert found is not None, "tomllib has accepted the text"
        self.at = found.end()
        return found.group()

    def _value(self, trail: Trail) -> None:
        self._blank()
        char = self.text[self.at]
        if char in "\"'":
            self._string()
        elif char == "[":
            self._array(trail)
        elif char == "{":
            self.at += 1
            while self._blank() and not self._next("}"):
                if not self._next(","):
                    self._pair(trail)
        else:
            found = _BARE_END.search(self.text, self.at)
            self.at = found.start() if found else len(self.text)

    def _array(self, trail: Trail) -> None:
        self.at += 1
        place = 0
        while self._blank() and not self._next("]"):
            if self._next(","):
                continue
            self._note((*trail, place))
            self._value((*trail, place))
            place += 1

    def _string(self) -> None:
        quote = self.text[self.at]
        end = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(end)
        while not self._next(end):
            self.at += 2 if self.text[self.at] == "\\" and quote == '"' else 1
        # A long string may end in one or two quotes of its own.
        while len(end) == 3 and self._next(quote):
            continue

    def _next(self, word: str) -> bool:
        if not self.text.startswith(word, self.at):
            return False
        self.at += len(word)
        return True

    def _blank(self) -> bool:
        """Step over white space and comments; False at the end of the text."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char in " \t\n":
                self.at += 1
            else:
                return True
        return False

    def _note(self, trail: Trail, at: int | None = None) -> None:
        at = self.at if at is None else at
        # Places only grow, so counting line ends goes over the text once.
        if at >= self._counted:
            self._line += self.text.count("\n", self._counted, at)
            self._counted = at
        self.lines.setdefault(trail, self._line)
