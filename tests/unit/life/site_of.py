"""The shipped configuration, its unit renamed to the storeroom's."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from fep.domain.kind import Kind, Province, Unit
from fep.settings import template_dir
from fep.settings_site import KindFile, ProvinceFile, UnitFile
from tests.harness.storeroom import UNIT


def parts() -> tuple[dict[str, Unit], dict[str, Kind], dict[str, Province]]:
    """Return units, kinds and provinces; codes are those of the storeroom's numbers."""
    conf = template_dir()
    (path,) = (conf / "units").glob("*.toml")
    shipped = msgspec.toml.decode(path.read_bytes(), type=UnitFile).unit("key", "cert", "")
    unit = replace(shipped, code=UNIT)
    kinds = {
        path.stem: msgspec.toml.decode(path.read_bytes(), type=KindFile).kind(path.stem)
        for path in (conf / "kinds").glob("*.toml")
    }
    provinces = {
        path.stem: msgspec.toml.decode(path.read_bytes(), type=ProvinceFile).province(path.stem)
        for path in (conf / "provinces").glob("*.toml")
    }
    return {UNIT: unit}, kinds, provinces
