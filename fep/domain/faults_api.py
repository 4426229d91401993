"""Faults of the socket API beyond one receipt: batches, the feed, notifications, exports."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("BATCH_CONFLICT", "批次号 {key} 已提交过，但内容不同",
          "Batch key {key} was submitted before with other content",
          "新的业务单请用新的批次号；重发请保持内容不变",
          "Use a new batch key for new events; repeat a batch unchanged"),
    Fault("BATCH_UNKNOWN", "没有批次 {key}", "There is no batch {key}",
          "请核对批次号；批次只能由提交它的业务系统查询",
          "Check the key; only the caller who submitted a batch may ask for it"),
    Fault("BATCH_SIZE", "批次有 {count} 张业务单，允许 1 至 {limit} 张",
          "The batch has {count} events; 1 to {limit} are allowed",
          "请拆成多个批次", "Split it into several batches"),
    Fault("FEED_AHEAD", "游标 {since} 超过最新记录 {last}",
          "Cursor {since} lies beyond the newest record, {last}",
          "本机数据可能恢复过备份，请从 {last} 之前重新读取并核对",
          "The store may have been restored; read again from before {last} and compare"),
    Fault("NOTIFY_DOOR", "此入口不能推送通知", "This door cannot push notifications",
          "请用套接字接口（TCP 7500）订阅，或定时调用 event.list",
          "Subscribe over the socket (TCP 7500), or ask event.list from time to time"),
    Fault("NOTIFY_FULL", "订阅数已达上限 {limit}", "There are {limit} subscriptions already",
          "请先关闭不用的连接", "Close connections that are not used", retryable=True),
    Fault("EXPORT_PERIOD", "导出期间不对：{first} 至 {last}",
          "Not a period to export: {first} to {last}",
          "日期写作 YYYY-MM-DD，起不晚于止", "Write YYYY-MM-DD, the first not after the last"),
)  # fmt: skip
