"""The socket API on a real daemon, by `fep.client` and by code of the test's own."""

from __future__ import annotations

import csv
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.client import Client, Event, Item, Payer, RemoteFault, Unreachable
from fep.sim import sm
from tests.harness.books import ask
from tests.harness.counter_town import CounterTown, counter_town
from tests.harness.doors import SocketDoor, now
from tests.harness.processes import Fleet, wait_until

pytestmark = pytest.mark.timeout(60)
RARE = "欧阳䶮"  # 䶮 stands in GB 18030, not in GBK


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CounterTown]:
    """A daemon with its doors open."""
    place: Path = tmp_path_factory.mktemp("caller")
    with Fleet(place / "world" / "logs") as fleet:
        yield counter_town(place, fleet)


@pytest.fixture
def client(town: CounterTown) -> Iterator[Client]:
    """The client of the HIS."""
    with enter(town) as made:
        yield made


def enter(town: CounterTown, appid: str = "his", alg: str = "hmac-sm3", **options: Any) -> Client:
    return Client.tcp("127.0.0.1", town.port, appid=appid, key=town.key(appid), alg=alg,
                      **options)  # fmt: skip


def event(town: CounterTown, key: str, amount: str = "12.30", **changes: Any) -> Event:
    values: dict[str, Any] = {
        "key": key, "unit": town.unit, "point": town.point, "kind": town.kind,
        "payer": Payer("张三丰"), "total": amount, "items": (Item("0101", "诊察费", amount),),
        "channels": {"02": amount}, "cashier": "李四",
    }  # fmt: skip
    return Event(**{**values, **changes})


def settled(client: Client, key: str) -> None:
    wait_until(lambda: client.batch_progress(key).done, f"batch {key}", timeout_s=20)


# batches
def test_a_batch_is_issued_by_itself_and_each_event_tells_its_own_fault(
    town: CounterTown, client: Client
):
    client.issue(event(town, "B1-known", payer=Payer("别人")))
    good = [event(town, f"B1-{n}") for n in range(5)]
    bad = [event(town, "B1-known"), event(town, "B1-sum", total="1.00"),
           event(town, "B1-point", point="nowhere")]  # fmt: skip

    taken = client.batch("B1", good + bad + good[:1])
    settled(client, "B1")
    results = list(client.batch_results("B1"))

    assert (9, 3, False) == (taken.count, taken.refused, taken.repeated)
    assert ["issued"] * 5 + ["refused"] * 3 + ["issued"] == [one.state for one in results]
    assert ["EVT_CONFLICT", "EVT_ITEMS_SUM", "CFG_POINT"] == [one.fault for one in results[5:8]]
    assert results[0].receipt == results[8].receipt
    assert all(one.zh and one.en for one in results[5:8])
    assert [one.key for one in good] == [one.receipt.key for one in results[:5] if one.receipt]


def test_the_same_batch_again_is_the_same_and_other_content_is_refused(
    town: CounterTown, client: Client
):
    events = [event(town, f"B2-{n}") for n in range(3)]
    client.batch("B2", events)
    settled(client, "B2")
    first = list(client.batch_results("B2"))

    again = client.batch("B2", events)
    with pytest.raises(RemoteFault) as other:
        client.batch("B2", events[:2])

    assert (True, 3) == (again.repeated, again.issued)
    assert first == list(client.batch_results("B2"))
    assert "BATCH_CONFLICT" == other.value.code
    assert [(3,)] == ask(town.store, "SELECT count(*) FROM event WHERE key LIKE 'B2-%'")


def test_a_batch_is_its_callers_alone_and_has_a_bound(town: CounterTown, client: Client):
    client.batch("B3", [event(town, "B3-0")])

    with enter(town, "sha", "hmac-sha256") as other, pytest.raises(RemoteFault) as unknown:
        other.batch_progress("B3")
    with pytest.raises(RemoteFault) as size:
        client.batch("B4", [event(town, f"B4-{n}") for n in range(201)])

    assert ("BATCH_UNKNOWN", "BATCH_SIZE") == (unknown.value.code, size.value.code)


def test_results_of_a_batch_come_in_pages(town: CounterTown, client: Client):
    client.batch("B5", [event(town, f"B5-{n:03d}") for n in range(200)])
    settled(client, "B5")

    found, first = [], 0
    while first is not None:
        page = client.call("batch.get", **{"key": "B5", "from": first, "limit": 70})
        found += [one["key"] for one in page["results"]]
        first = page["next"]

    assert [f"B5-{n:03d}" for n in range(200)] == found


