"""Desk methods over the life of devices: who holds them, who switches them off, where jobs go.

Rules: what a person changes is committed, with the reason, before the device learns of it; a
job in hand is always finished; preprinted sheets move to no other printer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from fep.domain.device import Lease, Turn
from fep.domain.faults import refuse
from fep.domain.faults_desk import desk_refuse
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.desk_stock import configured_devices
from fep.services.devices_site import device_of
from fep.store import devices as notes
from fep.store import queries_stock as stock
from fep.store.devices import Word
from fep.store.printing import job_q, queue_length_q

if TYPE_CHECKING:
    from fep.services.spool_loop import DeviceLoop

MINUTES = Annotated[int, msgspec.Meta(ge=1, le=720)]


class OneDevice(Params):
    """Which device."""

    device: str


class Changed(OneDevice):
    """Which device, and why."""

    reason: str


class ClaimParams(Changed):
    """devices.claim: for how long; `owner` is who holds it, by default who asks."""

    minutes: MINUTES = 30
    owner: str = ""


class TestParams(Changed):
    """devices.test: `form` says which sheet a form printer has loaded; `owner` is who asks, by
    default who is logged in: a device that somebody holds is tested by its holder only.
    """

    form: str = ""
    owner: str = ""


class PrintParams(Changed):
    """devices.print: which waiting job of the group, 0 for the oldest."""

    job: Annotated[int, msgspec.Meta(ge=0)] = 0
    owner: str = ""


class ReleaseParams(Changed):
    """devices.release: `force` takes it from somebody else."""

    owner: str = ""
    force: bool = False


class MoveParams(Params):
    """devices.move: both are a group, or a device that stands for its group."""

    source: str
    target: str
    reason: str


class AssignParams(Params):
    """points.assign: a point prints to another group from now on."""

    unit: str
    point: str
    group: str
    reason: str


async def list_devices(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return printers and terminals with their state, and the print jobs by state."""
    spool: Any = ctx.spool
    if spool is not None:
        devices = [msgspec.to_builtins(device) for device in spool.devices()]
        driven = {device["id"] for device in devices}
        devices += [row for row in configured_devices(ctx) if row["id"] not in driven]
    else:
        devices = configured_devices(ctx)
    devices += _terminals(ctx)
    return {"devices": devices, "jobs": await ctx.read(stock.print_counts_q)}


def _terminals(ctx: DeskContext) -> list[dict[str, Any]]:
    if ctx.till is not None:
        return [
            {**asdict(row), "kind": "terminal", "faults": [row.fault] if row.fault else []}
            for row in ctx.till.terminals()
        ]
    terminals = getattr(ctx.settings, "terminals", ())
    return [
        {
            "id": row.id, "group": row.group, "driver": row.driver, "profile": row.profile,
            "address": row.transport.address, "kind": "terminal", "faults": [],
            "state": "stopped" if row.enabled else "disabled",
        }
        for row in terminals
    ]  # fmt: skip


async def check(ctx: DeskContext, asked: OneDevice) -> dict[str, Any]:
    """Look at a device without using paper: driver, way, identity, condition, proof."""
    # The command line reads a stopped store through this module and must not load Twisted.
    from fep.services.devices_check import report

    loop = _loop(ctx, asked.device)
    return {"check": msgspec.to_builtins(await loop.ask(lambda: report(loop.life)))}


async def test(ctx: DeskContext, asked: TestParams) -> dict[str, Any]:
    """Print a test slip on a device and say what is proved of it."""
    word, loop = _word(ctx, asked.reason), _loop(ctx, asked.device)
    loop.life.only(_who(ctx, asked.owner))
    await ctx.writer("devices test").do(
        "device.test", notes.word_txn, "device.tested", asked.device[:40], word, {}
    )
    result = await _spool(ctx).test(asked.device, asked.form)
    return {"device": asked.device, "result": msgspec.to_builtins(result)}


