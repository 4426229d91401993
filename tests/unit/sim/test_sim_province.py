"""The platform's end: in order, once, with a stored result for everything."""

from __future__ import annotations

import base64

import pytest

from fep.sim import fpb, sm
from fep.sim import province_desk as desk
from tests.unit.sim.sim_world import CODE, KNOBS, QUOTA, World


def _numbers(world: World) -> list[str]:
    return [row["number"] for row in desk.report(world.book)["receipts"]]


def test_a_good_receipt_is_booked_and_supervised(world: World) -> None:
    body = world.node.body(1)
    world.bring(world.node.batch(body))

    world.turn()

    (ack,) = [a for a in world.answers(fpb.ACK) if a["results"]]
    (result,) = ack["results"]
    assert (ack["applied_upto"], ack["head"], ack["received"]) == (1, world.node.head, [[1, 1]])
    assert (result["rec_seq"], result["result"]) == (1, "OK")
    digest = base64.b64encode(sm.sm3(base64.b64decode(body["original"])))
    der = base64.b64decode(result["supervision"]["value"])
    public = world.node.platform.certificate.public_key
    assert public.verify(digest + body["signature_xml"].encode(), der)
    assert list(world.incoming.iterdir()) == []
    report = desk.report(world.book)
    assert (report["applied"], report["money_fen"], report["gaps"]) == (1, 1230, [])


def test_batches_in_any_order_are_applied_in_order(world: World) -> None:
    node = world.node
    files = [node.batch(node.body(n)) for n in (1, 2, 3)]

    for file in (files[2], files[1]):
        world.bring(file)
    world.turn()
    held = world.answers(fpb.ACK)[-1]
    world.bring(files[0])
    world.turn()

    assert (held["applied_upto"], held["received"], held["results"]) == (0, [[2, 3]], [])
    assert world.results() == [("OK", "")] * 3
    assert _numbers(world) == ["0000000001", "0000000002", "0000000003"]


def test_a_gap_is_asked_for_when_it_is_old_enough(world: World) -> None:
    node = world.node
    node.batch(node.body(1))
    world.bring(node.batch(node.body(2)))

    world.turn()
    world.turn(KNOBS.gap_s - 1)
    early = world.answers(fpb.NACK)
    world.turn(1)
    due = world.answers(fpb.NACK)
    world.turn(1)

    assert early == []
    assert [(n["reason"], n["missing"], n["channel"]) for n in due] == [("missing", [[1, 1]], 1)]
    assert world.answers(fpb.NACK) == []


def test_a_batch_seen_again_is_answered_with_the_stored_results(world: World) -> None:
    file = world.node.batch(world.node.body(1), world.node.body(500))
    world.bring(file)
    world.turn()
    first = world.results()
    world.restart(KNOBS)

    world.bring((file[0].replace("-01.", "-02."), file[1]))
    world.turn()

    assert first == [("OK", ""), ("REJECT", "NOT_GRANTED")]
    assert world.results() == first
    report = desk.report(world.book)
    assert (report["applied"], report["duplicate_batches"]) == (1, 1)


def test_the_same_record_in_another_batch_is_a_duplicate(world: World) -> None:
    body = world.node.body(1)
    world.bring(world.node.batch(body))
    world.bring(world.node.batch(body))

    world.turn()

    assert world.results() == [("OK", ""), ("DUP", "")]
    assert desk.report(world.book)["duplicate_records"] == 1


def test_the_same_number_with_another_content_is_a_conflict(world: World) -> None:
    world.bring(world.node.batch(world.node.body(1)))
    world.bring(world.node.batch(world.node.body(1, event_key="other")))

    world.turn()

    assert world.results() == [("OK", ""), ("CONFLICT", "CONFLICT")]
    report = desk.report(world.book)
    assert (report["conflicts"], report["applied"]) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"number": "0000000500"}, "XML_DIFFERS"),
        ({"amount_fen": 1231}, "XML_DIFFERS"),
        ({"check_code": "zzzzzz"}, "XML_DIFFERS"),
        ({"xml": {"item": "12.29"}}, "XML_ITEMS"),
        ({"xml": {"total": "12.3"}}, "XML_DIFFERS"),
        ({"unit": "H2"}, "CERT_UNKNOWN"),
        ({"cert_serial": "ff"}, "CERT_UNKNOWN"),
        ({"cert_serial": "no hex"}, "CERT_UNKNOWN"),
        ({"amount_fen": 12.3}, "FORM"),
        ({"amount_fen": 1 << 70}, "FORM"),
        ({"signature_xml": "<Signature>"}, "SIGNATURE_XML"),
    ],
)
def test_a_receipt_that_does_not_agree_is_rejected_and_blocks_nothing(
    world: World, changes: dict[str, object], fault: str
) -> None:
    world.bring(world.node.batch(world.node.body(1, **changes), world.node.body(2)))

    world.turn()

    assert world.results() == [("REJECT", fault), ("OK", "")]
    assert [row["reason"] for row in desk.report(world.book)["rejected"]] == [fault]


