"""Desk methods over signing keys: which there are, which signs, and a person's word after a PIN
was refused. Nothing here ever shows a key, a passphrase or a PIN."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from fep.crypto import certs
from fep.crypto.errors import CryptoError
from fep.domain.faults import refuse
from fep.domain.kind import KeyPlace
from fep.services import desk_checks
from fep.services.desk_checks import CERT_SOON, Check, State
from fep.services.desk_context import DeskContext, Method, Params, stated
from fep.services.signing import UnitSigner, signer_fault
from fep.services.signing_bench import ROLES, secret_of
from fep.settings import SettingsError


class ResetParams(Params):
    """keys.reset: which key of a unit may be logged in at again, and why."""

    unit: str
    reason: str
    role: str = "main"


async def list_keys(ctx: DeskContext, _asked: Params) -> dict[str, Any]:
    """Return every signing key of the node with its certificate, and which signs now."""
    now = ctx.clock.wall()
    return {"keys": await ctx.aside(_unit_rows, ctx, now) + await ctx.aside(_node_rows, ctx, now)}


def _unit_rows(ctx: DeskContext, now: datetime) -> list[dict[str, Any]]:
    rows = []
    for unit in _units(ctx):
        signers = ctx.bench.chain(unit.code) if ctx.bench is not None else ()
        for number, place in enumerate(unit.key_places()):
            signer = signers[number] if number < len(signers) else None
            where = place.library if place.kind == "skf" else place.key
            rows.append({
                "unit": unit.code, "role": ROLES[number], "kind": place.kind, "where": where,
                **_state(ctx, unit.code, signer), **_certificate(ctx.settings, place.cert, now),
            })  # fmt: skip
    return rows


def _state(ctx: DeskContext, unit: str, signer: UnitSigner | None) -> dict[str, Any]:
    if signer is None:
        return {"state": "stopped", "signs": False, "backend": "", "fault": "", "zh": "", "en": ""}
    fault = signer_fault(signer)
    return {
        "state": signer.state, "signs": ctx.bench.active[unit] is signer,
        "backend": signer.backend, "fault": fault.code if fault else "",
        "zh": fault.zh if fault else "", "en": fault.en if fault else "",
    }  # fmt: skip


def _node_rows(ctx: DeskContext, now: datetime) -> list[dict[str, Any]]:
    if ctx.settings is None:
        return []
    rows = []
    for role, key, cert in (
        ("node", str(ctx.settings.node.key), str(ctx.settings.node.cert)),
        ("platform", "", str(ctx.settings.link.platform_cert)),
    ):
        told = _certificate(ctx.settings, cert, now)
        if told["serial"] or role == "node":
            rows.append({"unit": "", "role": role, "kind": "file", "where": key or cert,
                         **_state(ctx, "", None), "state": "", **told})  # fmt: skip
    return rows


def _certificate(settings: Any, path: str, now: datetime) -> dict[str, Any]:
    told: dict[str, Any] = {"cert": path, "subject": "", "serial": "", "not_before": "",
                            "not_after": "", "sm3": "", "valid": "missing"}  # fmt: skip
    try:
        held = certs.parse((Path(settings.root) / path).read_bytes())
    except (OSError, CryptoError):
        return told
    if not held.not_before <= now <= held.not_after:
        valid = "expired" if now > held.not_after else "early"
    else:
        valid = "soon" if held.not_after - now < CERT_SOON else "ok"
    return told | {
        "subject": held.subject, "serial": held.serial_hex, "sm3": held.fingerprint.hex(),
        "not_before": held.not_before.isoformat(), "not_after": held.not_after.isoformat(),
        "valid": valid,
    }  # fmt: skip


async def reset_key(ctx: DeskContext, asked: ResetParams) -> dict[str, Any]:
    """Open a key anew after a person has put right what was wrong with its PIN."""
    reason = stated(asked.reason)
    store = ctx.writer("keys reset")
    signer = ctx.bench.find(asked.unit, asked.role)
    try:
        secret = await ctx.aside(secret_of, _place(ctx, asked), ctx.settings.root)
    except SettingsError as error:
        raise refuse("SIG_KEY", why=str(error)) from error
    await store.do("keys.reset", _noted_txn, asked.unit, asked.role, reason, ctx.peer)
    signer.reset(secret)
    return {"unit": asked.unit, "role": asked.role}


def _place(ctx: DeskContext, asked: ResetParams) -> KeyPlace:
    places: tuple[KeyPlace, ...] = ctx.settings.units[asked.unit].key_places()
    return places[ROLES.index(asked.role)]


def _noted_txn(tx: Any, unit: str, role: str, reason: str, peer: str) -> None:
    tx.journal("key.reset", unit, {"role": role, "reason": reason, "who": peer})


def checks_of(ctx: DeskContext) -> list[Check]:
    """Return a line for every signer: one that stands by and cannot is a warning."""
    if ctx.bench is None:
        return [desk_checks.signer(unit, signer.state, signer.why, signer.backend)
                for unit, signer in ctx.signers.items()]  # fmt: skip
    return [
        _check(unit, signer, signer is active)
        for unit, active in ctx.bench.active.items()
        for signer in ctx.bench.chain(unit)
    ]


def _check(unit: str, signer: UnitSigner, signs: bool) -> Check:
    role = "" if signer.files.role == "main" else f"{signer.files.role} "
    fault = signer_fault(signer)
    if fault is None or fault.code in ("SIG_KEY", "SIG_DOWN"):
        check = desk_checks.signer(f"{unit} {role}".rstrip(), signer.state, signer.why,
                                   signer.backend)  # fmt: skip
        if check.state is State.OK or signs:
            return check
        return Check("SIGNER", State.WARN, check.zh, check.en, check.next)
    state = State.FAIL if signs else State.WARN
    name = f"{role}{fault.code}"
    return Check("SIGNER", state, f"{name} {fault.zh}", f"{name} {fault.en}", "fepctl keys")


def _units(ctx: DeskContext) -> list[Any]:
    return list(ctx.settings.units.values()) if ctx.settings is not None else []


METHODS: dict[str, Method] = {
    "keys.list": Method("admin", None, list_keys),
    "keys.reset": Method("admin", ResetParams, reset_key, changes=True),
}
