"""What a person has printed on a device out of turn: the test page, and one waiting job of the
group for who holds the device.

Called by the device's loop between two jobs. The queue itself is never begun from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.threads import deferToThread

from fep.domain.calendar import CST
from fep.domain.device import blocking
from fep.domain.faults import Refused, refuse
from fep.domain.printing import JOB_WORDS, JobState, Outcome, Page, Paper, PrintResult
from fep.ports import Clock, Entropy
from fep.render.slip import trial_slip
from fep.render.trial_page import trial_page
from fep.services.devices_life import DeviceLife
from fep.services.spool_queue import Due, Press
from fep.store import printing as jobs
from fep.store.writer import Store

if TYPE_CHECKING:
    from fep.services.spool_loop import Log


async def print_trial(
    life: DeviceLife, press: Press | None, clock: Clock, entropy: Entropy, log: Log, form: str
) -> PrintResult:
    """Print the test page, on a form printer the grid of `form`."""
    if life.life.resting:
        return PrintResult(Outcome.NOT_PRINTED, life.why_resting)
    device = life.settings.id
    mark = jobs.fence_id(entropy.below(36**4))
    at = f"{clock.wall().astimezone(CST):%Y-%m-%d %H:%M:%S}"
    try:
        paper: Paper = trial_slip(device, at, mark)
        if life.printer.takes == "page":
            paper = Page(await deferToThread(trial_page, device, at), "fep-test")
        elif press is not None:
            paper = press.trial(device, at, form)
        result = await life.printer.print(paper, mark)
    except Refused as error:  # there is no page for it: nothing was sent
        return PrintResult(Outcome.NOT_PRINTED, error.code)
    except Exception as error:
        result = PrintResult(Outcome.UNCERTAIN, "DEV_DRIVER_CRASH", repr(error))
        life.crashed(error)
    else:
        life.learn((result.fault,) if result.fault else (), proved=True)
    life.ended(result.outcome)
    log.info("print.tested", device=device, outcome=result.outcome.value)
    return result


def waiting_slip(store: Store, group: str, number: int, now_ms: int) -> Due:
    """Return a waiting job of the group by its number, or for 0 the oldest that is due.

    Raises Refused PRN_JOB_NONE, PRN_JOB_STATE.
    """
    if not number:
        oldest = store.read(jobs.next_due_q, group, now_ms)
        if oldest is None:
            raise refuse("PRN_JOB_NONE", job="")
        return oldest
    job = store.read(jobs.job_q, number)
    if job is None or job.device_group != group:
        raise refuse("PRN_JOB_NONE", job=number)
    if job.state is not JobState.DUE:
        raise refuse("PRN_JOB_STATE", job=number, state=job.state.value,
                     state_zh=JOB_WORDS[job.state])  # fmt: skip
    return job


async def must_be_fit(life: DeviceLife) -> None:
    """Ask the device. Raises Refused with what keeps it from a job."""
    if life.life.resting:
        raise refuse(life.why_resting, device=life.settings.id)
    if not await life.look():
        stopping = (*blocking(life.life.faults), *life.life.doubt, "DEV_BUSY")
        raise refuse(stopping[0], device=life.settings.id)
