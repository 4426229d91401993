"""Two peers written from one page understand each other: the front-end's bytes and ours.

The only tests here that know the code under test; the simulators themselves never do.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fep.crypto import certs, keyfile, sm3
from fep.domain.event import BillingEvent
from fep.domain.kind import Kind, Mapped, Point, Province, Seal, Unit
from fep.env import RealEntropy
from fep.sim import fpb, his_events
from fep.sim import province_desk as desk
from fep.sim.his_content import Content
from fep.wire import einvoice, issue_params
from fep.wire import fpb as wire
from fep.wire.fpb_ack import read_ack
from fep.wire.fpb_name import BatchName, node8
from fep.wire.fpb_record import JournalHead, idem, read_records, record_line
from tests.unit.sim.sim_world import CODE, World

AT_MS = 1795222800000
PROVINCE = Province(id="hb", name="湖北省", tag="CZ-EI-42")
KIND = Kind(
    id="outpatient", name="医疗门诊收费票据（电子）", receipt_class="06",
    code_template="{area2}0601{yy}", specimen_template="{code}01",
    main_ext=(Mapped("BusinessNumber", "key"), Mapped("Gender", "ext.gender")),
)  # fmt: skip
UNIT = Unit(
    code="H1", name="市<一>医院 & 分院", party_code="12420000000000000X", area="420900",
    province="hb", rec_name="", rec_account="", rec_bank="", seal=Seal("s", "章", "h"),
    kinds=("outpatient",), points=(Point("001"),), signer_key="", signer_cert="",
)  # fmt: skip


class FrontEnd:
    """The front-end's own reader and writer with the keys of the simulated node."""

    def __init__(self, world: World, keys: Path) -> None:
        self.world = world
        self.unit_key = keyfile.load_private((keys / "H1.key").read_bytes())
        self.unit_cert = certs.parse((keys / "H1.crt").read_bytes())
        self.node_key = keyfile.load_private((keys / "node-0001.key").read_bytes())
        self.node_cert = certs.parse((keys / "node-0001.crt").read_bytes())
        self.platform = certs.parse(world.node.platform.certificate.der)

    def body(self, event: BillingEvent, number: int, province: Province) -> dict[str, object]:
        compose = einvoice.prepare(event, KIND, UNIT, province)
        original = compose(CODE, f"{number:010d}", "a1B2c3", AT_MS)
        der = self.unit_key.sign(original)
        element = einvoice.signature_element(der, AT_MS, self.unit_cert, province)
        return {
            "amount_fen": event.total_fen,
            "cert_serial": self.unit_cert.serial_hex,
            "check_code": "a1B2c3",
            "code": CODE,
            "event_key": event.key,
            "issued_at": AT_MS,
            "kind": event.kind,
            "number": f"{number:010d}",
            "original": base64.b64encode(original).decode(),
            "signature": base64.b64encode(der).decode(),
            "signature_xml": element,
            "signed_at": AT_MS,
            "unit": event.unit,
        }

    def batch(self, bodies: list[dict[str, object]], algorithm: int) -> tuple[str, bytes]:
        prev, lines = bytes(32), []
        for rec_seq, body in enumerate(bodies, 1):
            identity = idem(CODE, str(body["number"]), "ISSUE")
            line, prev = record_line(
                rec_seq, "ISSUE", identity, AT_MS, body, JournalHead(0, ""), prev
            )
            lines.append(line)
        header = wire.Header(
            kind=wire.Kind.DATA, sender="node-0001", receiver="province", epoch=1, channel=1,
            seq=1, created_ms=AT_MS, first_rec=1, n_rec=len(lines), sym_alg=algorithm,
            sender_serial=self.node_cert.serial_bytes(),
            receiver_serial=self.platform.serial_bytes(),
        )  # fmt: skip
        content = wire.pack(
            header, b"\n".join(lines), self.node_key, self.platform.public_key, RealEntropy()
        )
        return BatchName(node8("node-0001"), 1, 1, 1, 1).text(), content

    def read(self) -> list[tuple[wire.Header, bytes]]:
        seat = wire.Seat("node-0001", self.node_cert.serial_bytes(), self.node_key)
        out = self.world.root / "out"
        return [
            wire.unpack(path.read_bytes(), seat, lambda *_: self.platform.public_key)
            for path in sorted(p for p in out.iterdir() if p.is_file())
        ]


@pytest.fixture
def front_end(world: World, parties: tuple[fpb.Self, fpb.Self], key_directory: Path) -> FrontEnd:
    """Return the code under test, opposite the province."""
    return FrontEnd(world, key_directory)


def _events(count: int) -> list[BillingEvent]:
    content = Content(seed=5, unit="H1", point="001", kind="outpatient", at="20261121083015120")
    return [issue_params.parse(json.loads(content.call(n).params)) for n in range(count)]


