"""Faults of the link and of the offline budget."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("OFF_HOURS", "离线已满 {hours} 小时，暂停开票",
          "Offline for {hours} hours, issuing is paused",
          "请恢复与财政平台的连接", "Restore the link to the platform", True),
    Fault("OFF_COUNT", "未上报票据已达 {count} 张，暂停开票",
          "{count} receipts wait for the platform, issuing is paused",
          "请恢复与财政平台的连接", "Restore the link to the platform", True),
    Fault("OFF_AMOUNT", "未上报金额将超过 {amount} 元，暂停开票",
          "The amount waiting for the platform would pass {amount} yuan, issuing is paused",
          "请恢复与财政平台的连接", "Restore the link to the platform", True),
    Fault("LINK_CHAIN", "平台下发的文件前后不连续，已停止接收",
          "Files from the platform do not follow each other, reception has stopped",
          "请联系财政平台核对后运行 fepctl link resume",
          "Check with the platform, then run fepctl link resume", False),
    Fault("LINK_HEAD", "平台记录的摘要与本机不一致，已停止上报",
          "The platform's record digest differs from ours, uploading has stopped",
          "请联系财政平台核对，勿自行处理",
          "Check with the platform before anything else", False),
    Fault("LINK_PEER_LOST", "平台索要已确认过的批次 {seq}",
          "The platform asks for batch {seq} which it acknowledged",
          "请联系财政平台核对其数据", "Have the platform check its data", False),
    Fault("LINK_CARRIER", "交换目录不可用：{why}", "The exchange directory cannot be used: {why}",
          "请检查目录、权限与磁盘空间", "Check directory, rights and disk space", True),
    Fault("LINK_REFUSED", "平台拒收本机文件：{why}", "The platform refuses our files: {why}",
          "请核对证书与单位登记", "Check certificate and registration", False),
    Fault("LINK_FILE", "这个文件不能带入：{why}", "This file cannot be brought in: {why}",
          "请确认是平台给本机的批次文件，且拷贝完整",
          "See that it is a batch file of the platform for this node, copied whole", False),
    Fault("LINK_KEY", "通道证书不能这样更换：{why}",
          "The link's certificate cannot be changed so: {why}",
          "请核对 [link] next_key、next_cert；待批次全部应答后再作废旧证书",
          "See [link] next_key, next_cert; revoke an old one when all batches are answered", False),
    Fault("LINK_UNKNOWN", "没有这个上报目的地：{dest}", "There is no destination {dest}",
          "请用 fepctl link 查看", "See fepctl link", False),
)  # fmt: skip
