"""The demonstration: a province, a gate, a printer, a hospital and the front-end, all real.

It tells the story step by step and ends with one line whose figures come from the witnesses
outside the front-end: what the HIS wrote down, the province's ledger, the sheets of paper.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.harness import ledgers
from tests.harness.books import read
from tests.harness.checkers import check_all
from tests.harness.processes import Failed, Fleet, wait_until
from tests.harness.town import Town

DRAIN_S = 60.0
BLUE, GREEN, RED, PLAIN = "\033[1;34m", "\033[1;32m", "\033[1;31m", "\033[0m"


@dataclass(frozen=True, slots=True)
class Figures:
    """The closing line."""

    issued: int
    offline: int
    delivered: int
    printed: int
    duplicates: int
    gaps: int
    unsigned: int

    def line(self) -> str:
        """Return it as it is printed."""
        return "demo: " + " ".join(f"{n}={getattr(self, n)}" for n in self.__dataclass_fields__)


class Story:
    """Tells what happens, with the time it took."""

    def __init__(self) -> None:
        self._step = 0
        self._started = time.monotonic()
        self._colour = sys.stdout.isatty()

    def step(self, zh: str, en: str) -> None:
        """Begin a chapter."""
        self._step += 1
        passed = time.monotonic() - self._started
        title = self._paint(BLUE, f"[{self._step}] {zh}")
        print(f"\n{title}  {en}  ({passed:.1f} s)", flush=True)

    def say(self, text: str) -> None:
        """Add a line to it."""
        print(f"    {text}", flush=True)

    def good(self, text: str) -> None:
        """Say that something is as it must be."""
        self.say(self._paint(GREEN, "✓ ") + text)

    def bad(self, text: str) -> None:
        """Say that something is not."""
        self.say(self._paint(RED, "✗ ") + text)

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._colour else text


def tell(story: Story, town: Town, receipts: int, seed: int) -> tuple[Figures, list[str]]:
    """Live through the day; return the figures and everything that is wrong."""
    online = receipts - receipts // 2
    offline = receipts // 2
    _open(story, town, receipts)
    his = ("--concurrency", "4", "--seed", str(seed), "--print")

    story.step("联网开票", f"half the receipts with the province there: {online}")
    done = town.load("--count", str(online), "--phase", "online", *his)
    story.say(f"{done['acked']} 张, p50 {done['p50_ms']} ms, p99 {done['p99_ms']} ms")
    _wait_applied(town, online)
    story.good(f"财政已入账 the province has taken {online}")

    story.step("断开网闸", "the gate is cut; the cashier does not notice")
    town.gate("cut")
    if offline:
        more = ("--count", str(offline), "--start", str(online), "--phase", "offline")
        done = town.load(*more, *his)
        story.say(f"{done['acked']} 张离线开具, p50 {done['p50_ms']} ms, p99 {done['p99_ms']} ms")
    there = town.report()["applied"]
    story.good(f"财政仍为 {there} 张 the province still holds {there}")

    story.step("恢复网闸", "the gate is healed; what waited is delivered by itself")
    healed_ms = time.time_ns() // 1_000_000
    town.gate("heal")
    _wait_applied(town, receipts)
    wait_until(town.drained, "printed and acknowledged", timeout_s=DRAIN_S, poll_s=0.2)
    story.good(f"{receipts} 张全部上报 all delivered, all off the print queue")

    story.step("停机核对", "stop in order, then compare the independent ledgers")
    town.fleet.stop_all()
    return audit(story, town, healed_ms)


def _open(story: Story, town: Town, receipts: int) -> None:
    story.step("建站", "a new site: configuration, keys, store")
    town.found()
    story.say(f"单位 {town.unit}, 开票点 {town.point}, 票据代码 {town.code}")
    story.say(f"配置 {town.config}")

    story.step("启动", "province, gate, printer and front-end, each a process of its own")
    town.start_province()
    town.start_gate()
    town.start_printer()
    daemon = town.start_daemon()
    story.say(f"fepd 127.0.0.1:{town.port} (pid {daemon.process.pid}), 打印机 :{town.printer_port}")

    story.step("发放号段", "the province grants numbers, signed, through the gate")
    block = town.grant(receipts + 40)
    wait_until(town.has_numbers, "the numbers arrive", timeout_s=30, children=[daemon])
    story.good(block)


def _wait_applied(town: Town, count: int) -> None:
    wait_until(
        lambda: town.report()["applied"] >= count,
        f"the province holds {count}",
        timeout_s=DRAIN_S,
        children=list(town.fleet.children),
        poll_s=0.3,
    )


def audit(story: Story, town: Town, healed_ms: int) -> tuple[Figures, list[str]]:
    told = ledgers.his(town.ledger)
    report = town.report()
    province = ledgers.province(report)
    violations = check_all(town.place, town.ledger, report, town.paper)
    applied_at = {effect.ref: effect.applied_at for effect in province.receipts}
    by_key = {(acked.unit, acked.key): acked.ref for acked in told}
    offline = [
        acked.ref
        for acked in told
        if acked.phase == "offline" and applied_at.get(acked.ref, 0) >= healed_ms
    ]
    delivered = [ref for ref in set(by_key.values()) if ref in applied_at]
    refs = Counter(by_key.values())
    refs_there = Counter(effect.ref for effect in province.receipts)
    keys_there = Counter(effect.event_key for effect in province.receipts)
    figures = Figures(
        issued=len(by_key),
        offline=len(set(offline)),
        delivered=len(delivered),
        printed=len(_proved(town) & set(by_key.values())),
        duplicates=_extra(refs) + _extra(refs_there) + _extra(keys_there) + _double_sheets(town),
        gaps=_gaps(by_key.values(), province),
        unsigned=province.bad_signatures + len(set(by_key.values()) - set(applied_at)),
    )
    story.say(f"HIS 记录 {len(told)} 笔, 财政台账 {len(province.receipts)} 张,")
    story.say(f"小票 {len(ledgers.paper(town.paper))} 张, 金额 {province.money_fen / 100:,.2f} 元")
    if not violations:
        story.good("I1-I6 I8-I10 I13 I14: 号码、流水、签名、上报、打印、时间均相符 all hold")
    return figures, [str(violation) for violation in violations]


def _extra(times: Counter[str]) -> int:
    return sum(count - 1 for count in times.values())


def _proved(town: Town) -> set[str]:
    """Return receipts with one complete sheet whose printing the printer itself proved."""
    books = read(town.store)
    proved = {
        books.receipts[job.receipt_id].ref
        for job in books["print_job"]
        for attempt in books["print_attempt"]
        if attempt.job_id == job.id and job.state == attempt.outcome == "printed"
    }
    sheets = Counter(sheet.ref for sheet in ledgers.paper(town.paper) if sheet.cut)
    return {ref for ref in proved if sheets[ref] == 1}


def _double_sheets(town: Town) -> int:
    sheets = (sheet for sheet in ledgers.paper(town.paper) if sheet.ref and not sheet.reprint)
    return _extra(Counter(sheet.ref for sheet in sheets))


def _gaps(refs: Iterable[str], province: ledgers.Province) -> int:
    """Count numbers missing below the highest one told, and those the province misses."""
    told: dict[str, set[int]] = {}
    for ref in refs:
        code, number = ref.split("-")
        told.setdefault(code, set()).add(int(number))
    missing = 0
    for code, first, last in province.granted:
        used = {number for number in told.get(code, set()) if first <= number <= last}
        missing += (max(used) - first + 1 - len(used)) if used else 0
    return missing + len(province.gaps)


def _farewell(story: Story, town: Town, kept: bool) -> None:
    story.step("在哪里看", "where to look")
    if not kept:
        story.say("用 --keep 目录 保留全部数据 / keep everything with --keep DIR")
        return
    shown = ledgers.his(town.ledger)[0].ref
    story.say(f"小票图片 paper        {town.paper}/sheet-000001.png")
    story.say(f"HIS 记录 ledger       {town.ledger}")
    story.say(
        f"财政台账 province     .venv/bin/fepsim province report --state {town.province_state}"
    )
    story.say(f"票据 receipts         .venv/bin/fepctl -c {town.config} receipts list")
    story.say(
        f"导出 export           .venv/bin/fepctl -c {town.config} receipts export {shown} --dir ."
    )
    story.say(f"再次启动 run again    .venv/bin/fepd run -c {town.config}")
    story.say(f"日志 logs             {town.world}/logs")


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the story; the exit code is 0 only when every figure is right."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the data in DIR")
    parser.add_argument("--receipts", metavar="N", type=int, default=60)
    parser.add_argument("--seed", metavar="S", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="with a relay; each part is killed")
    options = parser.parse_args()
    if options.receipts < 1:
        parser.error("--receipts must be at least 1")
    if options.keep and options.keep.exists() and any(options.keep.iterdir()):
        parser.error(f"{options.keep} is not empty")
    signal.signal(signal.SIGTERM, _interrupted)
    place = (options.keep or Path(tempfile.mkdtemp(prefix="fep-demo-"))).resolve()
    place.mkdir(parents=True, exist_ok=True)
    story = Story()
    print("fep 前置服务器演示 / demonstration of the front-end processor", flush=True)
    try:
        with Fleet(place / "world" / "logs") as fleet:
            if options.full:
                from scripts.demo_full import FarSide, tell_full

                town: Town = FarSide(place, fleet, settle_s=1.0)
                figures, wrong = tell_full(story, town, options.receipts, options.seed)
            else:
                town = Town(place, fleet)
                figures, wrong = tell(story, town, options.receipts, options.seed)
        _farewell(story, town, bool(options.keep))
    except Failed as failed:
        story.bad(str(failed))
        return 1
    except KeyboardInterrupt:
        story.bad("中断 interrupted")
        return 130
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
    half = options.receipts // 2
    printed = options.receipts - (options.receipts - half) // 4 * options.full
    expected = Figures(options.receipts, half, options.receipts, printed, 0, 0, 0)
    for line in wrong[:20]:
        story.bad(line)
    print(f"\n{figures.line()}", flush=True)
    # By the line: with --full the figures come from this module imported under its own name.
    return 0 if figures.line() == expected.line() and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
