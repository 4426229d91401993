"""I4 an acknowledged event is never lost, I5 one live receipt per event key."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from html import unescape

from tests.harness.world import Violation, World


def check_kept(world: World) -> Iterator[Violation]:
    """I4: what the HIS was told stands in the store, signed, with the same content."""
    events = {(row.unit, row.key): row for row in world.books["event"]}
    for acked in world.his or ():
        row = world.books.by_ref.get(acked.ref)
        if row is None:
            yield Violation("I4", f"{acked.key} was acknowledged as {acked.ref} and is lost")
            continue
        event = events.get((acked.unit, acked.key))
        if event is None or row.event_id != event.id:
            yield Violation("I4", f"{acked.ref} was told to {acked.key}, belongs to another event")
        if row.state != "sealed":
            yield Violation("I4", f"{acked.ref} was told to {acked.key} and is {row.state}")
        told = (acked.amount_fen, acked.check_code, acked.kind)
        if told != (row.amount_fen, row.check_code, row.kind):
            yield Violation("I4", f"{acked.ref}: told {told}, stored differently")
        payer = _payer(world.books.originals.get(row.id, b""))
        if acked.payer and payer != acked.payer:
            yield Violation("I4", f"{acked.ref}: the payer's name was altered")
    if world.quiescent:
        for event in world.books["event"]:
            if event.state == "queued" and not event.reason:
                yield Violation("I4", f"event {event.key} waits and nothing says why")


def _payer(original: bytes) -> str:
    found = re.search("<PayerPartyName>([^<]*)</PayerPartyName>", original.decode())
    return unescape(found.group(1)) if found else ""


def check_once(world: World) -> Iterator[Violation]:
    """I5: one key, one receipt, whoever is asked."""
    for (unit, key), times in Counter((row.unit, row.key) for row in world.books["event"]).items():
        if times > 1:
            yield Violation("I5", f"event {unit}/{key} stands {times} times")
    live: dict[int, list[str]] = defaultdict(list)
    for row in world.books.live():
        live[row.event_id].append(row.ref)
    for event in world.books["event"]:
        refs = live.pop(event.id, [])
        if len(refs) > 1:
            yield Violation("I5", f"event {event.key} has the receipts {refs}")
        if event.state == "issued" and not refs:
            yield Violation("I5", f"event {event.key} is issued and has no receipt")
        if event.state != "issued" and refs:
            yield Violation("I5", f"event {event.key} is {event.state} and has {refs}")
    for event_id, refs in live.items():
        yield Violation("I5", f"{refs} belong to no event ({event_id})")
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    for acked in world.his or ():
        told[acked.unit, acked.key].add(acked.ref)
    for (_unit, key), several in told.items():
        if len(several) > 1:
            yield Violation("I5", f"the HIS was told {sorted(several)} for {key}")
    if world.province is not None:
        for key, times in Counter(
            (effect.kind, effect.event_key) for effect in world.province.receipts
        ).items():
            if times > 1:
                yield Violation("I5", f"the province holds {times} receipts for {key[1]}")
