"""Faults of a kind of receipt: what its configuration forbids an event."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("KIND_OFFLINE", "{name}不允许离线开具，而财政平台现在连不上",
          "{name} may not be issued offline, and the platform cannot be reached now",
          "请等上报通道恢复后用同一流水号重试，或运行 fepctl link",
          "Repeat with the same key when the link is back, or run fepctl link", retryable=True),
    Fault("KIND_NEGATIVE", "{name}不允许负数项目：{item} {amount}",
          "{name} takes no negative lines: {item} {amount}",
          "请核对项目金额；退费请用冲红", "Check the item; a refund is a reversal"),
    Fault("KIND_FACE", "{name}票面最多 {limit} 项，此单有 {count} 项",
          "{name} holds {limit} items at most, this event has {count}",
          "请拆分业务单", "Split the event"),
)  # fmt: skip
