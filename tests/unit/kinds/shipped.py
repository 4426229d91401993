"""The shipped kinds, unit and province, documents made of them, and the shipped schema."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from lxml import etree

import fep.wire
from fep.crypto import certs, der, sm3
from fep.crypto.certs import Certificate
from fep.crypto.curve import N
from fep.domain.event import BillingEvent
from fep.domain.kind import Kind, Province, Unit
from fep.settings import template_dir
from fep.settings_site import KindFile, ProvinceFile, UnitFile
from fep.wire import einvoice

S = TypeVar("S", bound=msgspec.Struct)
GOLDEN = Path(__file__).parents[2] / "golden"
NOON = 1_795_233_600_000  # 2026-11-21 12:00 +08:00
NUMBER, CHECK = "0022739009", "HJDsYN"


def table(kind: type[S], name: str) -> S:
    """Return a shipped file as its struct."""
    return msgspec.convert(tomllib.loads((template_dir() / name).read_text("utf-8")), kind)


@functools.cache
def kinds() -> dict[str, Kind]:
    """Return the shipped kinds by name."""
    names = sorted(path.stem for path in (template_dir() / "kinds").glob("*.toml"))
    return {name: table(KindFile, f"kinds/{name}.toml").kind(name) for name in names}


@functools.cache
def unit() -> Unit:
    """Return the shipped unit."""
    return table(UnitFile, "units/demo-hospital.toml").unit("keys/unit.key", "keys/unit.crt", "")


@functools.cache
def province(codec: str = "der") -> Province:
    """Return the shipped province of the unit with a codec for signatures."""
    found = table(ProvinceFile, "provinces/hubei.toml").province("hubei")
    return replace(found, signature_codec=codec)


@functools.cache
def certificate() -> Certificate:
    """Return a certificate that never changes."""
    return certs.parse((GOLDEN / "fpb" / "node.crt").read_bytes())


def original(event: BillingEvent, kind: Kind, at_ms: int = NOON) -> bytes:
    """Return the bytes that the unit signs."""
    code = kind.code(unit().area, 2026)
    return einvoice.prepare(event, kind, unit(), province())(code, NUMBER, CHECK, at_ms)


def stand_in(text: bytes) -> bytes:
    """Return a DER signature in form: nobody's, but the same for the same bytes."""
    r, s = (int.from_bytes(sm3.digest(bytes((n,)) + text), "big") % N or 1 for n in (1, 2))
    return der.write_signature(r, s)


def document(signed: bytes, codec: str = "der", *, supervised: bool = True) -> bytes:
    """Return the whole file around an original, with stand-ins for both signatures."""
    ours = einvoice.signature_element(stand_in(signed), NOON + 150, certificate(), province(codec))
    if not supervised:
        return einvoice.document(signed, ours, None)
    text = einvoice.finance_original(signed, ours.encode())
    theirs = einvoice.signature_element(stand_in(text), NOON + 9000, certificate(), province())
    return einvoice.document(signed, ours, theirs)


@functools.cache
def schema() -> Any:  # etree.XMLSchema: lxml has no types
    """Return the schema that ships beside the writer."""
    return etree.XMLSchema(etree.parse(str(Path(fep.wire.__file__).parent / "einvoice.xsd")))


def schema_faults(data: bytes) -> list[str]:
    """Return what the schema finds wrong with a file."""
    schema().validate(etree.fromstring(data))
    return [str(error.message) for error in schema().error_log]
