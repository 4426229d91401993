"""[callers.his]: what the codes of a business system mean here, for the doors that speak its
dialect. Every table may be left out: a code that is not mapped passes as it is."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from fep.wire.dialects.medical_codes import Codes

Code = Annotated[str, Meta(min_length=1, max_length=60)]
Ours = Annotated[str, Meta(min_length=1, max_length=40)]


class HisSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[callers.his]: unit and window, code tables, the key of an event."""

    unit: Annotated[str, Meta(max_length=40)] = ""
    point: Annotated[str, Meta(max_length=40)] = ""
    points: dict[Code, Ours] = {}
    kinds: dict[Code, Ours] = {}
    channels: dict[Code, Ours] = {}
    items: dict[Code, Ours] = {}
    key_rule: Annotated[
        str, Meta(pattern=r"^(busNo|content|(before|after):.{1,5}|field:[A-Za-z]{1,40})$")
    ] = "busNo"
    net_base: Annotated[str, Meta(pattern=r"^(https?://[^\s/]+(/[^\s]*[^\s/])?)?$")] = ""

    def codes(self) -> Codes:
        """Return the value that the doors use."""
        return Codes(
            self.unit, self.point, self.points, self.kinds, self.channels, self.items,
            self.key_rule, self.net_base,
        )  # fmt: skip
