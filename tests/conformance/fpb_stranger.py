"""A reader of FPB/1 by a stranger: made from docs/en/fpb1.md alone, sharing no code with fep.

SM3 and SM4 come from `cryptography`, SM2 from `gmssl`. It opens any file, proves chains of
records and batches, and checks ACKs against them. Numbers in comments are sections of the page.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from gmssl.sm2 import CryptSM2

HEADER = struct.Struct(">4s BB H B H 16s 16s H B I H H Q Q B Q I I I 32s 32s Q 32s 20s 20s B 16s H")
END = struct.Struct(">64s I 4s")
KINDS = {1: "DATA", 2: "ACK", 3: "NACK", 4: "HELLO", 5: "SYNC", 6: "CTRL", 7: "MANIFEST"}
MIB = 1 << 20


class Refused(Exception):
    """Why a file is not taken: a word of 4.3."""


@dataclass(frozen=True)
class Key:
    """A party's key: x and y of the point, the certificate serial, and the scalar if ours."""

    party: str
    serial: int
    x: int
    y: int
    scalar: int = 0

    @property
    def sm2(self) -> CryptSM2:
        return CryptSM2(private_key=f"{self.scalar:064x}", public_key=f"{self.x:064x}{self.y:064x}",
                        mode=1)  # fmt: skip


@dataclass(frozen=True)
class Opened:
    """A file that is whole, genuine and for us."""

    kind: str
    sender: str
    epoch: int
    channel: int
    seq: int
    first_rec: int
    n_rec: int
    prev_batch: str
    plain: bytes
    file_sm3: str
    fields: dict[str, Any] = field(default_factory=dict)


def sm3(data: bytes) -> bytes:
    """Return the 32-byte SM3."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def bare(file: bytes) -> bytes:
    """2.1: take a text or XML form off."""
    if file.startswith(b"FPB1"):
        return file
    text = re.sub(rb"<\?xml[^>]*\?>|</?FPB1>|\s", b"", file)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return file


def read(file: bytes, me: Key, senders: list[Key]) -> Opened:
    """3: check in the order of the page, then open. Raises Refused."""
    file = bare(file)
    if len(file) > 4 * MIB + 1350:
        raise Refused("too-big")
    if len(file) < HEADER.size + END.size or file[:4] != b"FPB1":
        raise Refused("truncated")
    signature, total, trailer = END.unpack(file[-END.size :])
    if trailer != b"1BPF" or total != len(file):
        raise Refused("truncated")
    (_, major, _minor, hdr_len, kind, flags, sender, receiver, epoch, channel, seq, part, parts,
     created_ms, age_ms, clock_flags, first_rec, n_rec, plain_len, body_len, prev, plain_sm3,
     cum_ack, ack_head, sender_serial, receiver_serial, alg, iv, wrapped_len,
     ) = HEADER.unpack_from(file)  # fmt: skip
    if major != 1 or kind not in KINDS or alg not in (1, 2) or (part, parts) != (1, 1):
        raise Refused("version")
    if body_len > 4 * MIB or plain_len > 32 * MIB or plain_len > 200 * body_len:
        raise Refused("too-big")
    if wrapped_len > 1024:
        raise Refused("too-big")
    if hdr_len != HEADER.size + wrapped_len or hdr_len + body_len + END.size != total:
        raise Refused("truncated")
    name, serial = sender.rstrip(b"\0").decode("ascii"), int.from_bytes(sender_serial, "big")
    them = next((key for key in senders if (key.party, key.serial) == (name, serial)), None)
    if them is None:
        raise Refused("key-unknown")
    message = file[: hdr_len + body_len]
    if not verified(them, message, signature):
        raise Refused("bad-signature")
    if receiver.rstrip(b"\0").decode("ascii") != me.party:
        raise Refused("receiver")
    if int.from_bytes(receiver_serial, "big") != me.serial:
        raise Refused("key-unknown")
    key = unwrapped(file[HEADER.size : hdr_len], me)
    content = decrypted(key, alg, iv, file[hdr_len : hdr_len + body_len], file[:hdr_len])
    plain = inflated(content, plain_len) if flags & 1 else content
    if len(plain) != plain_len or sm3(plain) != plain_sm3:
        raise Refused("truncated")
    said = {
        "created_ms": created_ms, "age_ms": age_ms, "clock_flags": clock_flags,
        "cum_ack": cum_ack, "ack_head": ack_head.hex(), "last_of_day": bool(flags & 2),
    }  # fmt: skip
    return Opened(KINDS[kind], name, epoch, channel, seq, first_rec, n_rec, prev.hex(), plain,
                  sm3(file).hex(), said)  # fmt: skip


def verified(key: Key, message: bytes, signature: bytes) -> bool:
    """3: SM2 over header and body, user id 1234567812345678, r and s of 32 bytes."""
    return bool(key.sm2.verify(signature.hex(), e_of(key, message)))


def e_of(key: Key, message: bytes) -> bytes:
    """GM/T 0003.2: e = SM3(Z || M) with the default user id."""
    table = key.sm2.ecc_table
    z = (b"\x00\x80" + b"1234567812345678"
         + bytes.fromhex(table["a"] + table["b"] + table["g"])
         + key.x.to_bytes(32, "big") + key.y.to_bytes(32, "big"))  # fmt: skip
    return sm3(sm3(z) + message)


def unwrapped(der: bytes, me: Key) -> bytes:
    """3: DER SEQUENCE {x, y, C3, C2} -> the 16-byte SM4 key."""
    try:
        body, rest = tlv(der, 0x30)
        x, body = tlv(body, 0x02)
        y, body = tlv(body, 0x02)
        c3, body = tlv(body, 0x04)
        c2, body = tlv(body, 0x04)
    except IndexError as error:
        raise Refused("key-unknown") from error
    if rest or body:
        raise Refused("key-unknown")
    point = int.from_bytes(x, "big").to_bytes(32, "big") + int.from_bytes(y, "big").to_bytes(
        32, "big"
    )
    key = me.sm2.decrypt(point + c3 + c2)
    if key is None or len(key) != 16:
        raise Refused("key-unknown")
    return bytes(key)


def tlv(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return (value, rest) of one DER element."""
    if data[0] != tag:
        raise Refused("key-unknown")
    size, at = data[1], 2
    if size & 0x80:
        count = size & 0x7F
        size, at = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    return data[at : at + size], data[at + size :]


