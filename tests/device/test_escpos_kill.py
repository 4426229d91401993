"""The link is cut at every byte of a job: the outcome rule and the number of sheets hold."""

from __future__ import annotations

import pytest
import pytest_twisted

from drivers.escpos import Profile
from fep.domain.printing import Outcome
from tests.device.bench import FAST, bearing, bench, slower, small, whole


async def _conversation_size(profile: Profile, abilities: dict[str, bool]) -> tuple[int, int]:
    """Return after how many bytes the body of a second job begins, and ends."""
    async with bench(profile, **abilities) as b:
        await b.printer.print(small("甲0"), "id00")
        begun = b.device.received
        await b.printer.print(small("甲1"), "id01")
        return begun, b.device.received


@pytest.mark.slow
@pytest.mark.parametrize("process_id", [True, False])
@pytest_twisted.ensureDeferred
async def test_link_cut_at_every_byte_keeps_the_outcome_rule(process_id):
    abilities = {"process_id": process_id}
    # Without process ids the probe would only cost its time-out, thousands of times.
    profile = slower(FAST, settle_s=0.02, probe_process_id=process_id)
    begun, ended = await _conversation_size(profile, abilities)
    checks = 12  # four real-time questions of three bytes come before the body
    wrong = []
    for at in range(begun + 1, ended + 1):
        async with bench(profile, **abilities) as b:
            await b.printer.print(small("甲0"), "id00")
            b.device.kill_after = at

            cut = await b.printer.print(small("甲1"), "id01")
            b.device.kill_after = None
            after = await b.printer.print(small("甲2"), "id02")

            first, second = bearing(b.device, "甲1"), bearing(b.device, "甲2")
            in_body = at > begun + checks
            rule = cut.outcome is (Outcome.UNCERTAIN if in_body else Outcome.NOT_PRINTED)
            if at == begun + checks:
                # All questions arrived; the last answer raced with the cut.
                rule = cut.outcome in (Outcome.UNCERTAIN, Outcome.NOT_PRINTED)
            if at == ended and cut.outcome is Outcome.PRINTED:
                rule = True
            sheets = len(first) <= (cut.outcome is not Outcome.NOT_PRINTED)
            next_whole = [whole(lines, "甲2") for lines in second] == [True]
            if not (rule and sheets and next_whole and after.outcome is Outcome.PRINTED):
                wrong.append((at, cut, after, first, second))

    assert [] == wrong
