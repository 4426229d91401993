"""Sentences for everything that can go wrong between the daemon and a fep-bridge. No I/O."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("BRG_LISTEN", "桥的监听地址不可用：{endpoint}（{why}）",
          "Bridges cannot connect, {endpoint} cannot be had: {why}",
          "请检查 [bridge] listen 和占用端口的程序",
          "Check [bridge] listen and what else uses the port", False),
    Fault("BRG_KEY", "桥 {bridge} 的密钥文件不可用：{why}",
          "The key file of bridge {bridge} cannot be used: {why}",
          "请用 fepctl bridges key {bridge} 重新生成", "Make one with fepctl bridges key {bridge}",
          False),
    Fault("BRG_UNKNOWN", "没有登记名为 {bridge} 的桥", "There is no bridge named {bridge}",
          "请在 fep.toml 的 [[bridge.pcs]] 中登记", "Register it in [[bridge.pcs]] of fep.toml",
          False),
    Fault("BRG_AWAY", "桥 {bridge} 未连接", "Bridge {bridge} is not connected",
          "请检查该电脑上的 fep-bridge 和网络", "Check fep-bridge on that PC, and the network",
          True),
    Fault("BRG_JOURNAL_BACK", "桥 {bridge} 的日志倒退（电脑可能恢复过旧备份）",
          "The journal of bridge {bridge} went back, as after a restored backup",
          "请停止 fep-bridge，移走其 journal 目录后再启动；未知支付请人工核对",
          "Stop fep-bridge, move its journal directory away and start it again; "
          "have unknown payments looked at", False),
    Fault("BRG_TWICE", "有两台电脑都自称是桥 {bridge}", "Two PCs say to be bridge {bridge}",
          "每台电脑单独登记，各用各的安装目录",
          "Register each PC, give each a kit of its own", False),
    Fault("POS_UNSURE", "收银电脑在交易中途中断，结果不明",
          "The cashier's PC stopped in the middle of the payment",
          "请勿重复刷卡，凭签购单或结算核对", "Do not charge again: look at slip or settlement",
          False),
)  # fmt: skip
