"""What is wrong with a key or a value is told with file, line, both languages and a way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fep.settings import SettingsError, load, survey
from tests.unit.settings.place import Place


def test_the_shipped_configuration_has_no_error(place: Place):
    assert [] == place.errors()


def test_an_unknown_key_names_the_nearest_known_one(place: Place):
    line = place.change("deadline_s = 3.0", "deadine_s = 3.0")

    (found,) = place.errors()

    assert ("fep.toml", line, "api.deadine_s") == place.told(found)
    assert "deadline_s" == found.suggestion
    assert "deadline_s" in found.zh
    assert "deadline_s" in found.en


def test_an_unknown_section_and_an_unknown_caller_key_are_told_with_their_lines(place: Place):
    section = place.add("[apl]\nx = 1\n")
    caller = place.change('encoding = "utf-8"', 'encodin = "utf-8"')

    assert [
        ("fep.toml", section, "apl"), ("fep.toml", caller, "callers[0].encodin"),
    ] == place.places()  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "key", "zh", "en"),
    [
        ("max_connections = 256", 'max_connections = "256"', "api.max_connections",
         "应为整数，实为文本（加引号）", "must be an integer, not text in quotes"),
        ("max_connections = 256", "max_connections = 0", "api.max_connections",
         "应 >= 1", "must be >= 1"),
        ("max_connections = 256", "max_connections = true", "api.max_connections",
         "应为整数，实为true 或 false", "must be an integer, not true or false"),
        ("deadline_s = 3.0", "deadline_s = 0", "api.deadline_s", "应 > 0.0", "must be > 0.0"),
        ("deadline_s = 3.0", "deadline_s = [3]", "api.deadline_s",
         "应为数字，实为数组 […]", "must be a number, not an array […]"),
        ('data = "data"', "data = 7", "node.data",
         "应为文本（加引号），实为表", "must be text in quotes, not a table"),
        ('id = "node-0001"', 'id = "前置机"', "node.id",
         "格式应符合 '^[A-Za-z0-9-]{1,16}$'", "must match '^[A-Za-z0-9-]{1,16}$'"),
        ('level = "info"', 'level = "inof"', "log.level",
         "“inof”不在允许的值中：debug | info | warning | error",
         '"inof" is none of: debug | info | warning | error'),
        ('units = ["*"]', "units = []", "callers[0].units",
         "项数应 >= 1", "must have >= 1 entries"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_in_both_languages(place: Place, old: str, new: str, key: str,
                                                 zh: str, en: str):  # fmt: skip
    line = place.change(old, new)

    (found,) = place.errors()

    assert ("fep.toml", line, key) == place.told(found)
    assert (zh, en) == (found.zh, found.en)


def test_a_wrong_element_of_a_list_has_its_own_line_and_a_suggestion(place: Place):
    line = place.change('["issue", "reverse", "print", "query"]', '[\n "issue",\n "prnt"]')

    (found,) = place.errors()

    assert ("fep.toml", line + 2, "callers[0].rights[1]") == place.told(found)
    assert "print" == found.suggestion


def test_a_section_that_is_no_table_is_told(place: Place):
    place.config.write_text('api = 7\ncallers = [1]\n[node]\nid = "n"\n', "utf-8")

    keys = [problem.key for problem in place.errors()]

    assert ["api", "callers[0]"] == keys


def test_a_missing_key_is_told_at_its_section(place: Place):
    line = place.add('[[callers]]\nappid = "lis"\n')

    (found,) = place.errors()

    assert ("fep.toml", line, "callers[1].key_file") == place.told(found)
    assert "key_file = …" == found.suggestion


def test_an_amount_that_is_none_is_told(place: Place):
    line = place.change('amount_max = ""', 'amount_max = "1e5"')

    (found,) = place.errors()

    assert ("fep.toml", "offline") == (place.told(found)[0], found.key)
    assert "1e5" in found.en
    assert 0 < found.line < line


def test_all_problems_of_all_files_are_told_at_once(place: Place):
    wanted = [
        ("fep.toml", place.change('format = "json"', 'format = "xml"'), "log.format"),
        ("fep.toml", place.change("max_details = 20000", "max_details = -1"), "api.max_details"),
        ("units/demo-hospital.toml",
         place.change('area = "420900"', 'area = "42"', "units/demo-hospital.toml"), "area"),
        ("kinds/outpatient.toml",
         place.change("item_limit = 12", "item_limt = 12", "kinds/outpatient.toml"), "item_limt"),
        ("provinces/hubei.toml",
         place.change('tag = "CZ-EI-42"', 'tag = "42"', "provinces/hubei.toml"), "tag"),
        ("devices/window-1.toml",
         place.change("port = 9100", "port = 99100", "devices/window-1.toml"), "transport.port"),
    ]  # fmt: skip

    assert sorted(wanted) == sorted(place.places())


def test_a_file_that_cannot_be_read_gives_no_follow_up_errors(place: Place):
    """The unit file names no kind any more: nobody is blamed for naming the unit."""
    place.change('units = ["*"]', 'units = ["H001"]')
    (place.root / "units" / "demo-hospital.toml").write_text("code = \n", "utf-8")

    assert [("units/demo-hospital.toml", 1, "")] == place.places()


def test_load_raises_with_every_error(place: Place):
    place.change('format = "json"', 'format = "xml"')
    place.change("max_details = 20000", "max_details = -1")

    with pytest.raises(SettingsError) as raised:
        place.load()

    assert 2 == len(raised.value.problems)
    assert "max_details" in str(raised.value)


def test_a_missing_configuration_says_how_to_make_one(tmp_path: Path):
    (found,) = survey(tmp_path / "fep.toml", {}).errors

    assert "fepctl init DIR" == found.suggestion


def test_every_sentence_is_in_its_language(place: Place):
    place.change('format = "json"', 'format = "xml"')
    place.change('kinds = ["outpatient"', 'kinds = ["outpatients"', "units/demo-hospital.toml")
    (place.root / "keys" / "node.key").unlink()

    for problem in place.errors():
        assert re.search(r"[\u4e00-\u9fff]", problem.zh), problem
        assert not re.search(r"[\u4e00-\u9fff]", problem.en), problem


def test_a_directory_stands_for_the_configuration_in_it(place: Place):
    assert place.root.resolve() == load(place.root, {}).root


def test_a_bridge_is_registered_by_uncommenting_its_lines(place: Place):
    """A second [bridge], or pcs = [] above the first PC, would be a syntax error."""
    text = place.config.read_text("utf-8")
    start = text.index("# [[bridge.pcs]]")
    lines, rest = text[start:].split("\n\n", 1)
    shown = "\n".join(line.removeprefix("# ") for line in lines.splitlines())
    place.config.write_text(f"{text[:start]}{shown}\n\n{rest}", "utf-8")
    key = place.root / "keys" / "bridge-cashier-1.key"
    key.write_text("0123456789abcdef" * 4 + "\n", "ascii")
    key.chmod(0o600)

    assert [] == place.errors()
    assert ["cashier-1"] == [pc.id for pc in load(place.config).bridge.pcs]
