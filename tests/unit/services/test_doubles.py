"""Suspected doubles: the same content under another key within the window, bounded memory."""

from __future__ import annotations

import pytest

from fep.services import doubles
from fep.services.doubles import Doubles


def test_another_key_within_the_window_is_named():
    seen = Doubles(600)

    assert "" == seen.seen(b"d", "A", 0)
    assert "A" == seen.seen(b"d", "B", 600_000)
    assert "" == seen.seen(b"d", "C", 1_200_001)


def test_the_same_key_and_other_content_are_no_double():
    seen = Doubles(600)
    seen.seen(b"d", "A", 0)

    assert "" == seen.seen(b"e", "B", 1)
    assert "" == seen.seen(b"d", "A", 2)


def test_old_content_is_forgotten_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doubles, "REMEMBERED_MAX", 10)
    seen = Doubles(600)
    for n in range(50):
        seen.seen(b"%d" % n, "A", n)
    assert 10 == len(seen._seen)

    seen.seen(b"new", "A", 10_000_000)

    assert 1 == len(seen._seen)
