"""Sentences of the HTTP front, of /rpc and of a caller's limits."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("HTTP_LISTEN", "HTTP 地址 {endpoint} 无法监听：{why}",
          "The HTTP address {endpoint} cannot be opened: {why}",
          "请检查 [http] listen，或停止占用该端口的程序（ss -ltnp）",
          "Check [http] listen, or stop the program that holds the port (ss -ltnp)"),
    Fault("TLS_FILES", "证书 {cert} 或私钥 {key} 不可用：{why}",
          "The certificate {cert} or its key {key} cannot be used: {why}",
          "请检查 [tls] 的两个 PEM 文件是否存在、配对、可读",
          "Check that both PEM files of [tls] are there, belong together and can be read"),
    Fault("HTTP_PATH", "没有此地址：{path}", "There is nothing at {path}",
          "请核对 URL，方法名区分大小写", "Check the URL; method names are case sensitive"),
    Fault("HTTP_METHOD", "此地址不接受 {method}", "{method} is not taken here",
          "请按文档使用 POST 或 GET", "Use POST or GET as the manual says"),
    Fault("HTTP_BAD", "HTTP 请求不规范（{why}）", "The HTTP request is malformed ({why})",
          "请检查 URL 与报文编码", "Check URL and content coding"),
    Fault("REQ_BATCH", "不支持 JSON-RPC 批量数组", "JSON-RPC batch arrays are not taken",
          "请一次发送一个请求", "Send one request at a time"),
    Fault("AUTH_TIME", "请求时间与前置机相差过大（前置机 {now}）",
          "The request's time is too far from the front-end's ({now})",
          "请校准时钟后重新签名再发", "Set the clock, then sign and send again",
          retryable=True),
    Fault("AUTH_REPLAY", "X-Fep-Nonce 已用过", "The nonce was used before",
          "请换新随机数、重新签名后发送", "Send with a fresh nonce and a new mac"),
    Fault("AUTH_ADDRESS", "不允许从 {address} 接入", "Not allowed from {address}",
          "请管理员把该地址加入 addresses", "Have the address added to addresses"),
    Fault("CALLER_RATE", "超过每秒 {rate} 次的上限", "More than {rate} calls a second",
          "请放慢后用同一流水号重试", "Slow down, then repeat with the same key",
          retryable=True),
    Fault("CALLER_AMOUNT", "金额 {amount} 超过该系统单张上限 {limit}",
          "The amount {amount} is above this caller's limit of {limit}",
          "请核对金额；确需开具请管理员调整 max_amount",
          "Check the amount, or have max_amount raised"),
)  # fmt: skip
