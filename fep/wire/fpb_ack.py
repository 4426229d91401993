"""Bodies of channel 0: ACK and NACK (fpb1.md, 4.2 and 4.3).

Both are idempotent and may come in any order. Members we do not know are passed over, so
that a newer peer stays readable; ranges and lists are bounded.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from fep.wire.fpb import Reason, Unreadable

RANGES_MAX: Final = 1024
RESULTS_MAX: Final = 100_000

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Range = tuple[Count, Count]
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class Supervision(msgspec.Struct, frozen=True):
    """The finance side's signature; `value` is base64 of the DER."""

    cert_serial: Annotated[str, Meta(max_length=40)]
    signed_at: Count
    value: Annotated[str, Meta(max_length=4096)]


class Result(msgspec.Struct, frozen=True):
    """What became of one record."""

    rec_seq: Count
    result: Literal["OK", "DUP", "REJECT", "CONFLICT"]
    code: Annotated[str, Meta(max_length=64)] = ""
    detail: Annotated[str, Meta(max_length=1000)] = ""
    supervision: Supervision | None = None


class Ack(msgspec.Struct, frozen=True):
    """Cumulative and per-record acknowledgement of one logical channel."""

    applied_upto: Count
    channel: Count
    epoch: Count
    head: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    level: Literal["APPLIED", "RECEIVED"]
    time_ms: Count
    received: Annotated[tuple[Range, ...], Meta(max_length=RANGES_MAX)] = ()
    results: Annotated[tuple[Result, ...], Meta(max_length=RESULTS_MAX)] = ()

    def encode(self) -> bytes:
        """Return the canonical plain text."""
        return _ENCODER.encode(self)


class Nack(msgspec.Struct, frozen=True):
    """A call for batches that are missing, or the reason why files were not taken."""

    channel: Count
    epoch: Count
    reason: Annotated[str, Meta(max_length=40)]  # the words of `fpb.Reason`; others may come
    time_ms: Count
    missing: Annotated[tuple[Range, ...], Meta(max_length=RANGES_MAX)] = ()
    names: Annotated[tuple[str, ...], Meta(max_length=RANGES_MAX)] = ()

    def encode(self) -> bytes:
        """Return the canonical plain text."""
        return _ENCODER.encode(self)


_ACK: Final = msgspec.json.Decoder(Ack)
_NACK: Final = msgspec.json.Decoder(Nack)
T = TypeVar("T")


def read_ack(plain: bytes) -> Ack:
    """Return an ACK. Raises Unreadable CHAIN when it has another shape."""
    return _decoded(_ACK, plain)


def read_nack(plain: bytes) -> Nack:
    """Return a NACK. Raises Unreadable CHAIN when it has another shape."""
    return _decoded(_NACK, plain)


def _decoded(decoder: msgspec.json.Decoder[T], plain: bytes) -> T:
    try:
        return decoder.decode(plain)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(Reason.CHAIN, f"not of the expected shape: {error}") from error
