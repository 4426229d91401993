"""Faults of the callers a site keeps, of cut-over day and of looking over a caller's shoulder."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("CALLER_UNKNOWN", "没有业务系统 {appid}", "There is no caller {appid}",
          "用 fepctl callers list 查看已有的", "See fepctl callers list"),
    Fault("CALLER_EXISTS", "业务系统 {appid} 已存在（{where}）",
          "There is a caller {appid} already ({where})",
          "修改用 fepctl callers change，换密钥用 fepctl callers rotate",
          "Use fepctl callers change, or rotate for a new key"),
    Fault("CALLER_BY_HAND", "业务系统 {appid} 写在 fep.toml 里，命令不改手写的配置",
          "Caller {appid} is written in fep.toml, which no command changes",
          "请改 fep.toml 的 [[callers]]，再运行 fepctl callers reload",
          "Edit [[callers]] of fep.toml, then run fepctl callers reload"),
    Fault("CALLER_FILES", "业务系统配置有误：{why_zh}", "The callers are wrong: {why_en}",
          "改正后再试；原配置仍在使用", "Put it right; what was in force stays in force"),
    Fault("CALLER_WRITE", "写不了 {path}：{why}", "{path} cannot be written: {why}",
          "请以 root 或服务用户运行", "Run it as root or as the service user"),
    Fault("CALLER_KEY_SHAPE", "密钥应为 {least} 至 {most} 个可见 ASCII 字符，不含空格",
          "A key is {least} to {most} visible ASCII characters without blanks",
          "请核对密钥文件", "Check the key file"),
    Fault("CALLER_KEY_FILE", "密钥文件 {path} 读不了：{why}",
          "Key file {path} cannot be read: {why}",
          "请检查文件与权限（0600，属服务用户）", "Check the file, its mode (0600) and its owner"),
    Fault("CALLER_KEY_SEAL", "业务系统 {appid} 的密钥 {path} 打不开：不是用本机节点密钥加密的",
          "The key {path} of caller {appid} cannot be opened: not sealed under this node's key",
          "用 fepctl callers rotate 换发，或找回原节点密钥",
          "Give out a new one with fepctl callers rotate, or bring the node's key back"),
    Fault("CALLER_NODE_KEY", "节点密钥打不开，业务系统的密钥无法加密保存：{why}",
          "The node's key cannot be opened, so no caller's key can be sealed: {why}",
          "先运行 fepctl doctor", "Run fepctl doctor first"),
    Fault("TRACE_BUSY", "已有 {count} 个跟踪在进行", "{count} traces are under way already",
          "请先结束别的 fepctl his trace", "End another fepctl his trace first", retryable=True),
)  # fmt: skip
