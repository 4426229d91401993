"""Faults of talking to a platform in its own dialect."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("NUM_PLATFORM", "平台没有给出号码，种类 {kind} 不可离线开具",
          "The platform gave no number and kind {kind} may not be issued offline",
          "请稍候再试，或用 fepctl link 查看通道", "Try again soon, or see fepctl link", True),
)  # fmt: skip
