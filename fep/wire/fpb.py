"""FPB/1 container: one signed and encrypted batch as bytes (docs/en/fpb1.md, section 3).

Rules: caps are checked before anything is allocated; the signature is verified before the
key is unwrapped; inflating stops at the declared length. What a stranger sent fails as
`Unreadable` with one of the reasons of the NACK, never as anything else. Never any I/O;
entropy and keys are handed in.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Final, cast

from isal import isal_zlib

from fep.crypto import envelope, sm2, sm3, sm4
from fep.crypto.errors import CryptoError
from fep.ports import Entropy

MAGIC: Final = b"FPB1"
TRAILER: Final = b"1BPF"
MAJOR: Final = 1
FIXED_BYTES: Final = 254
SIGNATURE_BYTES: Final = 64
TAIL_BYTES: Final = SIGNATURE_BYTES + 8
WRAPPED_MAX_BYTES: Final = 1024
BODY_MAX_BYTES: Final = 4 * 1024 * 1024
PLAIN_MAX_BYTES: Final = 32 * 1024 * 1024
RATIO_MAX: Final = 200
FILE_MAX_BYTES: Final = FIXED_BYTES + WRAPPED_MAX_BYTES + BODY_MAX_BYTES + TAIL_BYTES
SEQ_MAX: Final = 2**32 - 1
PARTY_BYTES: Final = 16
SERIAL_BYTES: Final = 20
COMPRESSION: Final = 3  # isal's densest: zlib's level 6 takes a third less room, 3 times as long
NO_HASH: Final = bytes(32)
_DAMAGED: Final = cast("type[Exception]", isal_zlib.IsalError)  # its types say: an instance

FLAG_ZLIB: Final = 1
FLAG_LAST_OF_DAY: Final = 2
ALG_CBC: Final = 1
ALG_GCM: Final = 2

_FIXED: Final = struct.Struct(">4sBBHBH16s16sHBIHHQQBQIII32s32sQ32s20s20sB16sH")
_END: Final = struct.Struct(">I4s")
assert _FIXED.size == FIXED_BYTES, _FIXED.size


class Kind(IntEnum):
    """What a batch holds."""

    DATA = 1
    ACK = 2
    NACK = 3
    HELLO = 4
    SYNC = 5
    CTRL = 6
    MANIFEST = 7


class Reason(StrEnum):
    """Why a batch was not taken: the stable words of a NACK."""

    MISSING = "missing"
    TRUNCATED = "truncated"
    BAD_SIGNATURE = "bad-signature"
    KEY_UNKNOWN = "key-unknown"
    VERSION = "version"
    TOO_BIG = "too-big"
    CHAIN = "chain"
    RECEIVER = "receiver"


class Unreadable(Exception):
    """The bytes are not a batch for us.

    `partial` says that the file may still be growing and is worth another look.
    """

    def __init__(self, reason: Reason, detail: str, *, partial: bool = False) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.partial = partial


@dataclass(frozen=True, slots=True)
class Header:
    """The signed header, field by field; `sender` and `receiver` without padding."""

    kind: Kind
    sender: str
    receiver: str
    epoch: int
    channel: int
    seq: int
    created_ms: int
    first_rec: int = 0
    n_rec: int = 1
    flags: int = 0
    age_ms: int = 0
    clock_flags: int = 0
    plain_len: int = 0
    body_len: int = 0
    prev_batch_sm3: bytes = NO_HASH
    plain_sm3: bytes = NO_HASH
    cum_ack: int = 0
    ack_head_sm3: bytes = NO_HASH
    sender_serial: bytes = bytes(SERIAL_BYTES)
    receiver_serial: bytes = bytes(SERIAL_BYTES)
    sym_alg: int = ALG_CBC
    iv: bytes = bytes(16)
    wrapped: bytes = b""

    def encode(self) -> bytes:
        """Return the header bytes, wrapped key included. Raises ValueError out of range."""
        try:
            fixed = _FIXED.pack(
                MAGIC, MAJOR, 0, FIXED_BYTES + len(self.wrapped), self.kind, self.flags,
                party_bytes(self.sender), party_bytes(self.receiver), self.epoch, self.channel,
                self.seq, 1, 1, self.created_ms, self.age_ms, self.clock_flags, self.first_rec,
                self.n_rec, self.plain_len, self.body_len, self.prev_batch_sm3, self.plain_sm3,
                self.cum_ack, self.ack_head_sm3, self.sender_serial, self.receiver_serial,
                self.sym_alg, self.iv, len(self.wrapped),
            )  # fmt: skip
        except struct.error as error:
            raise ValueError(f"a header field is out of range: {error}") from error
        return fixed + self.wrapped


@dataclass(frozen=True, slots=True)
class Seat:
    """Who reads: our identifier, certificate serial and node key."""

    party: str
    serial: bytes
    key: sm2.PrivateKey


KeyOf = Callable[[str, bytes], sm2.PublicKey | None]
"""(sender, 20-byte serial) -> the key registered for them, None when unknown."""


def party_bytes(party: str) -> bytes:
    """Return a party identifier padded to 16 bytes. Raises ValueError."""
    raw = party.encode("ascii", "strict") if party.isascii() else b""
    if not 0 < len(raw) <= PARTY_BYTES or not party.isprintable() or " " in party:
        raise ValueError(f"a party has 1 to {PARTY_BYTES} printable ASCII characters: {party!r}")
    return raw.ljust(PARTY_BYTES, b"\0")


def pack(draft: Header, plain: bytes, signer: sm2.PrivateKey, receiver: sm2.PublicKey,
         entropy: Entropy) -> bytes:  # fmt: skip
    """Return the complete file of a batch.

    `draft` carries everything but lengths, digest, zlib flag, IV and wrapped key.
    Raises Unreadable TOO_BIG when the content passes a cap, ValueError for a bad field.
    """
    if len(plain) > PLAIN_MAX_BYTES:
        raise Unreadable(Reason.TOO_BIG, f"{len(plain)} bytes of plain text")
    squeezed = isal_zlib.compress(plain, COMPRESSION)
    # What squeezes better than the receiver's bomb guard allows travels as it is.
    use = len(squeezed) < len(plain) <= RATIO_MAX * len(squeezed)
    content = squeezed if use else plain
    key = entropy.token(sm4.KEY_BYTES)
    gcm = draft.sym_alg == ALG_GCM
    iv = entropy.token(sm4.NONCE_BYTES) + bytes(4) if gcm else entropy.token(16)
    body_len = len(content) + (16 if gcm else 16 - len(content) % 16)
    if body_len > BODY_MAX_BYTES:
        raise Unreadable(Reason.TOO_BIG, f"{body_len} bytes of body")
    header = replace(
        draft,
        flags=(draft.flags & ~FLAG_ZLIB) | (FLAG_ZLIB if use else 0),
        plain_len=len(plain),
        body_len=body_len,
        plain_sm3=sm3.digest(plain),
        iv=iv,
        wrapped=envelope.wrap(key, receiver, entropy),
    ).encode()
    if gcm:
        body = sm4.gcm_encrypt(key, iv[: sm4.NONCE_BYTES], content, header)
    else:
        body = sm4.cbc_encrypt(key, iv, content)
    assert len(body) == body_len, (len(body), body_len)
    message = header + body
    signature = sm2.der_to_raw(signer.sign(message))
    total = len(message) + TAIL_BYTES
    return message + signature + _END.pack(total, TRAILER)


def read_header(content: bytes) -> Header:
    """Check completeness, version and caps; return the header, still unverified.

    Raises Unreadable (TRUNCATED as partial, VERSION, TOO_BIG).
    """
    if len(content) > FILE_MAX_BYTES:
        raise Unreadable(Reason.TOO_BIG, f"a file of {len(content)} bytes")
    if len(content) < FIXED_BYTES + TAIL_BYTES or content[:4] != MAGIC:
        raise Unreadable(Reason.TRUNCATED, "no beginning", partial=True)
    total, trailer = _END.unpack_from(content, len(content) - _END.size)
    if trailer != TRAILER or total != len(content):
        raise Unreadable(Reason.TRUNCATED, "no end", partial=True)
    if content[4] != MAJOR:
        raise Unreadable(Reason.VERSION, f"major version {content[4]}")
    header = _decode(content)
    if header.plain_len > PLAIN_MAX_BYTES or header.body_len > BODY_MAX_BYTES:
        raise Unreadable(Reason.TOO_BIG, f"plain {header.plain_len}, body {header.body_len}")
    if header.plain_len > RATIO_MAX * header.body_len:
        raise Unreadable(Reason.TOO_BIG, "inflates too far")
    expected = FIXED_BYTES + len(header.wrapped) + header.body_len + TAIL_BYTES
    if len(content) != expected:
        raise Unreadable(Reason.TRUNCATED, f"{len(content)} bytes, not {expected}", partial=True)
    return header


def unpack(content: bytes, seat: Seat, key_of: KeyOf) -> tuple[Header, bytes]:
    """Return header and plain text of a batch that is whole, genuine and for us.

    Raises Unreadable.
    """
    header = read_header(content)
    sender_key = key_of(header.sender, header.sender_serial)
    if sender_key is None:
        raise Unreadable(
            Reason.KEY_UNKNOWN, f"sender {header.sender} serial {header.sender_serial.hex()}"
        )
    body_at = FIXED_BYTES + len(header.wrapped)
    body_end = body_at + header.body_len
    raw = content[body_end : body_end + SIGNATURE_BYTES]
    if not _verified(sender_key, content[:body_end], raw):
        raise Unreadable(Reason.BAD_SIGNATURE, f"of {header.sender}", partial=True)
    if header.receiver != seat.party:
        raise Unreadable(Reason.RECEIVER, f"it is for {header.receiver}")
    if header.receiver_serial != seat.serial:
        raise Unreadable(Reason.KEY_UNKNOWN, f"sealed to {header.receiver_serial.hex()}")
    try:
        key = envelope.unwrap(header.wrapped, seat.key)
        plain = _open(header, key, content[:body_at], content[body_at:body_end])
    except CryptoError as error:
        raise Unreadable(Reason.KEY_UNKNOWN, "the key does not open it") from error
    if len(plain) != header.plain_len or sm3.digest(plain) != header.plain_sm3:
        raise Unreadable(Reason.TRUNCATED, "the content is not what the header says")
    return header, plain


def _decode(content: bytes) -> Header:
    fields = _FIXED.unpack_from(content)
    hdr_len, wrapped_len = fields[3], fields[28]
    if fields[4] not in Kind._value2member_map_ or fields[26] not in (ALG_CBC, ALG_GCM):
        raise Unreadable(Reason.VERSION, f"kind {fields[4]}, algorithm {fields[26]}")
    if fields[11:13] != (1, 1):
        raise Unreadable(Reason.VERSION, "in parts")
    if wrapped_len > WRAPPED_MAX_BYTES:
        raise Unreadable(Reason.TOO_BIG, f"a wrapped key of {wrapped_len} bytes")
    if hdr_len != FIXED_BYTES + wrapped_len:
        raise Unreadable(Reason.TRUNCATED, f"header of {hdr_len} bytes", partial=True)
    return Header(
        kind=Kind(fields[4]), flags=fields[5], sender=_party(fields[6]),
        receiver=_party(fields[7]), epoch=fields[8], channel=fields[9], seq=fields[10],
        created_ms=fields[13], age_ms=fields[14], clock_flags=fields[15], first_rec=fields[16],
        n_rec=fields[17], plain_len=fields[18], body_len=fields[19], prev_batch_sm3=fields[20],
        plain_sm3=fields[21], cum_ack=fields[22], ack_head_sm3=fields[23],
        sender_serial=fields[24], receiver_serial=fields[25], sym_alg=fields[26],
        iv=fields[27], wrapped=content[FIXED_BYTES:hdr_len],
    )  # fmt: skip


def _party(raw: bytes) -> str:
    """Return a padded identifier as text; one that cannot be a party names nobody."""
    return raw.rstrip(b"\0").decode("ascii", "backslashreplace")


def _verified(key: sm2.PublicKey, message: bytes, raw: bytes) -> bool:
    try:
        der = sm2.raw_to_der(raw)
    except CryptoError:
        return False
    return key.verify(message, der)


def _open(header: Header, key: bytes, aad: bytes, body: bytes) -> bytes:
    if header.sym_alg == ALG_GCM:
        content = sm4.gcm_decrypt(key, header.iv[: sm4.NONCE_BYTES], body, aad)
    else:
        content = sm4.cbc_decrypt(key, header.iv, body)
    return inflate(content, header.plain_len) if header.flags & FLAG_ZLIB else content


def inflate(content: bytes, plain_len: int) -> bytes:
    """Return the inflated content, never more than `plain_len` + 1 bytes of it.

    Raises Unreadable TOO_BIG when there is more, TRUNCATED when the stream is broken.
    """
    stream = isal_zlib.decompressobj()
    try:
        plain = stream.decompress(content, plain_len + 1)
    except _DAMAGED as error:
        raise Unreadable(Reason.TRUNCATED, "not a zlib stream") from error
    if len(plain) > plain_len:
        raise Unreadable(Reason.TOO_BIG, f"inflates beyond {plain_len} bytes")
    if not stream.eof or stream.unused_data:
        raise Unreadable(Reason.TRUNCATED, "the zlib stream does not end with the body")
    return plain
