"""[callers.his]: names that stand for nothing are told before the first receipt."""

from __future__ import annotations

from tests.unit.settings.place import Place


def test_the_codes_of_a_his_reach_the_doors(place: Place):
    place.change("points = {}", 'points = { "M0812" = "001" }')
    place.change("kinds = {}", 'kinds = { "OPD" = "outpatient" }')
    place.change('key_rule = "busNo"', 'key_rule = "before:_"')

    codes = place.load().callers[0].his.codes()

    assert ("001", "outpatient", "before:_") == (
        codes.points["M0812"], codes.kinds["OPD"], codes.key_rule,
    )  # fmt: skip


def test_names_that_stand_for_nothing_are_told_with_their_line(place: Place):
    lines = [
        place.change("points = {}", 'points = { "M0812" = "009" }'),
        place.change("kinds = {}", 'kinds = { "OPD" = "outpatent" }'),
    ]

    errors = place.errors()

    assert lines == sorted(problem.line for problem in errors)
    assert {"outpatient", "001"} == {problem.suggestion for problem in errors}


def test_a_unit_that_is_not_the_callers_is_told(place: Place):
    line = place.change('unit = ""', 'unit = "H999"')

    assert [("fep.toml", line, "callers[0].his.unit")] == place.places()


def test_a_rule_that_is_none_and_an_address_that_is_too_long_are_told(place: Place):
    place.change('key_rule = "busNo"', 'key_rule = "busno"')
    place.change('net_base = ""', f'net_base = "https://{"x" * 40}.cn"')

    assert place.places()
