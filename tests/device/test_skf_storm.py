"""A short storm over a UKEY; the long ones are `scripts/soak ukey`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as untyped

from tests.device.skf_storm import Storm, quick

reactor: Any = untyped


@pytest.mark.parametrize("pair", [False, True])
@pytest_twisted.ensureDeferred
async def test_whatever_happens_to_a_ukey_all_are_answered_rightly_and_the_pin_is_spared(
    tmp_path: Path, pair: bool
):
    storm = Storm(reactor, tmp_path, 2, pair=pair)
    with quick():
        wrong = await storm.blow(1.5)

    assert [] == wrong
    assert storm.told["good"] > 0
