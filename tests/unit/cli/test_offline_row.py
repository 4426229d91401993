"""The offline budget as `fepctl status` tells it."""

from __future__ import annotations

from fep.cli.ctl_status import _offline

TOLD = {"percent": 3, "warning": 0, "hours": 10.0, "hours_max": 336, "count": 1,
        "count_max": None, "amount": "1.00", "amount_max": None}  # fmt: skip


def test_the_limit_of_a_single_receipt_is_told_where_there_is_one():
    ((_, limited),) = _offline({**TOLD, "single_max": "500.00"})
    ((_, free),) = _offline({**TOLD, "single_max": None})

    assert "500.00" in limited
    assert limited.startswith(free)
    assert len(limited) > len(free)


def test_a_stopped_site_has_no_budget_to_tell():
    assert [] == _offline({})