def test_a_wrong_unit_signature_is_rejected_and_reported(world: World, stranger: fpb.Self) -> None:
    world.bring(world.node.batch(world.node.body(1, signer=stranger)))

    world.turn()

    assert world.results() == [("REJECT", "SIGNATURE")]
    report = desk.report(world.book)
    assert (report["bad_signatures"], report["applied"]) == (1, 0)


def test_missing_numbers_below_the_highest_are_gaps(world: World) -> None:
    world.bring(world.node.batch(world.node.body(1), world.node.body(4)))

    world.turn()

    gaps = desk.report(world.book)["gaps"]
    assert gaps == [{"code": CODE, "number": n} for n in ("0000000002", "0000000003")]


def test_a_broken_record_chain_stops_the_channel(world: World) -> None:
    world.node.head = "f" * 64
    world.bring(world.node.batch(world.node.body(1)))

    world.turn()

    assert [nack["reason"] for nack in world.answers(fpb.NACK)] == ["chain"]
    (stream,) = desk.report(world.book)["channels"]
    assert (stream["rec_seq"], stream["stopped"] is not None) == (0, True)


def test_a_broken_batch_chain_stops_the_channel(world: World) -> None:
    world.bring(world.node.batch(world.node.body(1)))
    world.node.batch_sm3 = b"x" * 32
    world.bring(world.node.batch(world.node.body(2)))

    world.turn()

    assert [nack["reason"] for nack in world.answers(fpb.NACK)] == ["chain"]
    assert _numbers(world) == ["0000000001"]


def test_another_content_under_a_taken_batch_number_changes_nothing(world: World) -> None:
    world.bring(world.node.batch(world.node.body(1)))
    world.turn()
    before = desk.report(world.book)["channels"]
    world.node.seq, world.node.rec_seq = 0, 0
    world.node.head, world.node.batch_sm3 = "0" * 64, bytes(32)

    world.bring(world.node.batch(world.node.body(2)))
    world.turn()

    assert world.answers(fpb.NACK) == []
    assert desk.report(world.book)["channels"] == before
    assert len(world.quarantine) == 1


