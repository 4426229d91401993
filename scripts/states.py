"""The state diagrams of the manual, made from the transition tables: scripts/states.py --write.

A diagram is never drawn by hand: the test run compares the pages with the tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from fep.domain.device import DEVICE_REFUSALS, DEVICE_TABLE
from fep.domain.form import FORM_TABLE
from fep.domain.life import LIFE_REFUSALS, LIFE_TABLE
from fep.domain.life_delivery import DELIVERY_TABLE
from fep.domain.life_marks import BOOKING_TABLE, MESSAGE_TABLE, WRITE_OFF_TABLE
from fep.domain.life_sheet import SHEET_REFUSALS, SHEET_TABLE
from fep.domain.payment import PAYMENT_TABLE
from fep.domain.printing import JOB_TABLE
from fep.domain.reconcile import GAP_TABLE

ROOT = Path(__file__).resolve().parents[1]
Table = Mapping[tuple[StrEnum, StrEnum], StrEnum]

WORDS = {
    # states
    "frozen": "待签名", "sealed": "有效", "reversing": "正在冲红", "reversed": "已冲红",
    "burned": "空号核销", "blank": "空白", "used": "已用", "void": "作废", "due": "待办",
    "sent": "已发", "applied": "已入库", "rejected": "被拒", "conflict": "冲突", "closed": "已结案",
    "resent": "已重报", "unknown": "不明", "no": "未入账", "yes": "已入账", "open": "未核销",
    "done": "已核销", "streaming": "正在打", "printed": "已打印", "accepted": "已送出",
    "uncertain": "不确定", "cancelled": "已取消", "failed": "未送达", "delivered": "已送达",
    "differs": "有差异", "repairing": "已处理，待复核", "noted": "已登记", "gone": "已一致",
    # steps
    "seal": "签名入库", "burn": "期限已到", "reverse": "冲红", "exchange": "换开", "print": "打印",
    "red_sealed": "红字票据已签名", "red_burned": "红字票据未签成", "replace": "重新换开",
    "send": "发出", "unsendable": "不能上报", "ok": "平台收下", "reject": "平台拒收",
    "accept": "人工认可", "retry": "人工重报", "booked": "入账", "unbooked": "取消入账",
    "written_off": "核销", "begin": "开始", "restart": "重启", "not_printed": "没有打印",
    "say_printed": "人工说已打印", "reprint": "人工要补打", "cancel": "人工取消",
    "told": "送达", "untold": "送不到", "found": "对账发现", "agrees": "对账一致",
    "repair": "人工处理", "note": "人工登记",
    "created": "准备中", "acked": "终端已受理", "approved": "已扣款", "declined": "被拒绝",
    "not_sent": "未发出", "ack": "终端应答", "absent": "终端无记录", "silent": "没有回答",
    "mismatch": "记录不符", "say_charged": "人工说已扣款", "say_not_charged": "人工说未扣款",
}  # fmt: skip

DEVICE_SAID = {
    "configured": "未连接", "opening": "正在连接", "ready": "就绪", "claimed": "被占用",
    "degraded": "欠佳", "lost": "已断开", "failed": "故障", "disabled": "停用",
    "open": "连接", "fit": "正常", "unfit": "有故障", "missing": "连不上", "broken": "须人工处理",
    "claim": "占用", "release": "放开", "reset": "复位", "disable": "停用", "enable": "启用",
}  # fmt: skip
FORM_SAID = {
    "waiting": "待核对", "confirmed": "已核对", "spoiled": "已作废", "confirm": "人核对印刷号",
    "spoil": "人说打坏了", "expire": "核对过久", "accepted": "已送出",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Diagram:
    """One machine of the manual."""

    zh: str
    en: str
    module: str
    table: Table
    refusals: Mapping[tuple[StrEnum, StrEnum], str]
    words: Mapping[str, str] = field(default_factory=dict)  # where a name means something else here


DIAGRAMS = (
    Diagram("票据", "A receipt", "life.py", LIFE_TABLE, LIFE_REFUSALS),
    Diagram("纸质票", "A paper sheet", "life_sheet.py", SHEET_TABLE, SHEET_REFUSALS),
    Diagram("上报", "A delivery", "life_delivery.py", DELIVERY_TABLE, {}),
    Diagram("入账", "Booking by the payer", "life_marks.py", BOOKING_TABLE, {}),
    Diagram("核销", "Write-off by finance", "life_marks.py", WRITE_OFF_TABLE, {}),
    Diagram("消息", "A message to the payer", "life_marks.py", MESSAGE_TABLE, {}),
    Diagram("对账差异", "A difference of the books", "reconcile.py", GAP_TABLE, {}),
    Diagram("打印任务", "A print job", "printing.py", JOB_TABLE, {}),
    Diagram("套打任务", "A form job", "form.py", FORM_TABLE, {}, FORM_SAID),
    Diagram("支付", "A payment", "payment.py", PAYMENT_TABLE, {}),
    Diagram("设备", "A device", "device.py", DEVICE_TABLE, DEVICE_REFUSALS, DEVICE_SAID),
)
HEADS = {
    "zh": ("# 状态图\n\n由 `scripts/states.py` 从状态表生成，请勿手工修改。\n"
           "表中没有的一步一律拒绝，并说明原因和下一步。\n"),
    "en": ("# States\n\nMade by `scripts/states.py` from the transition tables; do not edit.\n"
           "A step that a table does not hold is refused with the reason and the next action.\n"),
}  # fmt: skip


def page(language: str) -> str:
    """Return the page of a language."""
    parts = [HEADS[language]]
    for diagram in DIAGRAMS:
        parts.append(f"## {diagram.zh if language == 'zh' else diagram.en}\n")
        parts.append(f"`fep/domain/{diagram.module}`\n")
        parts.append(_mermaid(diagram, language))
        if diagram.refusals:
            parts.append(_refused(diagram, language))
    return "\n".join(parts)


def _mermaid(diagram: Diagram, language: str) -> str:
    table, own = diagram.table, diagram.words
    lines = ["```mermaid", "stateDiagram-v2"]
    states = list(dict.fromkeys(state for (before, _), after in table.items()
                                for state in (before, after)))  # fmt: skip
    if language == "zh":
        lines += [f"    {state.value}: {_word(state.value, language, own)}" for state in states]
    arrows = [
        f"    {before.value} --> {after.value}: {_word(step.value, language, own)}"
        for (before, step), after in table.items()
    ]
    return "\n".join([*lines, *arrows, "```\n"])


def _refused(diagram: Diagram, language: str) -> str:
    own = diagram.words
    titles = ("状态", "步骤", "拒绝") if language == "zh" else ("state", "step", "refused with")
    rows = ["| " + " | ".join(titles) + " |", "|---|---|---|"]
    rows += [
        f"| {_word(state.value, language, own)} | {_word(step.value, language, own)} | `{code}` |"
        for (state, step), code in diagram.refusals.items()
    ]
    return "\n".join([*rows, ""])


def _word(name: str, language: str, own: Mapping[str, str]) -> str:
    return (own.get(name) or WORDS[name]) if language == "zh" else name


def stale() -> list[Path]:
    """Return the pages that do not agree with the tables."""
    return [path for path, text in _pages() if not path.exists() or path.read_text("utf-8") != text]


def _pages() -> list[tuple[Path, str]]:
    return [(ROOT / "fep" / "docs" / language / "states.md", page(language)) for language in HEADS]


def main() -> int:
    """Write the pages, or say which are stale."""
    parser = argparse.ArgumentParser(prog="scripts/states.py", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the pages")
    if parser.parse_args().write:
        for path, text in _pages():
            path.write_text(text, "utf-8")
        return 0
    for path in stale():
        print(f"{path.relative_to(ROOT)} is stale: run scripts/states.py --write")
    return 1 if stale() else 0


if __name__ == "__main__":
    sys.exit(main())
