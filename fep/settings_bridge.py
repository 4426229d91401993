"""[bridge] of fep.toml: where fep-bridges connect, and which there are.

Rules: nothing listens until somebody says where; every bridge has a key of its own, and a PC
that nobody registered is told nothing. Nothing is read here.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from fep.settings_device import DeviceSettings
from fep.settings_places import parse_endpoint
from fep.settings_toml import Source, Trail


class BridgePc(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[[bridge.pcs]]: one PC, its key file, and where its local print component prints to.

    `point` empty: what programs of the PC ask to be printed goes to the receipt's own point.
    """

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$")]
    key_file: Path
    name: Annotated[str, Meta(max_length=60)] = ""
    addresses: tuple[str, ...] = ()
    point: Annotated[str, Meta(max_length=40)] = ""


class BridgeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """[bridge]: off while `listen` is empty."""

    listen: tuple[str, ...] = ()
    pcs: tuple[BridgePc, ...] = ()


def check_bridge(source: Source, bridge: BridgeSettings,
                 devices: Sequence[tuple[Source, DeviceSettings]]) -> None:  # fmt: skip
    """Note what is wrong in [bridge], and devices at bridges that are not there."""
    for place, text in enumerate(bridge.listen):
        trail: Trail = ("bridge", "listen", place)
        try:
            parse_endpoint(text)
        except ValueError as error:
            source.wrong(trail, f"监听地址写法不对：{error}", f"not an endpoint: {error}",
                         "tcp:7600")  # fmt: skip
    ids: set[str] = set()
    for place, pc in enumerate(bridge.pcs):
        if pc.id in ids:
            source.wrong(("bridge", "pcs", place, "id"), f"桥 {pc.id} 重复",
                         f"bridge {pc.id} exists twice")  # fmt: skip
        ids.add(pc.id)
    for at, device in devices:
        named = device.transport.bridge
        if named is not None and named not in ids:
            near = difflib.get_close_matches(named, ids, n=1, cutoff=0.4)
            at.wrong(("transport", "bridge"), f"[[bridge.pcs]] 中没有 {named}",
                     f"there is no {named} in [[bridge.pcs]]",
                     near[0] if near else " | ".join(sorted(ids)))  # fmt: skip
    if bridge.pcs and not bridge.listen:
        source.wrong(("bridge", "listen"), "登记了桥，但没有监听地址",
                     "there are bridges, but nothing listens for them", 'listen = ["tcp:7600"]',
                     weak=True)  # fmt: skip
