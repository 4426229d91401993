"""Draw the test vectors of FPB/1 anew: `python -m tests.golden.draw_fpb`.

Keys, files and index.json in tests/golden/fpb/vectors. Signatures and session keys are
random, so every drawing differs; the files in the repository are the ones the page names.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fep.crypto import certs, keyfile, sm2, sm3
from fep.env import RealEntropy
from fep.wire.fpb import ALG_GCM, NO_HASH, TAIL_BYTES, Header, Kind, pack
from fep.wire.fpb_ack import Ack, Nack, Result, Supervision
from fep.wire.fpb_greet import Hello, Holding, Listed, Manifest, Sent, Sync, encode
from fep.wire.fpb_record import JournalHead, idem, record_line
from fep.wire.fpb_text import dress

PLACE = Path(__file__).parent / "fpb" / "vectors"
AT = 1_772_438_400_000
NODE, PROVINCE = "node-0001", "province"
SERIALS = {NODE: 0x1001, PROVINCE: 0x2001, "stranger": 0x3001}
BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC)


class Drawing:
    """Keys, and the files made with them."""

    def __init__(self) -> None:
        self.keys = {name: keyfile.generate() for name in SERIALS}
        self.index: list[dict[str, Any]] = []
        self.entropy = RealEntropy()

    def header(self, kind: Kind, channel: int, seq: int, sender: str = NODE, **more: Any) -> Header:
        receiver = PROVINCE if sender != PROVINCE else NODE
        return Header(
            kind=kind, sender=sender, receiver=receiver, epoch=1, channel=channel, seq=seq,
            created_ms=AT, sender_serial=SERIALS[sender].to_bytes(20, "big"),
            receiver_serial=SERIALS[receiver].to_bytes(20, "big"), **more,
        )  # fmt: skip

    def packed(self, header: Header, plain: bytes, signer: str = "", to: str = "") -> bytes:
        return pack(
            header, plain, self.keys[signer or header.sender],
            self.keys[to or header.receiver].public, self.entropy,
        )  # fmt: skip

    def good(self, name: str, header: Header, plain: bytes) -> bytes:
        content = self.packed(header, plain)
        self.save(name, content, reader=header.receiver, kind=header.kind.name,
                  sender=header.sender, epoch=header.epoch, channel=header.channel,
                  seq=header.seq, first_rec=header.first_rec, n_rec=header.n_rec,
                  file_sm3=sm3.digest(content).hex(), plain=plain.decode())  # fmt: skip
        return content

    def bad(self, name: str, content: bytes, reason: str) -> None:
        self.save(name, content, reader=PROVINCE, refused=reason)

    def save(self, name: str, content: bytes, **told: Any) -> None:
        (PLACE / name).write_bytes(content)
        self.index.append({"file": name, **told})

    def close(self) -> None:
        keys = {
            name: {
                "serial": f"{SERIALS[name]:x}", "x": key.public.point[:32].hex(),
                "y": key.public.point[32:].hex(), "d": f"{key.scalar:064x}",
            }
            for name, key in self.keys.items()
        }  # fmt: skip
        text = json.dumps({"keys": keys, "files": self.index}, ensure_ascii=False, indent=1)
        (PLACE / "index.json").write_text(text + "\n")


def issue(number: str, amount: int, **more: Any) -> dict[str, Any]:
    """Return the body of a receipt's record."""
    original = f"<Header><EInvoiceID>{number}</EInvoiceID></Header><EInvoiceData></EInvoiceData>"
    return {
        "amount_fen": amount, "cert_serial": "1003", "check_code": "a1B2c3", "code": "42060126",
        "event_key": f"HIS-{number}", "issued_at": AT - 1000, "kind": "outpatient",
        "number": number, "original": base64.b64encode(original.encode()).decode(),
        "signature": "MAA=", "signature_xml": "<Signature>财政</Signature>", "signed_at": AT - 900,
        "unit": "H001", **more,
    }  # fmt: skip


def chain(rows: list[tuple[str, str, dict[str, Any]]], first: int, prev: bytes
          ) -> tuple[bytes, bytes]:  # fmt: skip
    """Return (plain text, last hash) of records (op, idem, body)."""
    lines = []
    for rec_seq, (op, identity, body) in enumerate(rows, first):
        line, prev = record_line(rec_seq, op, identity, AT, body, JournalHead(7, "ab" * 32), prev)
        lines.append(line)
    return b"\n".join(lines), prev


def receipts(drawing: Drawing) -> tuple[bytes, bytes]:
    """Two batches of channel 1; returns the first file and the head after both."""
    rows = [("ISSUE", idem("42060126", "0000000001", "ISSUE"), issue("0000000001", 45334))]
    rows.append(("ISSUE", idem("42060126", "0000000002", "ISSUE"), issue("0000000002", 100)))
    plain, head = chain(rows, 1, NO_HASH)
    first = drawing.good("01-data-cbc.fpb", drawing.header(Kind.DATA, 1, 1, first_rec=1, n_rec=2),
                         plain)  # fmt: skip
    red = issue("0000000003", -100, related_code="42060126", related_number="0000000002",
                reason="退费", revision="1")  # fmt: skip
    rows = [("RED", idem("42060126", "0000000003", "RED", "1"), red)]
    plain, head = chain(rows, 3, head)
    header = drawing.header(
        Kind.DATA, 1, 2, first_rec=3, n_rec=1, prev_batch_sm3=sm3.digest(first), sym_alg=ALG_GCM
    )
    drawing.good("02-data-gcm.fpb", header, plain)
    return first, head


