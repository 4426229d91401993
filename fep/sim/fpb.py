"""FPB/1 batches as the far side reads and writes them, made from docs/en/fpb1.md alone.

Two rules: caps before allocation, signature before decryption; a reason to refuse is one of
the words a NACK may carry. Never touches a file or a clock.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from fep.sim import sm

DATA, ACK, NACK, HELLO, SYNC, CTRL, MANIFEST = 1, 2, 3, 4, 5, 6, 7
COMPRESSED = 1
SM4_CBC, SM4_GCM = 1, 2
ZERO32 = bytes(32)

PLAIN_MAX = 32 << 20
BODY_MAX = 4 << 20
RATIO_MAX = 200
FILE_MAX = BODY_MAX + 4096

_sorted = msgspec.json.Encoder(order="sorted")
_HEAD = struct.Struct(">4sBBHBH16s16sHBIHHQQBQIII32s32sQ32s20s20sB16sH")
_TAIL = 64 + 4 + 4
assert _HEAD.size == 254


class Bad(Exception):
    """A file that is no acceptable batch. `final` is False while it may only be incomplete.

    `reason` is a word of the NACK, or `unexpected` for what is kept and answered by nothing.
    """

    def __init__(self, reason: str, detail: str, *, final: bool) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.final = final


@dataclass(frozen=True, slots=True)
class Header:
    """The signed header, in the order of the file; sizes and cipher members left out."""

    kind: int
    sender: str
    receiver: str
    epoch: int
    channel: int
    seq: int
    created_ms: int
    first_rec: int
    n_rec: int
    prev_batch_sm3: bytes = ZERO32
    cum_ack: int = 0
    ack_head_sm3: bytes = ZERO32
    sender_serial: int = 0
    receiver_serial: int = 0
    age_ms: int = 0
    clock_flags: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was verified and decrypted. `sm3` is that of the complete file."""

    header: Header
    plain: bytes
    sm3: bytes

    def records(self) -> list[dict[str, Any]]:
        """Return the records. Raises Bad `unexpected` for text that is no list of objects."""
        try:
            found = [parsed(line) for line in self.plain.split(b"\n")] if self.plain else []
        except ValueError as error:
            raise Bad("unexpected", f"records: {error}", final=True) from error
        if not all(isinstance(record, dict) for record in found):
            raise Bad("unexpected", "a record is no object", final=True)
        return found


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who can be written to."""

    id: str
    certificate: sm.Certificate


@dataclass(frozen=True, slots=True)
class Self:
    """The one who reads and writes: party, certificate and private key."""

    id: str
    certificate: sm.Certificate
    key: sm.PrivateKey


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON line of a record: sorted keys, no spaces, UTF-8."""
    return _sorted.encode(value)


def parsed(line: bytes | str) -> Any:  # Any: whatever JSON there is
    """Return what a line says. Raises ValueError."""
    return msgspec.json.decode(line)


def record_hash(record: Mapping[str, Any]) -> str:
    """Return the hash a chained record must carry, hex."""
    content = canonical({name: record[name] for name in record if name != "hash"})
    return sm.sm3(bytes.fromhex(record["prev"]) + content).hex()


def name_of(header: Header, attempt: int) -> str:
    """Return the file name of a batch at its `attempt`-th writing (1, 2 … stays at 99)."""
    node8 = sm.sm3(header.sender.encode()).hex()[:8]
    return (
        f"f1-{node8}-{header.epoch:04x}-{header.channel}-{header.seq:010d}"
        f"-{min(attempt, 99):02d}.fpb"
    )


def write(
    header: Header,
    records: list[bytes],
    me: Self,
    to: Party,
    token: Callable[[int], bytes],
    *,
    cipher: int = SM4_CBC,
) -> bytes:
    """Return the complete file content of a batch of canonical `records`.

    `token(n)` gives n random bytes. Raises ValueError over the caps of the format.
    """
    plain = b"\n".join(records)
    packed = zlib.compress(plain, 6)
    compressed = len(packed) < len(plain) <= RATIO_MAX * len(packed)
    key, iv = token(16), token(16)
    assert cipher == SM4_CBC, cipher
    body = sm.sm4_cbc(key, iv, packed if compressed else plain, encrypt=True)
    if len(plain) > PLAIN_MAX or len(body) > BODY_MAX:
        raise ValueError(f"batch too big: {len(plain)} plain, {len(body)} body")
    wrapped = to.certificate.public_key.encrypt(key)
    head = _HEAD.pack(
        b"FPB1", 1, 0, _HEAD.size + len(wrapped), header.kind,
        header.flags | (COMPRESSED if compressed else 0),
        me.id.encode("ascii"), to.id.encode("ascii"), header.epoch, header.channel,
        header.seq, 1, 1, header.created_ms, header.age_ms, header.clock_flags,
        header.first_rec, len(records), len(plain), len(body), header.prev_batch_sm3,
        sm.sm3(plain), header.cum_ack, header.ack_head_sm3,
        me.certificate.serial.to_bytes(20, "big"), to.certificate.serial.to_bytes(20, "big"),
        cipher, iv, len(wrapped),
    )  # fmt: skip
    signed = head + wrapped + body
    signature = sm.raw_of_der(me.key.sign(signed))
    return signed + signature + struct.pack(">I4s", len(signed) + _TAIL, b"1BPF")


