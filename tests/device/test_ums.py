"""UMS payments through a bridge process and a real library: what is charged, what is known."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from fep.domain.payment import Op, Totals, Verdict, Way
from tests.device.ums_rig import order, pos

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="the library is built from C")


@pytest_twisted.ensureDeferred
async def test_a_day_at_the_window_and_its_settlement(tmp_path):
    async with pos(tmp_path) as p:
        paid = await p.run(order(1, 10_050))
        other = await p.run(order(2, 300))
        void = await p.run(order(3, 300, Op.VOID, original_trace=other.record.trace))
        back = await p.run(order(4, 50, Op.REFUND, original_ref=paid.record.ref,
                                 original_day="20261121"))  # fmt: skip
        totals = await p.driver.settle()

        verdicts = {reply.verdict for reply in (paid, other, void, back)}
        assert {Verdict.APPROVED} == verdicts
        assert [("pay", 10_050), ("pay", 300), ("void", 300), ("refund", 50)] == p.paid()
        assert Totals("000001", 1, 10_050, 1, 50) == totals
        assert ("000002", 4) == (p.driver.batch, len(p.acks))
        assert ("621700*********1234", "000001") == (paid.record.pan, paid.record.batch)


@pytest_twisted.ensureDeferred
async def test_only_our_own_answer_of_our_own_amount_is_an_approval(tmp_path):
    told = {}
    async with pos(tmp_path) as p:
        for number, knob in enumerate(("wrong_nonces=1", "wrong_amounts=1", "short_replies=1",
                                       "answer=decline", "answer=cancel")):  # fmt: skip
            p.knobs.turn(*knob.split("="))
            reply = await p.run(order(number + 1))
            told[knob] = (reply.verdict, reply.fault)

    assert told == {
        "wrong_nonces=1": (Verdict.MISMATCH, "POS_MISMATCH"),
        "wrong_amounts=1": (Verdict.MISMATCH, "POS_MISMATCH"),
        "short_replies=1": (Verdict.MISMATCH, "POS_MISMATCH"),
        "answer=decline": (Verdict.DECLINED, "POS_DECLINED"),
        "answer=cancel": (Verdict.CANCELLED, "POS_CANCELLED"),
    }


@pytest_twisted.ensureDeferred
async def test_a_bridge_killed_while_the_payer_pays_still_brings_the_answer(tmp_path):
    async with pos(tmp_path) as p:
        assert "" == await p.driver.prepare()
        p.knobs.card_s = 0.6
        asked = order(1)
        work = p.driver.run(asked, lambda: p.acks.append("ack"))
        reply = Deferred.fromCoroutine(work)
        await p.rig.until(lambda: p.acks)
        p.rig.kill()
        p.rig.run()
        told = await reply
        again = await p.another().run(asked, lambda: None)

        assert (Verdict.APPROVED, told) == (told.verdict, again)
        assert [("pay", 1234)] == p.paid()


@pytest_twisted.ensureDeferred
async def test_a_library_that_dies_leaves_the_payment_unknown_or_found_on_the_newest_slip(tmp_path):
    async with pos(tmp_path) as p:
        p.knobs.crash = "after_host"
        first = order(1, 900)
        await p.run(first)
        nothing_before = await p.driver.inquire(first)
        await p.run(order(2, 500))
        p.knobs.crash = "after_host"
        second = order(3, 700)
        silent = await p.run(second)
        found = await p.driver.inquire(second)
        p.knobs.crash = "before_host"
        third = order(4, 700)
        await p.run(third)
        unknown = await p.driver.inquire(third)
        await p.run(order(5, 800))
        p.knobs.crash = "before_host"
        await p.run(order(6, 800))
        same_amount = await p.driver.inquire(order(6, 800))

        assert (Verdict.MISMATCH, "POS_UNSURE") == (nothing_before.verdict, nothing_before.fault)
        assert (Verdict.SILENT, "POS_UNSURE") == (silent.verdict, silent.fault)
        assert (Verdict.APPROVED, "000003") == (found.verdict, found.record.trace)
        assert (Verdict.MISMATCH, "POS_UNSURE") == (unknown.verdict, unknown.fault)
        assert (Verdict.MISMATCH, "POS_UNSURE") == (same_amount.verdict, same_amount.fault)
        assert [900, 500, 700, 800] == [fen for _op, fen in p.paid()]


@pytest_twisted.ensureDeferred
async def test_what_never_reached_the_library_is_proved_not_charged(tmp_path):
    async with pos(tmp_path, result_timeout_s=1.5) as p:
        await p.run(order(1))
        p.rig.kill()
        await p.rig.until(lambda: not p.rig.bridge.connected)
        away = await p.driver.run(order(2), lambda: None)
        p.rig.run()
        await p.rig.connected()
        never = await p.driver.inquire(order(2))
        before_the_journal = await p.driver.inquire(order(0))
        show = await p.driver.run(order(3, way=Way.SHOW), lambda: None)

        assert (Verdict.NOT_SENT, Verdict.ABSENT) == (away.verdict, never.verdict)
        assert Verdict.SILENT is before_the_journal.verdict or before_the_journal.fault != ""
        assert Verdict.ABSENT is not before_the_journal.verdict
        assert (Verdict.NOT_SENT, "POS_PARAMETER") == (show.verdict, show.fault)
        assert 1 == len(p.paid())


@pytest.mark.parametrize("loss", ["new", "back"])
@pytest_twisted.ensureDeferred
async def test_a_journal_that_was_lost_or_restored_proves_nothing(tmp_path, loss):
    async with pos(tmp_path) as p:
        journal = tmp_path / "journal"
        await p.run(order(1))
        shutil.copytree(journal, tmp_path / "backup")
        await p.run(order(2))
        p.rig.kill()
        shutil.rmtree(journal)
        if loss == "back":
            shutil.copytree(tmp_path / "backup", journal)
        p.rig.run()
        await p.rig.until(lambda: not p.rig.bridge.connected)
        await p.rig.connected()

        reply = await p.driver.inquire(order(2))
        told = p.rig.bridges.health()[0].fault

        assert Verdict.ABSENT is not reply.verdict
        assert ("BRG_JOURNAL_BACK" if loss == "back" else "") == told
        assert 2 == len(p.paid())


def _python_3_8() -> str:
    """Return the oldest Python that a bridge may run on, if it is here and runs."""
    found = shutil.which("python3.8") or ""
    good = found and not subprocess.run([found, "--version"], capture_output=True).returncode
    return found if good else ""


@pytest.mark.skipif(not _python_3_8(), reason="there is no Python 3.8 here")
@pytest_twisted.ensureDeferred
async def test_the_oldest_python_carries_a_payment_and_gives_it_again(tmp_path):
    async with pos(tmp_path) as p:
        p.rig.kill()
        p.rig.run(_python_3_8())
        await p.rig.until(lambda: not p.rig.bridge.connected)
        await p.rig.connected()

        told = await p.run(order(1))
        again = await p.another().run(order(1), lambda: None)

        assert (Verdict.APPROVED, told) == (told.verdict, again)
        assert 1 == len(p.paid())


@pytest_twisted.ensureDeferred
async def test_a_library_that_cannot_be_loaded_is_a_payment_not_sent(tmp_path):
    async with pos(tmp_path) as p:
        assert "" == await p.driver.prepare()
        (tmp_path / "libposinf.so").write_bytes(b"not a library")

        reply = await p.driver.run(order(1), lambda: p.acks.append("ack"))

        assert (Verdict.NOT_SENT, []) == (reply.verdict, p.acks)


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_stops_leaves_no_wait_behind(tmp_path):
    async with pos(tmp_path) as p:
        await p.run(order(1))
        p.knobs.hang = True
        under_way = Deferred.fromCoroutine(p.driver.run(order(2), lambda: p.acks.append("2")))
        await p.rig.until(lambda: "2" in p.acks)

        await p.rig.bridges.close()
        reply = await under_way

        assert Verdict.SILENT is reply.verdict


@pytest_twisted.ensureDeferred
async def test_a_terminal_that_was_seen_in_use_is_free_at_once_when_its_payment_is_over(tmp_path):
    async with pos(tmp_path) as p:
        assert "" == await p.driver.prepare()
        p.knobs.card_s = 1.2
        under_way = Deferred.fromCoroutine(p.driver.run(order(1), lambda: p.acks.append("1")))
        await p.rig.until(lambda: "in_use" in (p.rig.bridge.state("pos") or ()))
        meanwhile = await p.another().run(order(2), lambda: None)

        first = await under_way
        ready = await p.driver.prepare()

        assert (Verdict.NOT_SENT, "POS_BUSY") == (meanwhile.verdict, meanwhile.fault)
        assert (Verdict.APPROVED, "") == (first.verdict, ready)
