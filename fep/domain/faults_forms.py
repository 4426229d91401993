"""Sentences for form printing (套打): descriptions, sheets in the tractor, spoiled sheets."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("FRM_SHEET_MISMATCH", "票据印刷号 {given} 与系统的 {sheet} 不一致，没有打印",
          "The sheet {given} is not {sheet}; nothing was printed",
          "请核对打印机上的纸张，放入 {sheet} 后再确认", "Load {sheet}, then confirm again"),
    Fault("FRM_CONFIRM", "套打任务等待核对印刷号", "The form waits for its sheet to be confirmed",
          "请核对打印机上的印刷号：fepctl paper confirm",
          "Compare the sheet in the printer: fepctl paper confirm"),
    Fault("FRM_CONFIRM_OLD", "核对印刷号已过两分钟，没有打印",
          "The sheet was confirmed more than two minutes ago; nothing was printed",
          "请再核对一次印刷号：fepctl paper confirm", "Confirm it again: fepctl paper confirm"),
    Fault("FRM_GROUP", "开票点 {point} 没有套打打印机", "Point {point} has no form printer",
          "请为该组配置 driver = \"escp\" 的设备",
          "Give its group a device with driver = \"escp\""),
    Fault("FRM_DEVICE", "请指明打印机：{devices}", "Name the printer: {devices}",
          "加 --device 设备名", "Add --device NAME"),
    Fault("FRM_NONE", "票据种类 {kind} 没有套打格式", "No form is described for kind {kind}",
          "请在 forms/*.toml 的 kinds 中写上该种类", "Name the kind in forms/*.toml"),
    Fault("FRM_GRID", "请指明打印机上装的是哪种票", "Say which sheets the printer has loaded",
          "加 --form 格式名（见 fepctl forms check）", "Add --form NAME (see fepctl forms check)"),
    Fault("FRM_OVERFLOW", "套打格式 {form} 的 {field} 放不下：{text}",
          "Form {form}: {field} has no room for: {text}",
          "请加大该栏或改用整页打印；未占用纸质票", "Enlarge its box; no sheet was taken"),
    Fault("FRM_OFF_SHEET", "内容超出纸张或打印范围", "A text would stand beside the sheet",
          "请检查打印机的偏移和套打格式", "Check the offset of the printer and the form"),
    Fault("FRM_JOB_NONE", "没有这个套打任务：{job}", "There is no such form job: {job}",
          "请运行 fepctl paper jobs 查看", "See fepctl paper jobs"),
    Fault("FRM_JOB_STATE", "套打任务 {job} 的状态是 {state}，不能这样处理",
          "Form job {job} is {state}; this cannot be done",
          "请运行 fepctl paper jobs 查看", "See fepctl paper jobs"),
    Fault("FRM_OPEN", "纸质票 {sheet} 的套打任务 {job} 尚未了结",
          "Form job {job} of sheet {sheet} is not settled",
          "请先确认、说明结果或作废：fepctl paper jobs", "Settle it first: fepctl paper jobs"),
    Fault("FRM_TWO", "作废打印结果不明的纸质票需两个人同意", "Two people must approve",
          "请写 --approve 甲 --approve 乙", "Give --approve ONE --approve TWO"),
    Fault("FRM_FORM", "套打格式 {form} 有误：{why}", "The form {form} is wrong: {why}",
          "请修改后运行 fepctl forms check", "Mend it, then run fepctl forms check"),
)  # fmt: skip