def transport(drawing: Drawing, head: bytes) -> None:
    """Every kind of channel 0."""
    signed = Supervision("2001", AT + 5, "MAA=")
    results = (Result(1, "OK", supervision=signed), Result(2, "DUP"),
               Result(3, "REJECT", "STALE", "date is past"))  # fmt: skip
    ack = Ack(3, 1, 1, head.hex(), "APPLIED", AT + 9, ((1, 2),), results)
    nack = Nack(1, 1, "missing", AT + 9, ((3, 4),), ("f1-0a1b2c3d-0001-1-0000000003-01.fpb",))
    hello = Hello((Sent(1, 1, 2, 3, head.hex()),), AT)
    sync = Sync((Holding(1, 1, 3, head.hex(), ((1, 2),)),), AT + 10)
    manifest = Manifest(1, 1, 2, 3, head.hex(), AT, (Listed(2, 3, 1, head.hex()),))
    rows = (
        ("03-ack.fpb", Kind.ACK, PROVINCE, ack.encode()),
        ("04-nack.fpb", Kind.NACK, PROVINCE, nack.encode()),
        ("05-hello.fpb", Kind.HELLO, NODE, encode(hello)),
        ("06-sync.fpb", Kind.SYNC, PROVINCE, encode(sync)),
        ("07-manifest.fpb", Kind.MANIFEST, NODE, encode(manifest)),
    )
    for seq, (name, kind, sender, plain) in enumerate(rows, 1):
        drawing.good(name, drawing.header(kind, 0, seq, sender), plain)


def control(drawing: Drawing) -> None:
    """A batch of channel 2 and one of channel 3."""
    grant = {"code": "42060126", "first": "0000000001", "last": "0000001000", "unit": "H001",
             "grant_id": "G1", "not_after": None,
             "quota": {"amount_fen": None, "count": None, "hours": 336}}  # fmt: skip
    mark = {"code": "42060126", "number": "0000000001", "mark": "booked", "at": AT,
            "evidence": "凭证 7", "mark_id": "M1"}  # fmt: skip
    der = certs.self_signed(drawing.keys["stranger"], PROVINCE, 0x2002, BEGIN, END)
    rotate = {"serial": "2002", "cert": base64.b64encode(der).decode()}
    rows = [
        ("GRANT", idem("42060126", "0000000001", "GRANT", "0000001000"), grant),
        ("MARK", idem("42060126", "0000000001", "MARK", "M1"), mark),
        ("ROTATE", idem(PROVINCE, "2002", "ROTATE"), rotate),
    ]
    plain, _ = chain(rows, 1, NO_HASH)
    drawing.good("08-ctrl.fpb", drawing.header(Kind.CTRL, 2, 1, PROVINCE, first_rec=1, n_rec=3),
                 plain)  # fmt: skip
    plain, _ = chain([("NOTE", sm3.digest(b"note").hex(), {"text": "说明"})], 1, NO_HASH)
    drawing.good("09-letter.fpb", drawing.header(Kind.DATA, 3, 1, first_rec=1, n_rec=1), plain)


def forgeries(drawing: Drawing, first: bytes) -> None:
    """What must be refused, and why."""
    altered = bytearray(first)
    altered[-100] ^= 1
    drawing.bad("b1-altered.fpb", bytes(altered), "bad-signature")
    drawing.bad("b2-truncated.fpb", first[:-9], "truncated")
    header = drawing.header(Kind.DATA, 1, 3, first_rec=4)
    plain, _ = chain([("NOTE", "00" * 32, {})], 4, NO_HASH)
    drawing.bad("b3-forged.fpb", drawing.packed(header, plain, signer="stranger"), "bad-signature")
    drawing.bad("b4-receiver.fpb", drawing.packed(replace(header, receiver="other"), plain,
                                                  to=PROVINCE), "receiver")  # fmt: skip
    stranger = replace(header, sender_serial=SERIALS["stranger"].to_bytes(20, "big"))
    drawing.bad("b5-unknown.fpb", drawing.packed(stranger, plain, signer="stranger"), "key-unknown")
    drawing.bad("b6-major.fpb", first[:4] + b"\x02" + first[5:], "version")
    bomb = bytearray(first)
    bomb[83:87] = (33 << 20).to_bytes(4, "big")
    message = bytes(bomb[:-TAIL_BYTES])
    bomb[-TAIL_BYTES:-8] = sm2.der_to_raw(drawing.keys[NODE].sign(message))
    drawing.bad("b7-bomb.fpb", bytes(bomb), "too-big")


def main() -> None:
    """Draw all."""
    PLACE.mkdir(parents=True, exist_ok=True)
    drawing = Drawing()
    first, head = receipts(drawing)
    transport(drawing, head)
    control(drawing)
    told = next(entry for entry in drawing.index if entry["file"] == "01-data-cbc.fpb")
    for name, form in (("10-data.txt", "txt"), ("11-data.xml", "xml")):
        more = {key: value for key, value in told.items() if key != "file"}
        drawing.save(name, dress(first, form), **more)  # type: ignore[arg-type]  # a Literal
    forgeries(drawing, first)
    drawing.close()


if __name__ == "__main__":
    main()