@pytest.mark.parametrize("algorithm", [wire.ALG_CBC, wire.ALG_GCM])
@pytest.mark.parametrize("codec", ["der", "raw"])
def test_the_platform_books_what_the_front_end_writes(
    front_end: FrontEnd, algorithm: int, codec: str
) -> None:
    province = Province(id="hb", name="湖北省", tag="CZ-EI-42", signature_codec=codec)
    events = _events(8)
    bodies = [front_end.body(event, n, province) for n, event in enumerate(events, 1)]

    front_end.world.bring(front_end.batch(bodies, algorithm))
    front_end.world.turn()

    report = desk.report(front_end.world.book)
    assert report["rejected"] == []
    assert report["applied"] == 8
    assert report["money_fen"] == sum(event.total_fen for event in events)


def test_the_front_end_reads_acknowledgement_and_supervision(front_end: FrontEnd) -> None:
    body = front_end.body(_events(1)[0], 1, PROVINCE)
    front_end.world.bring(front_end.batch([body], wire.ALG_CBC))
    front_end.world.turn()

    acks = [read_ack(plain) for header, plain in front_end.read() if header.kind is wire.Kind.ACK]

    (ack,) = [ack for ack in acks if ack.results]
    (result,) = ack.results
    assert (ack.applied_upto, result.result) == (1, "OK")
    assert result.supervision is not None
    original = base64.b64decode(str(body["original"]))
    message = base64.b64encode(sm3.digest(original)) + str(body["signature_xml"]).encode()
    der = base64.b64decode(result.supervision.value)
    assert front_end.platform.public_key.verify(message, der)


def test_the_front_end_reads_grants(front_end: FrontEnd) -> None:
    front_end.world.turn()

    ((header, plain),) = [
        (header, plain) for header, plain in front_end.read() if header.kind is wire.Kind.CTRL
    ]

    (record,) = read_records(plain, header.first_rec, header.n_rec, bytes(32))
    assert (header.channel, header.seq, header.prev_batch_sm3) == (2, 1, bytes(32))
    assert record.op == "GRANT"
    assert record.body["last"] == "0000000100"


@pytest.mark.parametrize(
    "breaker",
    [lambda c: c[:-1], lambda c: c[:300] + bytes([c[300] ^ 1]) + c[301:], lambda c: c + b"x"],
)
def test_both_sides_refuse_the_same_damage(
    front_end: FrontEnd, breaker: Callable[[bytes], bytes]
) -> None:
    _, content = front_end.batch([front_end.body(_events(1)[0], 1, PROVINCE)], wire.ALG_CBC)
    node = front_end.world.node
    seat = wire.Seat("province", front_end.platform.serial_bytes(), front_end.node_key)

    with pytest.raises(fpb.Bad) as ours:
        fpb.read(breaker(content), front_end.world.book.me(),
                 lambda _: fpb.Party(node.me.id, node.me.certificate))  # fmt: skip
    with pytest.raises(wire.Unreadable) as theirs:
        wire.unpack(breaker(content), seat, lambda *_: front_end.node_cert.public_key)

    assert ours.value.reason == theirs.value.reason.value


def test_every_bill_of_the_business_system_is_accepted_by_the_front_end() -> None:
    assert len({event.key for event in _events(300)}) == 300


def test_a_batch_that_squeezes_too_well_travels_plain_between_both(front_end: FrontEnd) -> None:
    plain = b'{"a":"' + b"0" * 300_000 + b'"}'

    assert len(plain) > 200 * len(zlib.compress(plain))
    header = wire.Header(
        kind=wire.Kind.DATA, sender="node-0001", receiver="province", epoch=1, channel=1, seq=1,
        created_ms=0, sender_serial=front_end.node_cert.serial_bytes(),
        receiver_serial=front_end.platform.serial_bytes(),
    )  # fmt: skip
    content = wire.pack(
        header, plain, front_end.node_key, front_end.platform.public_key, RealEntropy()
    )
    node = front_end.world.node
    batch = fpb.read(content, front_end.world.book.me(),
                     lambda _: fpb.Party(node.me.id, node.me.certificate))  # fmt: skip
    assert batch.plain == plain


def test_samples_of_the_field_become_events_of_the_front_end() -> None:
    sample = {
        "busNo": "OP2", "busType": "02", "payer": "赵㛃", "totalAmt": "10.00", "payee": "王芳",
        "placeCode": "001", "sex": "男", "age": "3岁2月", "busDateTime": "20261121075501000",
        "chargeDetail": [
            {"sortNo": 1, "chargeCode": "060111", "chargeName": "挂号费", "unit": "次",
             "std": "1.00", "number": "1.00", "amt": "1.00", "selfAmt": "0.00", "remark": ""},
            {"sortNo": 2, "chargeCode": "060101", "chargeName": "诊察费", "unit": "次",
             "std": "9.00", "number": "1.00", "amt": "9.00", "selfAmt": "0.00", "remark": ""},
        ],
        "payChannelDetail": [{"payChannelCode": "02", "payChannelValue": "10.00"}],
    }  # fmt: skip
    (call,) = his_events.load(
        json.dumps(sample), unit="H1", point="", kind="outpatient", wants_print=False
    )

    event = issue_params.parse(json.loads(call.params))

    assert (event.key, event.total_fen, event.payer.name) == ("OP2", 1000, "赵㛃")