def decrypted(key: bytes, alg: int, iv: bytes, body: bytes, aad: bytes) -> bytes:
    """3: SM4-CBC with PKCS#7, or SM4-GCM with the header as AAD."""
    if alg == 2:
        gcm = Cipher(algorithms.SM4(key), modes.GCM(iv[:12], body[-16:])).decryptor()
        gcm.authenticate_additional_data(aad)
        try:
            return gcm.update(body[:-16]) + gcm.finalize()
        except InvalidTag as error:
            raise Refused("key-unknown") from error
    cbc = Cipher(algorithms.SM4(key), modes.CBC(iv)).decryptor()
    unpad = PKCS7(128).unpadder()
    try:
        return unpad.update(cbc.update(body) + cbc.finalize()) + unpad.finalize()
    except ValueError as error:
        raise Refused("key-unknown") from error


def inflated(content: bytes, plain_len: int) -> bytes:
    """3: inflate, never beyond what the header declares."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(content, plain_len + 1)
    except zlib.error as error:
        raise Refused("truncated") from error
    if len(plain) > plain_len:
        raise Refused("too-big")
    if not stream.eof or stream.unused_data:
        raise Refused("truncated")
    return plain


class Stream:
    """One logical channel as its receiver sees it (5): batches in order, records chained."""

    def __init__(self) -> None:
        self.seq = self.rec_seq = 0
        self.batch = self.head = "0" * 64
        self.heads = {0: self.head}
        self.records: list[dict[str, Any]] = []

    def take(self, batch: Opened) -> None:
        """Prove that a batch continues the channel. Raises Refused `chain`."""
        if batch.seq != self.seq + 1 or batch.prev_batch != self.batch:
            raise Refused("chain")
        lines = batch.plain.split(b"\n")
        if len(lines) != batch.n_rec or batch.first_rec != self.rec_seq + 1:
            raise Refused("chain")
        for line in lines:
            record = json.loads(line)
            without = {name: record[name] for name in record if name != "hash"}
            text = json.dumps(without, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            digest = sm3(bytes.fromhex(record["prev"]) + text.encode()).hex()
            if (record["rec_seq"], record["prev"]) != (self.rec_seq + 1, self.head):
                raise Refused("chain")
            if record["hash"] != digest:
                raise Refused("chain")
            self.rec_seq, self.head = self.rec_seq + 1, digest
            self.heads[self.rec_seq] = digest
            self.records.append(record)
        self.seq, self.batch = batch.seq, batch.file_sm3

    def agrees(self, ack: dict[str, Any]) -> bool:
        """Say whether an ACK's head is ours at what it says was applied (4.2)."""
        return bool(self.heads.get(ack["applied_upto"]) == ack["head"])


def idem(record: dict[str, Any]) -> str:
    """4.1: the identity a receipt's record must carry."""
    body = record["body"]
    text = f"{body['code']}|{body['number']}|{record['op']}|{body.get('revision', '0')}"
    return sm3(text.encode()).hex()
