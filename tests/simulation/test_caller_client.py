"""Files, encodings, proofs and the client itself, on a real daemon."""

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

from fep.client import Client, Payer, Unreachable
from fep.sim import sm
from tests.harness.books import ask
from tests.harness.counter_town import CounterTown, counter_town, enter, event
from tests.harness.doors import SocketDoor, now
from tests.harness.processes import Fleet

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
