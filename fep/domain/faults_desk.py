"""Sentences for technician and accountant: what the command line and its desk refuse."""

from __future__ import annotations

from fep.domain.faults import Fault, Refused

CATALOGUE: tuple[Fault, ...] = (
    Fault("CTL_CONFIG_NONE", "找不到配置文件（查找过：{tried}）",
          "There is no configuration (looked at: {tried})",
          "请用 -c 指定 fep.toml，或先运行 fepctl init 目录",
          "Name fep.toml with -c, or run fepctl init DIR first"),
    Fault("CTL_CONFIG_BAD", "配置文件 {path} 有误：{why}",
          "The configuration {path} is wrong: {why}",
          "请运行 fepctl -c {path} config check", "Run fepctl -c {path} config check"),
    Fault("CTL_DENIED", "无权访问 {path}", "No permission to open {path}",
          "请用 sudo 运行，或加入控制组（fep.toml 中 api.control_group）",
          "Run it with sudo, or join the group named by api.control_group in fep.toml"),
    Fault("CTL_NO_STORE", "还没有数据：{path}", "There is no data yet: {path}",
          "请先启动前置机：{start}", "Start the front-end: {start}"),
    Fault("CTL_STARTING", "前置机进程 {pid} 占用数据目录但没有应答",
          "Process {pid} holds the data directory but does not answer",
          "请稍候再试；仍无应答请查看 journalctl -u fep",
          "Try again in a moment; if it stays, see journalctl -u fep", True),
    Fault("CTL_STOPPED", "前置机没有运行，{verb} 需要它运行",
          "The front-end is stopped; {verb} needs it",
          "请先启动：{start}", "Start it first: {start}"),
    Fault("CTL_LOST", "与前置机的连接中断：{why}",
          "The connection to the front-end was lost: {why}",
          "请运行 fepctl status 确认后再试", "See fepctl status, then try again", True),
    Fault("CTL_USAGE", "命令用法不对：{why}", "Wrong usage: {why}",
          "请加 --help 查看用法", "See --help"),
    Fault("CTL_FILE", "文件 {path} 无法读写：{why}", "File {path} cannot be read or written: {why}",
          "请检查路径与权限", "Check path and permission"),
    Fault("CTL_TOPIC", "没有手册主题 {topic}", "There is no manual topic {topic}",
          "可用主题：{topics}", "Topics: {topics}"),
    Fault("CTL_UNMASK", "显示个人信息的许可无效或已过期",
          "The grant to show personal fields is not valid",
          "请加 --unmask 原因 重新运行", "Run it again with --unmask REASON"),
    Fault("NUM_CODE", "单位 {unit} 没有票据种类使用票据代码 {code}（现用：{known}）",
          "No kind of unit {unit} has the code {code} (in use: {known})",
          "请核对批准文件；新增种类请先配置 kinds/，再看 fepctl kinds check",
          "Compare it with the approval; configure a new kind in kinds/ first, then see"
          " fepctl kinds check"),
    Fault("CTL_REASON", "没有说明原因", "No reason was given",
          "请加 --reason 原因", "Add --reason TEXT"),
    Fault("CTL_ABSENT", "未启用：{what}", "Not configured: {what}",
          "请检查 fep.toml", "Check fep.toml"),
    Fault("RCP_NAME", "不是票据编号：{name}", "Not the name of a receipt: {name}",
          "请用 8位代码-10位号码，如 42060126-0000000001",
          "Use CODE-NUMBER with 8 and 10 digits, as in 42060126-0000000001"),
    Fault("RCP_UNSIGNED", "票据 {name} 还没有签名", "Receipt {name} is not signed",
          "请稍候，或运行 fepctl receipts show {name}",
          "Wait, or run fepctl receipts show {name}", True),
    Fault("VFY_DOCUMENT", "不是电子票据文件：{why}", "Not an e-receipt document: {why}",
          "请给出完整的票据 XML 文件", "Give the complete XML document of a receipt"),
    Fault("VFY_CERT", "找不到序列号为 {serial} 的证书",
          "No certificate with serial {serial} is known",
          "请用 --cert 指定证书文件", "Name the certificate with --cert"),
    Fault("JRN_START", "日志账中没有第 {seq} 条", "The journal has no record {seq}",
          "请从第 1 条开始", "Start at record 1"),
)  # fmt: skip

# State and reason of a link (fep/domain/link.py) as an operator reads them.
LINK_WORDS: dict[str, str] = {
    "online": "在线", "degraded": "欠佳", "offline": "离线", "stalled": "已停住",
    "unknown": "未知", "never-heard": "从未收到平台消息", "silent": "平台无消息",
    "paused": "人工暂停", "carrier": "交换目录不可用", "late": "平台应答迟",
    "damaged": "收到损坏文件", "chain": "平台文件不连续", "head": "摘要不一致",
    "closed": "网闸不在开放时间", "one-way": "单向，回执须人工带入",
    "peer-chain": "平台称文件不连续", "peer-lost": "平台称缺少已确认的批次",
    "refused-key-unknown": "平台不认本机证书", "refused-version": "平台不认本机的文件版本",
    "refused-receiver": "平台称文件不是给它的", "refused-too-big": "平台嫌文件太大",
}  # fmt: skip
DEVICE_WORDS: dict[str, str] = {
    "ready": "就绪", "degraded": "欠佳", "stopped": "未运行", "disabled": "停用",
    "opening": "正在连接", "lost": "已断开", "failed": "故障", "configured": "未连接",
    "claimed": "被占用", "printing": "正在打印", "busy": "交易中", "recovering": "查询未知交易",
    "fault": "故障",
}  # fmt: skip

_BY_CODE = {entry.code: entry for entry in CATALOGUE}


def desk_refuse(code: str, /, **details: object) -> Refused:
    """Return the refusal to raise; the command line needs no other part of the catalogue."""
    return Refused(_BY_CODE[code], details)
