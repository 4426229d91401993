"""Sentences of receipt pages on the web and of test units."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("UNIT_TEST", "单位 {unit} 已开过票，不能再改 test（原为 {was}）",
          "Unit {unit} has issued receipts: its test key cannot change any more (it was {was})",
          "请恢复 test = {was}，另建一个单位文件",
          "Put test = {was} back and make a unit file of its own"),
    Fault("WEB_SECRET", "票据网页密钥 {path} 不可用：{why}",
          "The secret of receipt pages, {path}, cannot be used: {why}",
          "请从备份恢复该文件；删除后会重新生成，但已发出的网址全部失效",
          "Restore it from a backup; without it a new one is made and all old addresses die"),
    Fault("WEB_LISTEN", "网页地址 {endpoint} 无法监听：{why}",
          "The web address {endpoint} cannot be opened: {why}",
          "请检查 [web] listen，或停止占用该端口的程序",
          "Check [web] listen, or stop the program that holds the port"),
)  # fmt: skip