def test_a_batch_that_was_taken_survives_a_kill_and_is_issued_once(town: CounterTown):
    events = [event(town, f"B6-{n:03d}") for n in range(200)]
    with enter(town) as client:
        client.batch("B6", events)
    town.fleet.children[0].kill()
    town.fleet.forget(town.fleet.children[0])
    left = town.count("SELECT count(*) FROM event WHERE state = 'queued'")

    town.start_daemon()
    with enter(town) as client:
        again = client.batch("B6", events)
        settled(client, "B6")
        results = list(client.batch_results("B6"))

    assert left > 0
    assert again.repeated
    assert ["issued"] * 200 == [one.state for one in results]
    assert 200 == len({one.receipt.name for one in results if one.receipt})
    live = "SELECT count(*) FROM receipt r JOIN event e ON e.id = r.event_id WHERE e.key LIKE"
    assert 200 == town.count(f"{live} 'B6-%' AND r.state = 'sealed'")


# searches
def test_a_search_narrows_by_every_filter_and_pages_are_stable(town: CounterTown, client: Client):
    for n in range(6):
        amount = f"{n + 1}.11"
        channels = {("02", "05")[n % 3 == 0]: amount}
        client.issue(event(town, f"S-{n}", amount, cashier=f"收费{n % 2}",
                           payer=Payer("搜索"), channels=channels))  # fmt: skip
    third = client.receipt_of(unit=town.unit, key="S-2")
    client.reverse(unit=town.unit, key="S-2r", code=third.code, number=third.number, reason="x")

    def keys(**filters: Any) -> list[str]:
        return [one.key for one in client.find(payer="搜索", **filters)]

    pages = client.find(payer="搜索", limit=2)
    begun = [next(pages).key, next(pages).key]
    client.issue(event(town, "S-9", "9.11", payer=Payer("搜索")))
    rest = [one.key for one in pages]

    assert ["S-2r", "S-5", "S-4", "S-3", "S-2", "S-1", "S-0"] == begun + rest
    assert ["S-4", "S-3", "S-2", "S-1"] == keys(amount_from="2.00", amount_to="5.50")
    assert ["S-2r"] == keys(life="red") == keys(amount_to="-0.01")
    assert ["S-2"] == keys(life="reversed")
    assert ["S-4", "S-2", "S-0"] == keys(cashier="收费0")
    assert ["S-3", "S-0"] == keys(channel="05")
    assert ["S-1"] == keys(key="S-1", cashier="收费1")
    assert [] == keys(kind="inpatient") + keys(point="002") + keys(key="S-1", cashier="收费0")
    assert 8 == len(keys(unit=town.unit, **{"from": f"{now():%Y-%m-%d}"}))


# the feed
def test_the_feed_tells_everything_in_order_and_goes_on_at_any_cursor(
    town: CounterTown, client: Client
):
    since = client.subscribe("receipt.sealed").cursor
    blue = client.issue(event(town, "F-1"))
    red = client.reverse(
        unit=town.unit, key="F-1r", code=blue.code, number=blue.number, reason="退"
    )
    other = client.issue(event(town, "F-2"))
    sheet = client.exchange(unit=town.unit, point=town.point, code=other.code, number=other.number)
    client.call("paper.void", unit=town.unit, point=town.point, first=sheet, reason="卡纸")

    whole = list(client.happenings(since))
    parts, cursor = [], since
    while True:
        page = client.call("event.list", since=cursor, limit=1)
        parts += page["events"]
        cursor = page["cursor"]
        if not page["more"]:
            break

    assert ["sealed", "reversed", "sealed", "exchanged", "voided"] == [one.type for one in whole]
    assert [one.seq for one in whole] == [one["seq"] for one in parts]
    assert sorted({one.seq for one in whole}) == [one.seq for one in whole]
    assert (red.number, blue.number) == (_number(whole[1].receipt), _number(whole[1].blue))
    assert (other.number, sheet) == (_number(whole[3].receipt), whole[3].sheet)
    assert (sheet, "卡纸") == (whole[4].sheet, whole[4].reason)
    assert [] == list(client.happenings(cursor))
    with pytest.raises(RemoteFault, match="FEED_AHEAD"):
        client.call("event.list", since=cursor + 10_000)