def read(content: bytes, me: Self, party: Callable[[str], Party | None]) -> Batch:
    """Check, verify and decrypt one file. `party` finds a sender by its identifier.

    Raises Bad; `final` is False for what a file still being copied may look like.
    """
    header, sizes = _head(content)
    sender = party(header.sender)
    if sender is None or sender.certificate.serial != header.sender_serial:
        raise Bad("key-unknown", f"{header.sender} {header.sender_serial:x}", final=True)
    signed, signature = content[:-_TAIL], content[-_TAIL:-8]
    if not sender.certificate.public_key.verify(signed, sm.der_of_raw(signature)):
        raise Bad("bad-signature", header.sender, final=False)
    if header.receiver != me.id:
        raise Bad("receiver", header.receiver, final=True)
    if header.receiver_serial != me.certificate.serial:
        raise Bad("key-unknown", f"receiver {header.receiver_serial:x}", final=True)
    try:
        plain = _open(content, header, sizes, me.key)
    except sm.CryptoFault as error:
        raise Bad("key-unknown", f"body: {error}", final=True) from error
    except zlib.error as error:
        raise Bad("truncated", f"body: {error}", final=True) from error
    if len(plain) != sizes.plain or sm.sm3(plain) != sizes.plain_sm3:
        raise Bad("truncated", "plain text differs from the header", final=True)
    return Batch(header, plain, sm.sm3(content))


@dataclass(frozen=True, slots=True)
class _Sizes:
    header: int
    plain: int
    body: int
    plain_sm3: bytes
    cipher: int
    iv: bytes


def _head(content: bytes) -> tuple[Header, _Sizes]:
    if len(content) > FILE_MAX:
        raise Bad("too-big", f"{len(content)} bytes", final=True)
    if len(content) < _HEAD.size + _TAIL:
        raise Bad("truncated", f"{len(content)} bytes", final=False)
    (magic, major, _, hdr_len, kind, flags, sender, receiver, epoch, channel, seq, part, parts,
     created_ms, age_ms, clock_flags, first_rec, n_rec, plain_len, body_len, prev, plain_sm3,
     cum_ack, ack_head, sender_serial, receiver_serial, cipher, iv, wrapped_len,
     ) = _HEAD.unpack_from(content)  # fmt: skip
    if magic != b"FPB1":
        raise Bad("truncated", "magic", final=False)
    total, trailer = struct.unpack(">I4s", content[-8:])
    if trailer != b"1BPF" or total != len(content):
        raise Bad("truncated", f"{len(content)} of {total} bytes", final=False)
    if major != 1 or (part, parts) != (1, 1) or cipher not in (SM4_CBC, SM4_GCM):
        raise Bad("version", f"major {major} part {part}/{parts} alg {cipher}", final=True)
    if plain_len > PLAIN_MAX or body_len > BODY_MAX:
        raise Bad("too-big", f"plain {plain_len} body {body_len}", final=True)
    if hdr_len != _HEAD.size + wrapped_len or hdr_len + body_len + _TAIL != total:
        raise Bad("truncated", "lengths do not add up", final=False)
    header = Header(
        kind, _text(sender), _text(receiver), epoch, channel, seq, created_ms, first_rec, n_rec,
        prev, cum_ack, ack_head, int.from_bytes(sender_serial, "big"),
        int.from_bytes(receiver_serial, "big"), age_ms, clock_flags, flags,
    )  # fmt: skip
    return header, _Sizes(hdr_len, plain_len, body_len, plain_sm3, cipher, iv)


def _text(padded: bytes) -> str:
    return padded.rstrip(b"\0").decode("ascii", "replace")


def _open(content: bytes, header: Header, sizes: _Sizes, key: sm.PrivateKey) -> bytes:
    body = content[sizes.header : sizes.header + sizes.body]
    session = key.decrypt(content[_HEAD.size : sizes.header])
    if len(session) != 16:
        raise sm.CryptoFault("session key is not 16 bytes")
    if sizes.cipher == SM4_GCM:
        opened = sm.sm4_gcm_open(session, sizes.iv[:12], body, content[: sizes.header])
    else:
        opened = sm.sm4_cbc(session, sizes.iv, body, encrypt=False)
    if not header.flags & COMPRESSED:
        return opened
    if sizes.plain > RATIO_MAX * len(opened):
        raise Bad("too-big", f"{len(opened)} bytes claim {sizes.plain}", final=True)
    inflater = zlib.decompressobj()
    plain = inflater.decompress(opened, sizes.plain + 1)
    if not inflater.eof:
        raise Bad("too-big", "inflates beyond plain_len", final=True)
    return plain