def test_a_half_visible_file_is_taken_once_it_is_whole(world: World) -> None:
    name, content = world.node.batch(world.node.body(1))
    world.bring((name, content[: len(content) // 2]))
    world.turn()
    world.turn(2)

    world.bring((name, content))
    world.turn(0.2)

    assert world.results() == [("OK", "")]
    assert world.quarantine == []


def test_a_file_that_stays_incomplete_is_kept_and_asked_for(world: World) -> None:
    name, content = world.node.batch(world.node.body(1))
    world.bring((name, content[:-1]))

    world.turn()
    world.turn(KNOBS.part_timeout_s)

    (nack,) = world.answers(fpb.NACK)
    assert (nack["reason"], nack["names"]) == ("truncated", [name])
    assert world.quarantine == [name]


def test_a_tampered_file_is_kept_and_counted(world: World) -> None:
    name, content = world.node.batch(world.node.body(1))
    touched = bytearray(content)
    touched[-100] ^= 1
    world.bring((name, bytes(touched)))

    world.turn()
    world.turn(KNOBS.part_timeout_s)

    assert [nack["reason"] for nack in world.answers(fpb.NACK)] == ["bad-signature"]
    assert desk.report(world.book)["bad_signatures"] == 1
    assert world.quarantine == [name]


def test_a_grant_reaches_the_node_and_is_repeated_until_acknowledged(world: World) -> None:
    world.turn()
    (first,) = world.answers(fpb.CTRL)
    world.turn(KNOBS.resend_s)
    (again,) = world.answers(fpb.CTRL)
    ack = {"applied_upto": 1, "channel": 2, "epoch": 1, "head": first["hash"],
           "level": "APPLIED", "received": [[1, 1]], "time_ms": 0,
           "results": [{"rec_seq": 1, "result": "OK", "code": "", "detail": "",
                        "supervision": None}]}  # fmt: skip

    world.bring(world.node.answer(fpb.ACK, ack))
    world.turn()
    world.turn(600)

    assert first == again
    body = first["body"]
    assert (body["first"], body["last"], body["unit"]) == ("0000000001", "0000000100", "H1")
    assert first["hash"] == fpb.record_hash(first)
    assert first["idem"] == sm.sm3(f"{CODE}|0000000001|GRANT|0000000100".encode()).hex()
    assert world.answers(fpb.CTRL) == []
    assert desk.report(world.book)["granted"][0]["answered"] == "OK"


def test_an_acknowledgement_with_another_head_frees_nothing(world: World) -> None:
    world.turn()
    world.answers(fpb.CTRL)
    ack = {"applied_upto": 1, "channel": 2, "epoch": 1, "head": "f" * 64, "results": []}

    world.bring(world.node.answer(fpb.ACK, ack))
    world.turn()
    world.turn(KNOBS.resend_s)

    assert len(world.answers(fpb.CTRL)) == 1


def test_a_control_batch_asked_for_is_written_at_once(world: World) -> None:
    world.turn()
    world.answers(fpb.CTRL)
    nack = {"channel": 2, "epoch": 1, "missing": [[1, 1]], "names": [], "reason": "missing",
            "time_ms": 0}  # fmt: skip

    world.bring(world.node.answer(fpb.NACK, nack))
    world.turn()

    assert len(world.answers(fpb.CTRL)) == 1


def test_a_malformed_answer_is_set_aside(world: World) -> None:
    name, content = world.node.answer(fpb.ACK, {"channel": 2, "epoch": 1})

    world.bring((name, content))
    world.turn()

    assert world.quarantine == [name]


def test_an_idle_platform_still_acknowledges_whom_it_has_heard(world: World) -> None:
    world.turn()
    unheard = world.answers(fpb.ACK)
    world.bring(world.node.batch(world.node.body(1)))
    world.turn()
    world.answers(fpb.ACK)

    world.turn(KNOBS.heartbeat_s - 1)
    early = world.answers(fpb.ACK)
    world.turn(1)

    assert (unheard, early) == ([], [])
    assert [(a["applied_upto"], a["results"]) for a in world.answers(fpb.ACK)] == [(1, [])]


def test_grants_of_one_code_never_overlap(world: World) -> None:
    with pytest.raises(desk.Refusal):
        desk.grant(world.book, "H1", CODE, 10, first=91, not_after=None, quota=QUOTA, now_ms=1)
    following = desk.grant(
        world.book, "H1", CODE, 10, first=None, not_after=None, quota=QUOTA, now_ms=1
    )

    assert following == ("0000000101", "0000000110")


def test_a_grant_to_an_unknown_unit_is_refused(world: World) -> None:
    with pytest.raises(desk.Refusal):
        desk.grant(world.book, "H9", CODE, 1, first=None, not_after=None, quota=QUOTA, now_ms=1)


def test_a_receipt_issued_after_its_grant_ended_is_rejected(world: World) -> None:
    desk.grant(world.book, "H1", CODE, 1, first=200, not_after=5, quota=QUOTA, now_ms=1)
    world.bring(world.node.batch(world.node.body(200)))

    world.turn()

    assert world.results() == [("REJECT", "GRANT_EXPIRED")]


def _numbers_act(op: str, revision: int, number: str, **changes: object) -> dict[str, object]:
    return {"op": op, "at": 1, "unit": "H1", "code": CODE, "number": number, "count": 10,
            "revision": str(revision), **changes}  # fmt: skip


def test_a_request_for_numbers_is_noted(world: World) -> None:
    asked = _numbers_act("REQUEST", 1, "0" * 10, left=3, target=9)
    world.bring(world.node.batch(asked, {**asked, "op": "REQUEST", "revision": "2", "count": 0}))

    world.turn()

    assert world.results() == [("OK", ""), ("REJECT", "FORM")]
    assert desk.report(world.book)["requests"] == [{"unit": "H1", "code": CODE, "count": 10}]


def test_numbers_that_came_back_are_nobodys(world: World) -> None:
    last = world.book.rows("SELECT max(last) AS n FROM block WHERE code=?", CODE)[0]["n"]
    span = {"last": f"{last:010d}", "reason": "r"}
    node = world.node
    world.bring(node.batch(
        node.body(1),
        _numbers_act("RETURN", 5, "0000000001", **{**span, "count": last}),
        _numbers_act("RETURN", 1, f"{last - 9:010d}", **span),
        _numbers_act("RETURN", 2, f"{last - 9:010d}", **span),
        _numbers_act("RETURN", 3, f"{last - 4:010d}", **span),
        _numbers_act("RETURN", 4, "0000000001", **{**span, "last": "0000000010"}),
        node.body(last),
    ))  # fmt: skip

    world.turn()

    assert [fault or result for result, fault in world.results()] == [
        "OK", "NUMBER_USED", "OK", "RETURNED", "NOT_GRANTED", "NOT_GRANTED", "RETURNED",
    ]  # fmt: skip
    (row,) = desk.report(world.book)["returned"]
    assert (row["first"], row["last"]) == (f"{last - 9:010d}", f"{last:010d}")
