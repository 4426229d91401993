"""The direct link put together from settings: `[link] direct` names its file.

The file has [[destinations]] and [[units]] as relay.toml has them; one destination is used.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from fep.services.direct import Direct, Wire
from fep.services.direct_numbers import OnGrant, PlatformNumbers, direct_shelf
from fep.services.issue import Issue
from fep.services.linked import Budget, Parts
from fep.services.relay_build import make_platform
from fep.services.uplink import Uplink
from fep.services.uplink_ends import Ends
from fep.settings_relay import load_relay


def make_direct(parts: Parts, budget: Budget, on_grant: OnGrant) -> Direct:
    """Return the link of a node that speaks a dialect itself. Raises SettingsError."""
    link = parts.settings.link
    settings = load_relay(parts.settings.root / link.direct, direct=True)
    part = settings.file.destinations[0]
    platform = make_platform(parts.reactor, parts.clock, parts.entropy, settings, part)
    # There are no files, so there is nobody to sign them for and nothing to carry them.
    nobody: Any = None
    ends = Ends(
        reactor=parts.reactor, clock=parts.clock, entropy=parts.entropy, store=parts.store,
        settings=link, node_id=parts.settings.node.id, own=nobody,
        peers=nobody, carrier=cast("Any", Wire()), work=nobody, log=parts.log,
        on_answered=budget.answered, on_quota=budget.bind, breathe=lambda: None,
    )  # fmt: skip
    unit = next((one.code for one in settings.file.units if one.destination == part.name), "")
    return Direct(ends, platform, direct_shelf(parts.store, on_grant), in_flight=part.in_flight,
                  settle_s=part.settle_s, unit=unit)  # fmt: skip


def number_by_platform(parts: Parts, link: Uplink | None, issue: Issue, on_grant: OnGrant) -> None:
    """Have kinds with numbering `platform` ask for their numbers, where the link can."""
    direct = cast("object", link)
    if isinstance(direct, Direct):
        numbers = PlatformNumbers(
            parts.reactor, parts.clock, parts.store, direct, parts.settings.kinds, on_grant,
            parts.log,
        )  # fmt: skip
        issue.frozen_by = numbers.around(partial(issue.frozen_by))
