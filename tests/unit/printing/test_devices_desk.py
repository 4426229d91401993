"""Devices at the desk: what a person asks, what is stored, what is refused and why."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from twisted.internet.defer import ensureDeferred

from fep.domain.faults import Refused
from fep.domain.kind import Point
from fep.domain.printing import JobState, Outcome, PrintResult
from fep.services.desk import answer
from fep.services.desk_context import DeskContext, at_once
from fep.settings_device import DeviceSettings, TransportSettings
from fep.store.printing import add_job_txn
from fep.store.schema import journal
from tests.unit.desk.desk_site import _UNIT as UNIT
from tests.unit.printing.test_device_life import KnownPrinter, KnownWorld

FILE = """id = "{id}"
group = "{group}"
{more}
[transport]
type = "tcp"
host = "h"
"""
TERMINAL = DeviceSettings("pos-1", "w1", TransportSettings(host="h"), "mispos", "landfone",
                          kind="terminal")  # fmt: skip


class DeskWorld(KnownWorld):
    """A spool with a desk before it."""

    def __init__(self, path: Any, *, started: bool = True) -> None:
        super().__init__(path, (("p1", "w1"), ("p2", "w2")))
        (path / "devices").mkdir()
        self.root = path
        for device, group in self.devices:
            self.write(device, group)
        self.settings = SimpleNamespace(
            root=path, units={"H001": UNIT}, devices=(), terminals=(TERMINAL,),
            node=SimpleNamespace(data=path),
        )  # fmt: skip
        if started:
            self.start()
            self.turn(1)

    def write(self, device: str, group: str, more: str = "") -> None:
        text = FILE.format(id=device, group=group, more=more)
        (self.root / "devices" / f"{device}.toml").write_text(text, "utf-8")

    def context(self, **changes: Any) -> DeskContext:
        told: dict[str, Any] = {
            "settings": self.settings, "store": self.store, "clock": self.clock, "issue": None,
            "spool": self.spool, "uplink": None, "started_at": 0, "selfcheck": None,
            "version": "0", "data": self.root, "peer": "li(1000)", "aside": at_once,
        }  # fmt: skip
        return DeskContext(**{**told, **changes})

    def ask(self, method: str, *, peer: str = "li(1000)", **params: Any) -> Any:
        return self.wait(ensureDeferred(answer(self.context(peer=peer), method, params)))

    def refused(self, method: str, **params: Any) -> str:
        with pytest.raises(Refused) as told:
            self.ask(method, **params)
        return told.value.code

    def ops(self) -> list[tuple[str, str, dict[str, Any]]]:
        rows = self.store.read(lambda conn: conn.execute(select(journal.c.line)).scalars().all())
        told = [json.loads(row) for row in rows]
        return [(one["op"], one["ref"], one["body"]) for one in told]


@pytest.fixture
def world(tmp_path):
    world = DeskWorld(tmp_path)
    yield world
    world.stop()


def test_a_claim_names_its_holder_and_only_the_holder_or_force_ends_it(world):
    told = world.ask("devices.claim", device="p1", minutes=5, reason="换纸")["device"]
    again = world.ask("devices.claim", device="p1", minutes=9, reason="还没好")["device"]
    other = world.refused("devices.claim", device="p1", owner="kiosk-3", reason="取票")
    strange = world.refused("devices.release", device="p1", owner="kiosk-3", reason="取票")
    freed = world.ask("devices.release", device="p1", force=True, owner="wang", reason="走了")

    assert ("claimed", "li(1000)") == (told["state"], told["owner"])
    assert again["until"] > told["until"]
    assert ("DEV_CLAIMED", "DEV_CLAIMED") == (other, strange)
    assert ("ready", "") == (freed["device"]["state"], freed["device"]["owner"])
    assert "DEV_NOT_CLAIMED" == world.refused("devices.release", device="p1", reason="x")
    released = next(row for row in world.ops() if row[0] == "device.released")
    assert {"owner": "li(1000)", "reason": "走了", "who": "li(1000)"} == released[2]


def test_a_drained_device_takes_no_job_until_it_is_released(world):
    world.ask("devices.drain", device="p1", reason="换机")
    job = world.add(1)
    world.turn(30)
    before = world.job(job.id).state
    world.ask("devices.release", device="p1", reason="好了")
    world.turn(1)

    assert (JobState.DUE, JobState.PRINTED) == (before, world.job(job.id).state)


def test_off_and_on_again_is_journalled_with_the_reason(world):
    off = world.ask("devices.disable", device="p1", reason="送修")["device"]
    twice = world.refused("devices.disable", device="p1", reason="送修")
    world.ask("devices.enable", device="p1", reason="修好")
    world.turn(1)

    assert ("disabled", "li(1000) 送修") == (off["state"], off["said"])
    assert ("DEV_DISABLED", "ready") == (twice, world.state())
    assert "DEV_NOT_DISABLED" == world.refused("devices.enable", device="p1", reason="x")
    assert ["device.disabled", "device.enabled"] == [
        op for op, ref, _body in world.ops() if ref == "p1" and "abled" in op
    ]


def test_before_the_start_nothing_is_asked_and_words_are_kept(tmp_path):
    world = DeskWorld(tmp_path, started=False)

    refused = world.refused("devices.check", device="p1")
    untested = world.wait(world.spool.test("p1")).fault
    world.ask("devices.disable", device="p1", reason="送修")
    world.ask("devices.drain", device="p2", reason="换机")
    world.start()
    world.turn(1)

    assert ("DEV_WAITS", "DEV_WAITS") == (refused, untested)
    assert ("disabled", "claimed") == (world.state("p1"), world.state("p2"))
    world.stop()


def test_a_reset_reads_the_file_anew(world):
    world.write("p1", "w9", more='profile = "gprinter-80"')

    told = world.ask("devices.reset", device="p1", reason="换机")["device"]

    assert ("w9", "gprinter-80") == (told["group"], told["profile"])
    assert "device.reset" in {op for op, _ref, _body in world.ops()}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('id = "p1"\ngroup = 3', "DEV_FILE"),
        (FILE.format(id="p1", group="w1", more="enabled = false"), "DEV_FILE"),
        (FILE.format(id="p1", group="w1", more='kind = "terminal"'), "DEV_KIND"),
        (FILE.format(id="p7", group="w1", more=""), "DEV_UNKNOWN"),
    ],
)
def test_a_file_that_does_not_do_leaves_the_device_as_it_is(world, text, code):
    (world.root / "devices" / "p1.toml").write_text(text, "utf-8")

    assert code == world.refused("devices.reset", device="p1", reason="换机")
    assert "ready" == world.state()


def test_a_reset_takes_a_device_whose_file_is_new(world):
    """The manual lays files in by hand for form printers and bridges: no restart for that."""
    assert "DEV_UNKNOWN" == world.refused("devices.reset", device="p3", reason="新机")
    world.printers["p3"] = KnownPrinter()
    world.write("p3", "w3")

    world.ask("devices.reset", device="p3", reason="新机")
    world.turn(1)

    assert {"p1", "p2", "p3"} == {row.id for row in world.spool.devices()}
    assert "device.added" in [op for op, *_ in world.ops()]


def test_a_new_file_is_driven_without_a_restart(world):
    world.printers["p3"] = KnownPrinter()
    world.write("p3", "w3")
    job = world.add(1, "w3")

    world.ask("devices.load", device="p3", reason="新机")
    world.turn(2)

    assert JobState.PRINTED is world.job(job.id).state
    assert "DEV_EXISTS" == world.refused("devices.load", device="p3", reason="新机")


def test_a_queue_moves_to_another_group_and_is_printed_there(world):
    world.ask("devices.drain", device="p1", reason="换机")
    job = world.add(1)

    told = world.ask("devices.move", source="p1", target="p2", reason="换机")
    world.turn(1)

    assert {"source": "w1", "target": "w2", "moved": 1} == told
    assert ("p2", JobState.PRINTED) == (world.job(job.id).device, world.job(job.id).state)


def test_a_queue_moves_to_no_group_that_cannot_print_it(world):
    world.printers["p2"].takes = "form"

    assert "DEV_SHEETS" == world.refused("devices.move", source="w1", target="w2", reason="x")
    assert "DEV_GROUP" == world.refused("devices.move", source="w1", target="w7", reason="x")
    assert "DEV_GROUP" == world.refused("devices.move", source="w7", target="w1", reason="x")


def test_a_queue_whose_printer_is_gone_from_the_site_can_still_be_moved(world):
    job = world.add(1, "gone")

    world.ask("devices.move", source="gone", target="w1", reason="旧组")
    world.turn(1)

    assert JobState.PRINTED is world.job(job.id).state


def test_a_point_is_assigned_at_once(world):
    told = world.ask("points.assign", unit="H001", point="001", group="w2", reason="换窗口")

    assert (Point("001", "w2"),) == world.settings.units["H001"].points
    assert "window-1" == told["was"]
    for place, code in (("9", "DEV_POINT"), ("001", "DEV_GROUP")):
        params = {"unit": "H001", "point": place, "group": "no", "reason": "x"}
        assert code == world.refused("points.assign", **params)


def test_terminals_stand_in_the_list_and_are_not_for_these_verbs(world):
    rows = world.ask("devices.list")["devices"]

    assert [("p1", "printer"), ("p2", "printer"), ("pos-1", "terminal")] == [
        (row["id"], row["kind"]) for row in rows
    ]
    assert "DEV_KIND" == world.refused("devices.disable", device="pos-1", reason="x")
    assert "DEV_UNKNOWN" == world.refused("devices.check", device="p9")
    assert "CTL_REASON" == world.refused("devices.disable", device="p1", reason=" ")


def test_the_list_of_a_stopped_site_is_that_of_its_files(world):
    world.settings.devices = (
        DeviceSettings("p1", "w1", TransportSettings(host="h")),
        DeviceSettings("p8", "w1", TransportSettings(host="h"), enabled=False),
    )
    context = world.context(store=None, spool=None)

    told = world.wait(ensureDeferred(answer(context, "devices.list", {})))
    live = world.ask("devices.list")["devices"]

    assert [("p1", "stopped"), ("p8", "disabled"), ("pos-1", "stopped")] == [
        (row["id"], row["state"]) for row in told["devices"]
    ]
    assert "disabled" == next(row["state"] for row in live if row["id"] == "p8")


def _lines(world: DeskWorld) -> dict[str, tuple[bool, str, tuple[str, ...]]]:
    told = world.ask("devices.check", device="p1")["check"]
    assert told["ok"] == all(line["ok"] for line in told["lines"])
    return {
        line["name"]: (line["ok"], line["detail"], tuple(line["codes"])) for line in told["lines"]
    }


def test_a_check_says_what_is_well_and_uses_no_paper(world):
    lines = _lines(world)

    assert (True, "EPSON TM-T88 A1", ()) == lines["identity"]
    assert (True, "", ()) == lines["condition"]
    assert "print" not in world.printers["p1"].calls


def test_a_check_says_what_is_wrong(world):
    printer = world.printers["p1"]
    seen = {}
    for fault in ("PRN_PAPER_END", "DEV_UNREACHABLE", "DEV_CONFIG"):
        printer.faults = (fault,)
        seen[fault] = [name for name, line in _lines(world).items() if not line[0]]

    assert {
        "PRN_PAPER_END": ["condition"], "DEV_UNREACHABLE": ["open"], "DEV_CONFIG": ["settings"]
    } == seen  # fmt: skip


def test_a_check_tells_a_swapped_printer_and_one_that_waits_for_a_person(world):
    printer = world.printers["p1"]
    printer.serial = "B2"
    swapped = _lines(world)
    printer.serial = "A1"
    waiting = _lines(world)
    printer.crash = True

    assert (False, "EPSON TM-T88 B2", ("DEV_IDENTITY",)) == swapped["identity"]
    assert ("DEV_FAILED",) == waiting["state"][2]
    assert ("DEV_DRIVER_CRASH",) == _lines(world)["driver"][2]


def test_a_check_of_a_device_that_is_off_says_so(world):
    world.ask("devices.disable", device="p1", reason="送修")

    assert (False, "送修", ("DEV_DISABLED",)) == _lines(world)["state"]


def test_a_held_device_is_tested_by_its_holder_only_and_its_queue_waits(world):
    world.ask("devices.claim", device="p1", owner="kiosk-3", minutes=5, reason="取票")
    job = world.add(1)
    with pytest.raises(Refused) as other:
        world.ask("devices.test", device="p1", reason="试打")
    mine = world.ask("devices.test", device="p1", owner="kiosk-3", reason="试打")["result"]
    world.turn(1)

    assert ("DEV_CLAIMED", "kiosk-3", "11-21 08:35") == (
        other.value.code, other.value.details["owner"], other.value.details["until"]
    )  # fmt: skip
    assert ("printed", JobState.DUE) == (mine["outcome"], world.job(job.id).state)
    assert ["device.tested"] == [op for op, ref, _ in world.ops() if ref == "p1"][2:]


def test_the_holder_has_one_job_printed_and_the_others_wait_for_the_release(world):
    world.ask("devices.claim", device="p1", reason="换打印头")
    jobs = [world.add(n).id for n in (1, 2, 3)]
    named = world.ask("devices.print", device="p1", job=jobs[1], reason="看效果")
    oldest = world.ask("devices.print", device="p1", reason="再看一张")
    world.turn(30)
    held = [world.job(id_).state for id_ in jobs]
    world.ask("devices.release", device="p1", reason="好了")
    world.turn(1)

    assert (jobs[1], "printed", "claimed") == (
        named["job"]["id"], named["job"]["state"], named["device"]["state"]
    )  # fmt: skip
    assert jobs[0] == oldest["job"]["id"]
    assert [JobState.PRINTED, JobState.PRINTED, JobState.DUE] == held
    assert JobState.PRINTED is world.job(jobs[2]).state
    assert [1, 1, 1] == [world.job(id_).attempts for id_ in jobs]


def test_nobody_but_the_holder_prints_a_job_and_only_one_that_waits_here(world):
    job, elsewhere = world.add(1), world.wait(world.store.do("add", add_job_txn, 2, "w2"))
    world.turn(1)
    free = world.refused("devices.print", device="p1", reason="x")
    world.ask("devices.claim", device="p1", owner="kiosk-3", minutes=1, reason="取票")
    other = world.refused("devices.print", device="p1", reason="x")
    told = [
        world.refused("devices.print", device="p1", owner="kiosk-3", reason="x", **more)
        for more in ({}, {"job": job.id}, {"job": elsewhere.id})
    ]
    world.printers["p1"].faults = ("PRN_PAPER_END",)
    due = world.add(3)
    out = world.refused("devices.print", device="p1", owner="kiosk-3", reason="x")

    assert ("DEV_NOT_CLAIMED", "DEV_CLAIMED") == (free, other)
    assert ["PRN_JOB_NONE", "PRN_JOB_STATE", "PRN_JOB_NONE"] == told
    assert ("PRN_PAPER_END", 0) == (out, world.job(due.id).attempts)


def test_a_job_the_holder_printed_in_vain_waits_like_any_other(world):
    world.ask("devices.claim", device="p1", reason="换纸")
    job = world.add(1)
    world.printers["p1"].results = [PrintResult(Outcome.NOT_PRINTED, "DEV_LOST")]
    told = world.ask("devices.print", device="p1", reason="看效果")
    world.ask("devices.release", device="p1", reason="好了")
    world.turn(60)

    assert ("due", "DEV_LOST") == (told["job"]["state"], told["job"]["reason"])
    assert (JobState.PRINTED, 2) == (world.job(job.id).state, world.job(job.id).attempts)