def _number(receipt: Any) -> str:
    assert receipt is not None
    return str(receipt.number)


# notifications
def test_a_subscriber_hears_of_each_receipt_once_with_the_cursor_to_go_on(
    town: CounterTown, client: Client
):
    with client.subscribe("receipt.sealed") as listening:
        issued = [client.issue(event(town, f"N-{n}")).number for n in range(60)]

        heard = [listening.next(10.0) for _ in issued]

    assert issued == [one.params["receipt"]["number"] for one in heard if one]
    assert [] == list(client.happenings(heard[-1].cursor if heard[-1] else 0))
    middle = heard[29]
    assert middle is not None
    assert issued[30:] == [_number(one.receipt) for one in client.happenings(middle.cursor)]


def test_what_does_not_stay_open_cannot_subscribe(town: CounterTown):
    from tests.harness.doors import RpcDoor, Said

    door = RpcDoor(town)
    with pytest.raises(Said, match="NOTIFY_DOOR"):
        door.call("system.subscribe", {})
    door.close()


# export
@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", RARE), ("gbk", "欧阳〓")])
def test_an_export_is_complete_and_tells_what_its_encoding_lacks(
    town: CounterTown, client: Client, tmp_path: Path, encoding: str, shown: str
):
    receipt = client.issue(event(town, f"X-{encoding}", payer=Payer(RARE)))
    formula = client.issue(event(town, f"X2-{encoding}", payer=Payer("=1+1")))
    day, file = f"{now():%Y-%m-%d}", tmp_path / "a.csv"

    done = client.export(file, first=day, last=day, encoding=encoding, unmask="核对")
    masked = client.export(tmp_path / "b.csv", first=day, last=day)

    raw = file.read_bytes()
    assert (encoding == "utf-8") is raw.startswith(b"\xef\xbb\xbf")
    rows = {row[1]: row for row in _csv(raw, encoding)}
    (count,) = ask(town.store, "SELECT count(*) FROM receipt WHERE state = 'sealed'")[0]
    assert done.rows == masked.rows == count == len(rows)
    assert ("12.30", shown, "李四") == tuple(rows[receipt.number][7:10])
    assert "'=1+1" == rows[formula.number][8]
    assert (encoding == "gbk") is ((receipt.name, "䶮") in done.lacking)
    hidden = {row[1]: row[8] for row in _csv((tmp_path / "b.csv").read_bytes(), "utf-8")}
    assert "欧**" == hidden[receipt.number]
    assert 0o600 == file.stat().st_mode & 0o777


def _csv(raw: bytes, encoding: str) -> list[list[str]]:
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    head, *rows = csv.reader(raw.decode(name).splitlines())
    assert "票据代码" == head[0]
    return rows


def test_the_technician_exports_the_same_rows(town: CounterTown, client: Client, tmp_path: Path):
    client.issue(event(town, "XC-1", payer=Payer(RARE)))
    day, file = f"{now():%Y-%m-%d}", tmp_path / "c.csv"
    period = ("--from", day, "--to", day, "--file", str(file))

    told = json.loads(town.fepctl("receipts", "export-csv", *period, "--encoding", "gbk",
                                  "--unmask", "年底核对", "--json"))  # fmt: skip

    assert "䶮" in {one["character"] for one in told["lacking"]}
    assert told["rows"] == len(_csv(file.read_bytes(), "gbk"))
    why = "SELECT count(*) FROM journal WHERE CAST(line AS TEXT) LIKE '%年底核对%'"
    assert [(1,)] == ask(town.store, why)


# encodings and proofs
def test_a_gbk_caller_writes_gbk_and_reads_every_character(town: CounterTown):
    door = SocketDoor(town, "old", "gbk")

    told = door.issue("G-1", "王小明（门诊）", "8.00")
    found = door.call("receipt.get", {"unit": town.unit, "key": "G-1"})["receipt"]
    # What GBK lacks goes in as JSON writes it, and comes back the same way.
    rare = {"key": "G-2", "unit": town.unit, "point": town.point, "kind": town.kind,
            "payer": {"name": RARE}, "total": "1.00",
            "items": [{"code": "1", "name": "费", "amount": "1.00"}]}  # fmt: skip
    line = json.dumps({"jsonrpc": "2.0", "id": 99, "method": "receipt.issue", "params": rare})
    door._socket.sendall(line.encode("ascii") + b"\n")
    answer = door._hear()
    door.close()

    assert (told.number, "王小明（门诊）") == (found["number"], found["payer"])
    assert RARE == answer["result"]["receipt"]["payer"]


