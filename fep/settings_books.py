"""[reconcile] of fep.toml: comparing our books with the platform's."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class ReconcileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When yesterday is compared, and how long the platform may take to answer."""

    enabled: bool = True
    hour: Annotated[int, Meta(ge=0, le=23)] = 3
    minute: Annotated[int, Meta(ge=0, le=59)] = 10
    patience_minutes: Annotated[int, Meta(ge=1, le=10_080)] = 720
