"""I1 no number twice, I2 only granted numbers, I3 every number ends somewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.harness.world import Violation, World

FROM_PLATFORM = ("platform", "relay")


def check_unique(world: World) -> Iterator[Violation]:
    """I1: one number, one receipt: in the store, at the HIS, at the province."""
    for ref, times in Counter(row.ref for row in world.books["receipt"]).items():
        if times > 1:
            yield Violation("I1", f"{ref} stands {times} times in the store")
    for ref, keys in _keys_by_ref(world).items():
        if len(keys) > 1:
            yield Violation("I1", f"{ref} was told to the HIS for {sorted(keys)}")
    if world.province is not None:
        for ref, times in Counter(effect.ref for effect in world.province.receipts).items():
            if times > 1:
                yield Violation("I1", f"{ref} took effect {times} times at the province")


def _keys_by_ref(world: World) -> dict[str, set[tuple[str, str]]]:
    keys: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for acked in world.his or ():
        keys[acked.ref].add((acked.unit, acked.key))
    return keys


def check_granted(world: World) -> Iterator[Violation]:
    """I2: every number lies in a block of its unit, every block in a grant of its source."""
    blocks = world.books["number_block"]
    for row in world.books["receipt"]:
        if not any(
            block.unit == row.unit
            and block.code == row.code
            and block.first <= int(row.number) <= block.last
            for block in blocks
        ):
            yield Violation("I2", f"{row.ref} was never granted to {row.unit}")
    for block in blocks:
        name = f"block {block.code} {block.first}-{block.last}"
        if not block.evidence:
            yield Violation("I2", f"{name} has no evidence")
        used = block.next > block.first
        if used and block.unit in world.tests and block.source in FROM_PLATFORM:
            yield Violation("I2", f"{name} of the platform was used by a test unit")
        if world.province is None or block.source not in FROM_PLATFORM:
            continue
        if not any(
            code == block.code and first <= block.first and block.last <= last
            for code, first, last in world.province.granted
        ):
            yield Violation("I2", f"{name} was not granted by the province")


def check_accounted(world: World) -> Iterator[Violation]:
    """I3: given numbers = receipts + burned ones with evidence, and nothing in between."""
    used: dict[str, set[int]] = defaultdict(set)
    for row in world.books["receipt"]:
        used[row.code].add(int(row.number))
        if world.quiescent and row.state == "frozen":
            yield Violation("I3", f"{row.ref} is still frozen")
    burned = {f"{row.code}-{row.number}": row for row in world.books["burn"]}
    for ref, burn in burned.items():
        used[burn.code].add(int(burn.number))
        if not burn.reason or not burn.evidence:
            yield Violation("I3", f"{ref} was burned without reason or evidence")
        row = world.books.by_ref.get(ref)
        if row is not None and row.state != "burned":
            yield Violation("I3", f"{ref} is burned and {row.state}")
    for row in world.books["receipt"]:
        if row.state == "burned" and row.ref not in burned:
            yield Violation("I3", f"{row.ref} was given up without evidence")
    yield from _blocks_add_up(world, used)
    if world.province is not None and world.quiescent:
        for gap in world.province.gaps:
            if gap not in burned and not _given_up(world, gap):
                yield Violation("I3", f"{gap} is missing at the province")


def _given_up(world: World, ref: str) -> bool:
    """Tell whether a number lies in the rest of a block that ended before it was given."""
    code, _, number = ref.partition("-")
    return any(
        block.code == code
        and block.state in ("burned", "returned", "expired")
        and block.next <= int(number) <= block.last
        for block in world.books["number_block"]
    )


def _blocks_add_up(world: World, used: dict[str, set[int]]) -> Iterator[Violation]:
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for block in world.books["number_block"]:
        given = set(range(block.first, block.next))
        here = {number for number in used[block.code] if block.first <= number <= block.last}
        for number in sorted(given - here):
            yield Violation("I3", f"{block.code}-{number:010d} was given and is nowhere")
        for number in sorted(here - given):
            yield Violation("I3", f"{block.code}-{number:010d} was used before it was given")
        if (block.state == "exhausted") != (block.next == block.last + 1):
            yield Violation("I3", f"block {block.code} {block.first} is {block.state}")
        for first, last in spans[block.code]:
            if block.first <= last and first <= block.last:
                yield Violation("I3", f"blocks of {block.code} overlap at {block.first}")
        spans[block.code].append((block.first, block.last))
