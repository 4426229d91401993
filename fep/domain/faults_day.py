"""Sentences about closing a day and comparing it with the platform."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("DAY_NAME", "日期不对：{text}", "Not a date: {text}",
          "请写成 2026-11-21、2026-11 或 2026", "Write it as 2026-11-21, 2026-11 or 2026"),
    Fault("DAY_OPEN", "{day} 还没有结束，不能日结", "{day} is not over and cannot be closed",
          "请在次日零点后再结", "Close it after midnight"),
    Fault("DAY_NONE", "单位 {unit} 的 {day} 没有日结",
          "Unit {unit} has no closed day {day}",
          "请看 fepctl day list；需要时运行 fepctl day close",
          "See fepctl day list; run fepctl day close if need be"),
    Fault("DAY_NO_KEY", "节点密钥不可用，日结不能签名",
          "The node key cannot be used; a day cannot be signed",
          "请运行 fepctl doctor 检查 keys/node.key", "Run fepctl doctor and look at keys/node.key"),
    Fault("DAY_HELD", "现在不能日结：{why}", "No day can be closed now: {why}",
          "请先运行 fepctl doctor，处理后再结", "Run fepctl doctor, put it right, then close",
          retryable=True),
    Fault("DAY_BROKEN", "日结 {day} 的签名或内容不符", "The closed day {day} does not verify",
          "请停止使用并联系维护人员，运行 fepctl journal verify",
          "Call the technician and run fepctl journal verify"),
)  # fmt: skip