@pytest.mark.parametrize(
    ("appid", "alg", "prove"),
    [
        ("his", "hmac-sm3", lambda key, text: {"mac": sm.hmac_sm3(key, text).hex()}),
        ("sha", "hmac-sha256", lambda key, text: {"mac": _hmac_sha256(key, text)}),
        ("kiosk", "token", lambda key, text: {"token": key.decode()}),
    ],
)
def test_each_way_to_prove_a_key_opens_the_door_and_only_its_own(
    town: CounterTown, appid: str, alg: str, prove: Callable[[bytes, bytes], dict[str, str]]
):
    def auth(key: bytes, named: str) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", town.port), 10) as line:
            lines = line.makefile("rwb")
            challenge = json.loads(lines.readline())["params"]["challenge"]
            proof = prove(key, f"fep1|{appid}|{challenge}".encode())
            call = {"jsonrpc": "2.0", "id": 1, "method": "system.auth",
                    "params": {"appid": appid, "alg": named, **proof}}  # fmt: skip
            lines.write(json.dumps(call).encode() + b"\n")
            lines.flush()
            found: dict[str, Any] = json.loads(lines.readline())
            return found

    right = auth(town.key(appid), alg)
    wrong = auth(b"0" * 64, alg)

    assert appid == right["result"]["appid"]
    assert "AUTH_WRONG" == wrong["error"]["data"]["fault"]


def _hmac_sha256(key: bytes, text: bytes) -> str:
    import hashlib

    block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + text).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest()


# the client itself
def test_the_client_speaks_tls_and_trusts_only_what_it_was_told_to(town: CounterTown):
    trusting = ssl.create_default_context(cafile=str(town.certificate))

    with Client.tcp("127.0.0.1", town.tls_port, appid="his", key=town.key("his"),
                    tls=trusting) as client:  # fmt: skip
        with client.subscribe("receipt.sealed") as listening:
            told = client.issue(event(town, "TLS-1"))
            heard = listening.next(10.0)
        with pytest.raises(Unreachable):
            Client.tcp("127.0.0.1", town.tls_port, appid="his", key=town.key("his"),
                       tls=ssl.create_default_context())  # fmt: skip

    assert heard is not None
    assert told.number == heard.params["receipt"]["number"]


def test_the_control_socket_needs_no_key(town: CounterTown):
    with Client.unix(town.place / "data" / "control.sock") as client:
        told = client.issue(event(town, "U-1"))

    assert "U-1" == told.key


def test_the_client_renews_a_lost_line_and_the_key_makes_it_safe(town: CounterTown):
    cutter = Cutter(town.port, cut_after={2, 3})
    with Client.tcp("127.0.0.1", cutter.port, appid="his", key=town.key("his")) as client:
        told = client.issue(event(town, "L-1"))
        again = client.issue(event(town, "L-1"))

    assert (told.number, True) == (again.number, again.repeated)
    assert 3 <= cutter.lines
    assert [(1,)] == ask(town.store, "SELECT count(*) FROM event WHERE key = 'L-1'")


def test_a_client_gives_up_and_says_that_the_call_was_sent(town: CounterTown):
    cutter = Cutter(town.port, cut_after=set(range(2, 100)))

    with (
        Client.tcp("127.0.0.1", cutter.port, appid="his", key=town.key("his"), tries=2) as client,
        pytest.raises(Unreachable) as gone,
    ):
        client.issue(event(town, "L-2"))

    assert gone.value.sent


class Cutter:
    """A wire to the daemon that breaks in front of the n-th answers it should carry."""

    def __init__(self, port: int, cut_after: set[int]) -> None:
        self._target, self._cut = port, cut_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.lines = 0
        self._answers = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            near, _ = self._listener.accept()
            self.lines += 1
            far = socket.create_connection(("127.0.0.1", self._target), 10)
            with near, far, far.makefile("rb") as answers, near.makefile("rb") as calls:
                near.sendall(answers.readline())  # the greeting
                for call in calls:
                    far.sendall(call)
                    answer = answers.readline()
                    self._answers += 1
                    if self._answers in self._cut:
                        break
                    near.sendall(answer)
                near.shutdown(socket.SHUT_RDWR)