async def print_one(ctx: DeskContext, asked: PrintParams) -> dict[str, Any]:
    """Print one waiting job on a device for its holder; the rest of the queue goes on waiting."""
    word, loop = _word(ctx, asked.reason), _loop(ctx, asked.device)
    if not loop.life.held:
        raise refuse("DEV_NOT_CLAIMED", device=asked.device)
    loop.life.only(_who(ctx, asked.owner))
    if loop.printer.takes == "form":  # its jobs begin with a look at the sheet, nowhere else
        raise refuse("DEV_SHEETS", group=loop.settings.group)
    facts: dict[str, object] = {"job": asked.job}
    await ctx.writer("devices print").do(
        "device.print", notes.word_txn, "device.printed", asked.device, word, facts
    )
    number = await loop.serve(asked.job)
    job = await ctx.read(job_q, number)
    return {"job": msgspec.to_builtins(job), **_told(loop)}


async def claim(ctx: DeskContext, asked: ClaimParams) -> dict[str, Any]:
    """Hold a device for a while: its queue waits, or goes to others of its group."""
    return await _held(ctx, asked, asked.owner, ctx.now_ms() + asked.minutes * 60_000)


async def drain(ctx: DeskContext, asked: Changed) -> dict[str, Any]:
    """Let a device finish its job and take no other until it is released."""
    return await _held(ctx, asked, "", 0)


async def _held(ctx: DeskContext, asked: Changed, owner: str, until: int) -> dict[str, Any]:
    word, loop = _word(ctx, asked.reason), _loop(ctx, asked.device)
    lease = Lease(_who(ctx, owner), until)
    loop.life.allow(Turn.CLAIM)
    loop.life.only(lease.owner)
    await ctx.writer("devices").do("device.claim", notes.claim_txn, asked.device, lease, word)
    loop.life.hold(lease)
    loop.look_again()
    return _told(loop)


async def release(ctx: DeskContext, asked: ReleaseParams) -> dict[str, Any]:
    """Let go of a device that is held or drained."""
    word, loop = _word(ctx, asked.reason), _loop(ctx, asked.device)
    if not loop.life.held:
        raise refuse("DEV_NOT_CLAIMED", device=asked.device)
    if not asked.force:
        loop.life.only(_who(ctx, asked.owner))
    await ctx.writer("devices").do("device.release", notes.release_txn, asked.device, word)
    loop.life.hold(None)
    loop.look_again()
    return _told(loop)


async def disable(ctx: DeskContext, asked: Changed) -> dict[str, Any]:
    """Switch a device off, for restarts too; the job in hand is finished."""
    return await _switched(ctx, asked, Turn.DISABLE, notes.disable_txn)


async def enable(ctx: DeskContext, asked: Changed) -> dict[str, Any]:
    """Switch a device on again."""
    return await _switched(ctx, asked, Turn.ENABLE, notes.enable_txn)


async def _switched(
    ctx: DeskContext, asked: Changed, turn: Turn, txn: Callable[..., None]
) -> dict[str, Any]:
    word, loop = _word(ctx, asked.reason), _loop(ctx, asked.device)
    loop.life.allow(turn)
    await ctx.writer("devices").do(f"device.{turn}", txn, asked.device, word)
    loop.life.note = replace(loop.life.note, who=word.who, reason=word.reason)
    loop.life.switch(turn)
    loop.look_again()
    return _told(loop)


async def reset(ctx: DeskContext, asked: Changed) -> dict[str, Any]:
    """Open a device anew with its file as it is now; what it said of itself is forgotten.

    A device whose file was laid in since the start is driven from now on.
    """
    driven = {row.settings.id for row in _spool(ctx).loops()}
    if asked.device not in driven | {row["id"] for row in _terminals(ctx)}:
        return await load(ctx, asked)
    word, loop = _word(ctx, asked.reason), _loop(ctx, asked.device)
    loop.life.allow(Turn.RESET)
    settings = await ctx.aside(device_of, ctx.settings.root, asked.device)

    async def anew() -> None:
        await ctx.writer("devices").do("device.reset", notes.reset_txn, asked.device, word)
        loop.life.reset(settings)

    await loop.ask(anew)
    return _told(loop)


async def load(ctx: DeskContext, asked: Changed) -> dict[str, Any]:
    """Drive a device whose file is new, without a restart."""
    word, spool = _word(ctx, asked.reason), _spool(ctx)
    settings = await ctx.aside(device_of, ctx.settings.root, asked.device)
    if asked.device in {loop.settings.id for loop in spool.loops()}:
        raise refuse("DEV_EXISTS", device=asked.device)
    facts = {"driver": settings.driver, "address": settings.transport.address}
    await ctx.writer("devices").do(
        "device.add", notes.word_txn, "device.added", asked.device, word, facts
    )
    return _told(spool.add(settings))


