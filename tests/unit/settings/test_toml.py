"""Lines of keys: every key of a valid text is found, on the line where it stands."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fep.settings import template_dir
from fep.settings_toml import Problem, Trail, dotted, lines_of, read_toml

TEXT = """\
top = 1
a.b.c = [1, # one
  "two]", 'thr"ee',
  {x = 1, "y z" = "}"}]
[[t]]
k = \"\"\"
[no.table]
x = 1
\"\"\"\"
[[t]]
k = '''it's'''
[t.sub]
z = 1979-05-27 07:32:00
"q.x" = "a\\"b"
[d.'e']
f = { g = [] , h = {i = -1e3} }
"""
WANTED: dict[Trail, int] = {
    ("top",): 1, ("a", "b", "c"): 2, ("a", "b", "c", 0): 2, ("a", "b", "c", 1): 3,
    ("a", "b", "c", 2): 3, ("a", "b", "c", 3): 4, ("a", "b", "c", 3, "y z"): 4,
    ("t", 0, "k"): 6, ("t", 1, "k"): 11, ("t", 1, "sub", "z"): 13, ("t", 1, "sub", "q.x"): 14,
    ("d", "e"): 15, ("d", "e", "f", "g"): 16, ("d", "e", "f", "h", "i"): 16,
}  # fmt: skip


def trails(value: Any, trail: Trail = ()) -> Iterator[Trail]:
    """Yield the place of every member and element."""
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    for step, inner in steps:
        yield (*trail, step)
        if isinstance(inner, dict | list):
            yield from trails(inner, (*trail, step))


def test_each_key_is_found_on_its_line():
    found = lines_of(TEXT)

    assert WANTED == {trail: found[trail] for trail in WANTED}


@pytest.mark.parametrize("path", sorted(template_dir().rglob("*.toml")), ids=lambda path: path.name)
def test_every_key_of_the_shipped_files_is_found_where_it_is_written(path: Path):
    text = path.read_text("utf-8")
    lines = text.split("\n")

    found = lines_of(text)

    for trail in trails(tomllib.loads(text)):
        if isinstance(trail[-1], str):
            assert trail[-1] in lines[found[trail] - 1], trail


SCALARS = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from(['"x"', '"a # ] } b"', "'y\"'", '"""m\n]\n"""', "'''n\n[x]'''", "true", "1.5"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3).map(lambda rows: f"[\n {', '.join(rows)} # ]\n]"),
    max_leaves=6,
)


@given(st.lists(VALUES, min_size=1, max_size=8), st.lists(st.booleans(), min_size=8, max_size=8))
def test_lines_hold_for_any_values_between_the_keys(values: list[str], arrays: list[bool]):
    text, wanted, count = "", {}, 0
    for place, value in enumerate(values):
        trail: Trail = (f"t{place}",)
        if arrays[place]:
            trail, count = ("rows", count), count + 1
        text += "\n[[rows]]\n" if arrays[place] else f"\n[t{place}]\n"
        wanted[(*trail, "key")] = text.count("\n") + 1
        text += f"key = {value} # [key]\n"

    found = lines_of(text)

    assert wanted == {trail: found[trail] for trail in wanted}
    assert set(trails(tomllib.loads(text))) <= set(found) | {("rows",)}


def problem_of(path: Path) -> Problem:
    """Return the one problem of a file that cannot be read."""
    problems: list[Problem] = []
    assert read_toml(path, problems) is None
    (problem,) = problems
    return problem


def test_a_syntax_error_names_its_line(tmp_path: Path):
    (tmp_path / "f.toml").write_text('a = 1\nb = "x\nc = 2\n', "utf-8")

    assert 2 == problem_of(tmp_path / "f.toml").line


def test_an_unfinished_text_names_its_last_line(tmp_path: Path):
    (tmp_path / "f.toml").write_text("a = 1\nb = [1,\n", "utf-8")

    assert 3 == problem_of(tmp_path / "f.toml").line


# 医院 in GBK happens to be UTF-8 for two letters of other alphabets.
@pytest.mark.parametrize("name", ["示范医院", "医院"])
def test_a_file_saved_as_gbk_is_told_to_be_converted(tmp_path: Path, name: str):
    (tmp_path / "f.toml").write_bytes(b"a = 1\n" + f"b = '{name}'".encode("gb18030"))

    found = problem_of(tmp_path / "f.toml")

    assert (2, "iconv -f GB18030 -t UTF-8 f.toml") == (found.line, found.suggestion)


def test_a_byte_order_mark_and_windows_line_ends_are_taken(tmp_path: Path):
    (tmp_path / "f.toml").write_bytes(b"\xef\xbb\xbfa = 1\r\n\r\nb = 2\r\n")

    source = read_toml(tmp_path / "f.toml", [])

    assert source is not None
    assert ({"a": 1, "b": 2}, 3) == (source.values, source.line(("b",)))


def test_a_huge_file_is_not_read(tmp_path: Path):
    (tmp_path / "f.toml").write_bytes(b"#" * 2_000_000)

    assert "1048576" in problem_of(tmp_path / "f.toml").en


def test_a_place_is_written_as_people_write_it():
    assert "callers[0].auth" == dotted(("callers", 0, "auth"))
