"""The medical dialect: `/medical-web/api/medical/<method>`, as the field's HIS speak it.

One object for the front: `Medical(ctx).door`. What is offered is in the tables of its parts;
every other method is answered 未提供 with an E-code, never with a 404.
"""

from __future__ import annotations

from fep.services.his_context import HisContext
from fep.services.http_values import HttpAnswer, HttpRequest
from fep.services.medical_door import Door, DoorMethod
from fep.services.medical_issue import Issuing
from fep.services.medical_lists import Lists
from fep.services.medical_one import Ones
from fep.services.medical_red import Reds
from fep.services.medical_words import Words

PREFIX = "/medical-web/api/medical/"


class Medical:
    """The door of hospitals. Other dialects of the family take parts of its table."""

    def __init__(self, ctx: HisContext) -> None:
        words = Words(ctx)
        self.words = words
        self.issuing = Issuing(ctx, words)
        self.methods: dict[str, DoorMethod] = {
            **self.issuing.methods(),
            **Reds(ctx, words).methods(),
            **Ones(ctx, words).methods(),
            **Lists(ctx, words).methods(),
        }
        self._door = Door(ctx, self.methods)

    async def door(self, request: HttpRequest) -> HttpAnswer:
        """Answer one request, always with HTTP 200; nothing is raised."""
        return await self._door.answer(request)
