"""Bodies of HELLO, SYNC and MANIFEST, channel 0 (fpb1.md, 4.4 to 4.6).

HELLO: where my outgoing channels stand; it asks for a SYNC. SYNC: what I hold of yours.
MANIFEST: which of my batches you should have by now. All are idempotent, may come in any
order, and are bounded; unknown members are passed over.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from fep.wire.fpb import Reason, Unreadable
from fep.wire.fpb_ack import RANGES_MAX, Count, Range

CHANNELS_MAX: Final = 8
BATCHES_MAX: Final = 1000
VERSION: Final = "1.0"

Hex = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class Sent(msgspec.Struct, frozen=True):
    """Where an outgoing channel stands: its last batch and record."""

    channel: Count
    epoch: Count
    seq: Count
    rec_seq: Count
    head: Hex


class Hello(msgspec.Struct, frozen=True):
    """Said at start, after a silence, and when an epoch begins."""

    channels: Annotated[tuple[Sent, ...], Meta(max_length=CHANNELS_MAX)]
    time_ms: Count
    version: Annotated[str, Meta(max_length=16)] = VERSION


class Holding(msgspec.Struct, frozen=True):
    """What is held of an incoming channel: applied up to, and ranges of batches."""

    channel: Count
    epoch: Count
    applied_upto: Count
    head: Hex
    received: Annotated[tuple[Range, ...], Meta(max_length=RANGES_MAX)] = ()


class Sync(msgspec.Struct, frozen=True):
    """The answer to a HELLO."""

    channels: Annotated[tuple[Holding, ...], Meta(max_length=CHANNELS_MAX)]
    time_ms: Count


class Listed(msgspec.Struct, frozen=True):
    """One batch of a manifest; `sm3` is that of the complete file."""

    seq: Count
    first_rec: Count
    n_rec: Count
    sm3: Hex


class Manifest(msgspec.Struct, frozen=True):
    """The last batch of a channel, and those that were not answered yet, oldest first."""

    channel: Count
    epoch: Count
    seq: Count
    rec_seq: Count
    head: Hex
    time_ms: Count
    batches: Annotated[tuple[Listed, ...], Meta(max_length=BATCHES_MAX)] = ()


Greeting = Hello | Sync | Manifest
T = TypeVar("T")


def encode(body: Greeting) -> bytes:
    """Return the canonical plain text."""
    return _ENCODER.encode(body)


def read_greeting(plain: bytes, shape: type[T]) -> T:
    """Return a body. Raises Unreadable CHAIN when it has another shape."""
    try:
        return msgspec.json.decode(plain, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(Reason.CHAIN, f"not of the expected shape: {error}") from error
