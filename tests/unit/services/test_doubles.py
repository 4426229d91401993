"""Suspected doubles: the same content under another key within the window, bounded memory."""

from __future__ import annotations

import pytest

from fep.services import doubles
from fep.services.doubles import Doubles


def test_another_key_within_the_window_is_named():
    seen = Doubles(600)

    assert "" == seen.seen("U", b"d", "A", 0)
    assert "A" == seen.seen("U", b"d", "B", 600_000)
    assert "" == seen.seen("U", b"d", "C", 1_200_001)


def test_the_same_key_and_other_content_are_no_double():
    seen = Doubles(600)
    seen.seen("U", b"d", "A", 0)

    assert "" == seen.seen("U", b"e", "B", 1)
    assert "" == seen.seen("U", b"d", "A", 2)


def test_equal_content_in_two_units_is_no_double():
    seen = Doubles(600)
    seen.seen("U", b"d", "A", 0)

    assert "" == seen.seen("V", b"d", "B", 1)


def test_old_content_is_forgotten_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doubles, "REMEMBERED_MAX", 10)
    seen = Doubles(600)
    for n in range(50):
        seen.seen("U", b"%d" % n, "A", n)
    assert 10 == len(seen._seen)

    seen.seen("U", b"new", "A", 10_000_000)

    assert 1 == len(seen._seen)
