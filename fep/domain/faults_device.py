"""Sentences about the life of devices: who holds them, who switched them off, what was asked of
one that it cannot do. Kiosk input (identity cards, scanners) too. No I/O here.
"""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("DEV_REFUSED", "设备一直拒绝连接：可能没有开机、端口不对，或一直被别的程序占用",
          "The device keeps refusing the connection: it is off, the port is wrong, or another "
          "program never lets go of it",
          "请开机并核对地址和端口，再关闭占用它的程序；恢复后自动继续",
          "Switch it on, compare address and port, then close the program that holds it; "
          "it goes on by itself", True),
    Fault("DEV_DISABLED", "设备已被人工停用", "The device was switched off by a person",
          "启用：fepctl devices enable", "Switch it on: fepctl devices enable", False),
    Fault("DEV_FAILED", "设备故障，须人工复位", "The device failed and waits for a person",
          "排除故障后：fepctl devices reset", "Mend it, then: fepctl devices reset", False),
    Fault("DEV_CLAIMED", "设备正由 {owner} 占用，至 {until}",
          "The device is held by {owner} until {until}",
          "本人请加 --owner；他人请等其放开，或 fepctl devices release --force",
          "Say --owner if that is you; else wait, or: fepctl devices release --force", True),
    Fault("DEV_NOT_CLAIMED", "设备没有被占用", "Nobody holds the device",
          "请用 fepctl devices list 查看", "See it with fepctl devices list", False),
    Fault("DEV_NOT_DISABLED", "设备没有被停用", "The device is not switched off",
          "请用 fepctl devices list 查看", "See it with fepctl devices list", False),
    Fault("DEV_WAITS", "打印还没有启动", "Printing has not started",
          "请看停止开票的原因：fepctl fence", "See why: fepctl fence", True),
    Fault("DEV_KIND", "{device} 是 POS 终端，不能这样操作",
          "{device} is a payment terminal; this is not for terminals",
          "POS 终端请用 fepctl payments", "Use fepctl payments for terminals", False),
    Fault("DEV_GROUP", "没有设备组 {group}", "There is no device group {group}",
          "请用 fepctl devices list 查看设备组", "See the groups with fepctl devices list", False),
    Fault("DEV_SHEETS", "设备组 {group} 只打预印票，不能接收其他任务",
          "Group {group} prints preprinted sheets only and takes no other jobs",
          "请选别的设备组", "Choose another group", False),
    Fault("DEV_POINT", "单位 {unit} 没有开票点 {point}", "Unit {unit} has no point {point}",
          "请核对 units 目录下的配置；几个单位同名时加 --unit",
          "Check the files in the units directory; say --unit where several have it", False),
    Fault("DEV_FILE", "文件 {file} 不可用：{why}", "The file {file} is unusable: {why}",
          "改正后运行 fepctl config check", "Mend it, then run fepctl config check", False),
    Fault("DEV_EXISTS", "已有设备 {device}", "There is a device {device} already",
          "请换名称，或直接修改其文件", "Choose another name, or edit its file", False),
    Fault("DEV_ADDRESS", "地址写法不对：{why}", "Not an address: {why}",
          "例如 tcp:10.1.2.31:9100、serial:/dev/serial/by-id/…",
          "For example tcp:10.1.2.31:9100, serial:/dev/serial/by-id/…", False),
    Fault("DEV_NETWORK", "要查找的地址太多：{count} 个，最多 {most} 个",
          "Too many addresses to ask: {count}, at most {most}",
          "请缩小网段", "Name a smaller network", False),
    Fault("PRN_ERROR", "打印机报错，没有说明原因", "The printer reports an error without its cause",
          "请查看打印机面板，排除后自动继续", "Look at its panel; it goes on by itself", True),
    Fault("IDR_NO_CARD", "请放置身份证", "No identity card is there",
          "请把身份证放到读卡区", "Put the card on the reader", True),
    Fault("IDR_READ", "身份证读取失败", "The identity card could not be read",
          "请取下身份证重新放置", "Take the card away and put it back", True),
    Fault("SCN_BAD", "二维码无法识别", "The code could not be read",
          "请重新扫描", "Scan it again", True),
)  # fmt: skip