async def move(ctx: DeskContext, asked: MoveParams) -> dict[str, Any]:
    """Hand the waiting slips of a group to another one."""
    word, spool = _word(ctx, asked.reason), _spool(ctx)
    groups = {loop.settings.id: loop.settings.group for loop in spool.loops()}
    source = groups.get(asked.source, asked.source)
    target = groups.get(asked.target, asked.target)
    store: Any = ctx.writer("devices move")
    if source not in groups.values() and not store.read(queue_length_q, source):
        raise refuse("DEV_GROUP", group=source)
    _slips(spool, target)
    moved = await store.do("print.move", notes.move_txn, source, target, word)
    spool.wake()
    return {"source": source, "target": target, "moved": moved}


async def assign(ctx: DeskContext, asked: AssignParams) -> dict[str, Any]:
    """Have a point print to another group, at once; its file has been written."""
    word, spool = _word(ctx, asked.reason), _spool(ctx)
    unit = ctx.settings.units.get(asked.unit)
    points = unit.points if unit is not None else ()
    was = next((point for point in points if point.code == asked.point), None)
    if was is None:
        raise refuse("DEV_POINT", unit=asked.unit, point=asked.point)
    if asked.group not in spool.groups():
        raise refuse("DEV_GROUP", group=asked.group)
    facts = {"was": was.device_group, "group": asked.group}
    await ctx.writer("printers assign").do(
        "point.assign", notes.word_txn, "point.assigned", f"{asked.unit}/{asked.point}", word, facts
    )
    ctx.settings.units[asked.unit] = replace(
        unit,
        points=tuple(
            replace(point, device_group=asked.group) if point is was else point for point in points
        ),
    )
    return {"unit": asked.unit, "point": asked.point, **facts}


# inside
def _spool(ctx: DeskContext) -> Any:
    ctx.writer("devices")
    if ctx.spool is None:
        raise desk_refuse("CTL_ABSENT", what="devices/")
    return ctx.spool


def _loop(ctx: DeskContext, device: str) -> DeviceLoop:
    spool = _spool(ctx)
    if device in {row["id"] for row in _terminals(ctx)}:
        raise refuse("DEV_KIND", device=device)
    loop: DeviceLoop = spool.loop(device)
    return loop


def _slips(spool: Any, group: str) -> None:
    """Raises Refused unless a printer of the group takes what is not preprinted."""
    takes = {loop.printer.takes for loop in spool.loops() if loop.settings.group == group}
    if not takes:
        raise refuse("DEV_GROUP", group=group)
    if takes == {"form"}:
        raise refuse("DEV_SHEETS", group=group)


def _who(ctx: DeskContext, owner: str) -> str:
    return (owner.strip() or ctx.peer)[:64]


def _word(ctx: DeskContext, reason: str) -> Word:
    return Word(ctx.peer, stated(reason))


def _told(loop: DeviceLoop) -> dict[str, Any]:
    return {"device": msgspec.to_builtins(loop.health())}


METHODS: dict[str, Method] = {
    "devices.list": Method("admin", None, list_devices),
    "devices.check": Method("admin", OneDevice, check, changes=True),
    "devices.test": Method("admin", TestParams, test, changes=True),
    "devices.print": Method("admin", PrintParams, print_one, changes=True),
    "devices.claim": Method("admin", ClaimParams, claim, changes=True),
    "devices.release": Method("admin", ReleaseParams, release, changes=True),
    "devices.drain": Method("admin", Changed, drain, changes=True),
    "devices.disable": Method("admin", Changed, disable, changes=True),
    "devices.enable": Method("admin", Changed, enable, changes=True),
    "devices.reset": Method("admin", Changed, reset, changes=True),
    "devices.load": Method("admin", Changed, load, changes=True),
    "devices.move": Method("admin", MoveParams, move, changes=True),
    "points.assign": Method("admin", AssignParams, assign, changes=True),
}
