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
    Fault("REC_NONE", "没有编号为 {id} 的对账差异", "There is no difference {id}",
          "请看 fepctl reconcile show", "See fepctl reconcile show"),
    Fault("REC_STATE", "差异 {name} 现在是 {state}，不能这样处理",
          "The difference {name} is {state}; that cannot be done now",
          "请先重新对账：fepctl reconcile run", "Compare again first: fepctl reconcile run"),
    Fault("REC_NO_PLATFORM", "没有可以对账的平台：{why}",
          "There is no platform to compare with: {why}",
          "请检查 fep.toml 的 [link]", "Look at [link] in fep.toml"),
    Fault("REC_SILENT", "平台在 {minutes} 分钟内没有应答对账",
          "The platform did not answer the comparison within {minutes} minutes",
          "请看 fepctl link；通道恢复后重新对账",
          "See fepctl link; compare again when it is back", retryable=True),
    Fault("REC_UNABLE", "平台不能应答对账：{why}", "The platform cannot answer: {why}",
          "请与财政部门人工对账", "Compare with the finance bureau by hand"),
    Fault("REC_BUSY", "正在对账 {day}", "{day} is being compared",
          "请等它结束：fepctl reconcile show", "Wait for it: fepctl reconcile show",
          retryable=True),
)  # fmt: skip
