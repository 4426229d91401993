"""What the desk tells of form printing (套打): sheets nobody knows about."""

from __future__ import annotations

from typing import Any

from fep.services.desk_context import DeskContext
from fep.services.forms import told
from fep.store import forms


async def unknown_forms(ctx: DeskContext, limit: int) -> list[dict[str, Any]]:
    """Return form jobs whose sheet may have got ink, the oldest first."""
    found = await ctx.read(forms.unknown_q, limit, live=ctx.live)
    return [told(job) for job in found]
