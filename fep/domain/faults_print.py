"""Sentences for everything that can go wrong between a sealed receipt and its paper.

Codes and meaning: facts/devices 7.8. The sentence is what the cashier sees: one cause, one
action. No I/O here.
"""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("DEV_UNREACHABLE", "打印机连接不上", "The device cannot be reached",
          "请检查打印机电源和网线", "Check power and network cable of the device", True),
    Fault("DEV_BUSY", "打印机正被其他终端占用", "The device is in use by another terminal",
          "请稍候，系统会自动再试", "Wait; it is tried again by itself", True),
    Fault("DEV_LOST", "打印机连接中断", "The connection to the device was lost",
          "正在重连，请检查网线", "Reconnecting; check the cable", True),
    Fault("DEV_TIMEOUT", "打印机无应答", "The device does not answer",
          "请检查打印机，必要时重新开机", "Check the device, restart it if need be", True),
    Fault("DEV_PROTOCOL", "打印机应答异常", "The device gave an answer that makes no sense",
          "请重启打印机后重试", "Restart the device and try again", False),
    Fault("DEV_IDENTITY", "打印机与登记信息不符", "The device is not the one registered",
          "请联系管理员核对型号和序列号", "Have model and serial number checked", False),
    Fault("DEV_CONFIG", "打印机参数有误", "The configuration of the device is wrong",
          "请检查 devices 目录下的配置", "Check its file in the devices directory", False),
    Fault("DEV_DRIVER_CRASH", "打印机驱动异常", "The driver of the device crashed",
          "已自动重启，若反复出现请报修", "It was restarted; report it if it recurs", True),
    Fault("DEV_UNKNOWN", "没有这台打印机", "There is no such device",
          "请用 fepctl devices 查看名称", "See the names with fepctl devices", False),
    Fault("PRN_PAPER_END", "打印机缺纸", "The printer is out of paper",
          "请装纸", "Load paper", True),
    Fault("PRN_PAPER_NEAR_END", "打印纸即将用完", "The paper is nearly used up",
          "请准备纸卷", "Have a roll ready", True),
    Fault("PRN_COVER_OPEN", "打印机上盖未合好", "The cover of the printer is open",
          "请合上上盖", "Close the cover", True),
    Fault("PRN_CUTTER", "打印机切刀卡纸", "The cutter is jammed",
          "请清理切刀后重新开关上盖", "Clear the cutter, then open and close the cover", True),
    Fault("PRN_OVERHEAT", "打印头过热", "The print head is too hot",
          "请稍候，冷却后自动继续", "Wait; it goes on when it has cooled", True),
    Fault("PRN_FATAL", "打印机故障", "The printer has a fatal error",
          "请关机并报修", "Switch it off and have it repaired", False),
    Fault("PRN_OFFLINE", "打印机处于脱机状态", "The printer is offline",
          "请检查打印机面板", "Look at the panel of the printer", True),
    Fault("PRN_UNCERTAIN", "打印结果不确定", "It is not known whether the paper came out",
          "已出纸请点“已打印”，未出纸请点“补打”", "Say printed if it did, reprint if not", False),
    Fault("PRN_CHAR", "含字库没有的汉字：{chars}", "No glyph for: {chars}",
          "请联系管理员安装字库", "Have a font with these characters installed", False),
    Fault("PRN_TEXT", "票面内容含控制字符", "The text holds control characters",
          "请联系系统管理员", "Tell the system administrator", False),
    Fault("PRN_TOO_LONG", "票面内容超出打印上限", "The slip is longer than may be printed",
          "请联系系统管理员", "Tell the system administrator", False),
    Fault("PRN_GLYPHS", "字形程序异常", "The glyph process does not answer",
          "系统会自动重启字形程序", "It is restarted by itself", True),
    Fault("PRN_JOB_STATE", "该打印任务当前不能这样处理：{state}",
          "The print job cannot be handled so in state {state}",
          "请刷新后查看任务状态", "Look at the job again", False),
    Fault("PRN_JOB_NONE", "没有这个打印任务", "There is no such print job",
          "请核对任务编号", "Check the job number", False),
)  # fmt: skip
