"""Same event, same receipt: in flight, stored, after a restart, and never by key alone."""

from __future__ import annotations

from tests.unit.services.counter import Counter, number


def test_a_new_event_gets_the_next_number_and_is_not_a_repeat(counter: Counter):
    assert (number(1), False) == counter.issued("A")
    assert (number(2), False) == counter.issued("B")
    assert [] == counter.violations()


def test_the_answer_leaves_only_after_the_seal_is_committed(counter: Counter):
    counter.signer.at_once = False
    answers = counter.call("A")
    counter.turn()
    counter.disk.held = True

    counter.signer.answer(0)
    counter.turn()

    assert [] == answers
    counter.disk.turn()
    counter.turn()
    assert [(number(1), False)] == answers


def test_calls_with_one_key_in_flight_share_one_receipt_and_one_signature(counter: Counter):
    counter.signer.at_once = False
    first, second = counter.call("A"), counter.call("A")
    counter.turn()
    third = counter.call("A")

    counter.signer.answer(0)
    counter.turn()

    assert ([(number(1), False)], [(number(1), True)]) == (first, second)
    assert [(number(1), True)] == third
    assert 1 == len(counter.signer.asked)
    assert [] == counter.violations()


def test_other_content_under_a_key_in_flight_is_refused_and_disturbs_nobody(counter: Counter):
    counter.signer.at_once = False
    first = counter.call("A", 1234)
    before_its_number = counter.call("A", 9999)
    counter.turn()
    after_its_number = counter.call("A", 9999)

    counter.signer.answer(0)
    counter.turn()

    assert ["EVT_CONFLICT"] == before_its_number
    assert ["EVT_CONFLICT"] == after_its_number
    assert [(number(1), False)] == first
    assert [] == counter.violations()


def test_a_stored_event_is_answered_with_its_receipt_for_ever(counter: Counter):
    counter.issued("A")
    counter.crash()

    assert (number(1), True) == counter.issued("A")
    assert [] == counter.signer.asked
    assert [] == counter.violations()


def test_other_content_under_a_stored_key_names_the_receipt_there_is(counter: Counter):
    counter.issued("A", 1234)
    failures = []

    counter.issue.issue(counter.room.draft("A", 9999)).addErrback(
        lambda failure: failures.append(failure.value)
    )
    counter.turn()

    assert ["EVT_CONFLICT"] == [error.code for error in failures]
    assert "42060126-0000000001" == failures[0].details["receipt"]
    assert "42060126-0000000001" in failures[0].zh
    assert (number(2), False) == counter.issued("B")
    assert [] == counter.violations()


def test_one_key_in_two_units_is_two_events(counter: Counter):
    room = counter.room
    first = room.freeze(room.draft("A"), room.draft("A", unit="wuhan-2", code_at=lambda _: "x"))

    assert number(1) == first[0].receipt.number
    assert "NUM_NONE" == first[1].code


def test_no_numbers_refuses_the_event_durably_and_its_key_may_come_again(counter: Counter):
    dry = {"code_at": lambda _ms: "42060199"}
    assert "NUM_NONE" == counter.issued("A", **dry)
    assert [("refused", "NUM_NONE")] == [(e.state, e.reason) for e in counter.books()["event"]]

    counter.room.grant(5001, 5001, "42060199")

    assert ("0000005001", False) == counter.issued("A", 77, **dry)
    assert ["issued"] == [event.state for event in counter.books()["event"]]
    assert [] == counter.violations()


def test_a_queued_event_without_numbers_stays_queued(counter: Counter):
    from fep.store import issuing

    dry = counter.room.draft("A", code_at=lambda _ms: "42060199")
    counter.room.done(counter.room.store.do("submit", issuing.submit_txn, dry))

    assert ["NUM_NONE"] == _settled(counter, dry)
    assert ["queued"] == [event.state for event in counter.books()["event"]]
    counter.room.grant(5001, 5001, "42060199")
    assert ["0000005001"] == _settled(counter, dry)
    assert ["issued"] == [event.state for event in counter.books()["event"]]


def _settled(counter: Counter, draft: object) -> list[str]:
    told: list[str] = []
    counter.issue.issue(draft, queued=True).addCallbacks(
        lambda answer: told.append(answer[0].number),
        lambda failure: told.append(failure.value.code),
    )
    counter.turn()
    return told


def test_equal_content_under_another_key_is_issued_and_journalled_as_suspected(counter: Counter):
    digest = b"d" * 32
    counter.issued("A", digest=digest)
    counter.room.wall_ms += 599_000
    assert (number(2), False) == counter.issued("B", digest=digest)
    counter.room.wall_ms += 601_000
    assert (number(3), False) == counter.issued("C", digest=digest)

    lines = [bytes(row.line).decode() for row in counter.books()["journal"]]
    noted = [line for line in lines if "event.suspected_double" in line]
    assert 1 == len(noted)
    assert '"key":"B"' in noted[0]
    assert '"other":"A"' in noted[0]
    assert [] == counter.violations()


def test_a_repeated_call_is_no_suspected_double(counter: Counter):
    counter.issued("A")
    counter.issued("A")

    lines = b"".join(bytes(row.line) for row in counter.books()["journal"])
    assert b"suspected" not in lines


def test_print_and_upload_rows_are_written_with_the_seal(counter: Counter):
    counter.draw.group = "window-1"
    told = []
    counter.issue.on_sealed.append(lambda receipt: told.append(receipt.print_job))

    counter.issued("A")

    books = counter.books()
    assert [(1, "province", "due")] == [(u.receipt_id, u.dest, u.state) for u in books["upload"]]
    assert [(1, "window-1")] == [(j.receipt_id, j.device_group) for j in books["print_job"]]
    assert [1] == told
