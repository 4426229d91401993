"""`bench his`: the doors of business systems at 32 connections, the province there and dead.

Receipts a second and latency through /medical-web (signed envelope in, QR code out) and through
the socket API, each durable and signed, against one front-end with printer and link running.
Every answer is looked at: another result than S0000, a missing QR code or number ends the run.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import statistics
import time
from itertools import count
from pathlib import Path
from typing import Any

from fep.sim.his_load import Plan, run_load
from tests.harness.processes import Fleet, free_ports, wait_until
from tests.harness.town import Town, set_keys

CONNECTIONS = 32
BLOCK = 900_000
PNG = b"\x89PNG\r\n"
ITEMS = (("1", "诊察费", "10.00"), ("2", "西药费", "86.40"), ("3", "化验费", "120.00"))
DETAILS = 12


class Wrong(Exception):
    """An answer that a HIS could not use."""


class MedicalLine(asyncio.Protocol):
    """One kept-alive HTTP connection; one call at a time."""

    def __init__(self) -> None:
        self._rest = b""
        self._done: asyncio.Future[bytes] | None = None
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take the answer apart once it is whole."""
        self._rest += data
        head, mark, body = self._rest.partition(b"\r\n\r\n")
        if not mark or self._done is None:
            return
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= size:
            self._rest, done, self._done = b"", self._done, None
            if not head.startswith(b"HTTP/1.1 200"):
                done.set_exception(Wrong(head.decode("latin-1")[:80]))
            else:
                done.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the call under way."""
        if self._done is not None and not self._done.done():
            self._done.set_exception(Wrong(f"connection lost: {exc}"))

    async def call(self, method: str, body: bytes) -> bytes:
        """Return the body of the answer."""
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(
            b"POST /medical-web/api/medical/%s HTTP/1.1\r\nHost: fep\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (method.encode(), len(body), body)
        )
        return await self._done

    def close(self) -> None:
        """End the connection."""
        self._transport.close()


def bill(key: str, place: str) -> dict[str, Any]:
    """Return an outpatient settlement as a HIS sends it."""
    total = "216.40"
    zero = dict.fromkeys(("accountPay", "fundPay", "otherfundPay", "selfConceitedAmt"), "0.00")
    return {
        **zero, "busNo": key, "busType": "02", "payer": "张三", "busDateTime": "20260105093000000",
        "placeCode": place, "payee": "李四", "author": "李四", "checker": "王五",
        "totalAmt": total, "payerType": "1", "cardType": "3101", "cardNo": "C0012345",
        "sex": "男", "age": "34岁", "patientNo": "P778", "patientId": "778", "isArrears": "0",
        "category": "内科", "medicalCareType": "自费", "ownPay": total, "selfPayAmt": "0.00",
        "selfCashPay": total,
        "payChannelDetail": [{"payChannelCode": "02", "payChannelValue": total}],
        "chargeDetail": [
            {"sortNo": place_, "chargeCode": code, "chargeName": name, "unit": "次", "std": amount,
             "number": "1", "amt": amount, "selfAmt": amount}
            for place_, (code, name, amount) in enumerate(ITEMS, 1)
        ],
        "listDetail": [
            {"listDetailNo": str(line), "chargeCode": "2", "chargeName": "西药费",
             "name": f"阿莫西林胶囊 {line}", "unit": "盒", "std": "7.2000", "number": "1",
             "amt": "7.2000", "selfAmt": "0.0000"}
            for line in range(DETAILS)
        ],
    }  # fmt: skip


def envelope(fields: dict[str, Any], appid: str, key: str, noise: str) -> bytes:
    """Return the signed outer JSON."""
    data = base64.b64encode(json.dumps(fields, ensure_ascii=False).encode()).decode()
    text = f"appid={appid}&data={data}&noise={noise}&key={key}&version=1.0"
    sign = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()
    return json.dumps({"appid": appid, "data": data, "noise": noise, "version": "1.0",
                       "sign": sign}).encode()  # fmt: skip


def judge(answer: bytes) -> str:
    """Return the number of the receipt. Raises Wrong."""
    inner = json.loads(base64.b64decode(json.loads(answer)["data"]))
    message = base64.b64decode(inner["message"])
    if inner["result"] != "S0000":
        raise Wrong(f"{inner['result']} {message.decode()}")
    told = json.loads(message)
    if not base64.b64decode(told["billQRCode"]).startswith(PNG):
        raise Wrong("no QR code")
    return str(told["billNo"])


async def medical_load(port: int, key: str, place: str, prefix: str,
                       seconds: float) -> tuple[float, list[float]]:  # fmt: skip
    """Issue from all connections for some seconds; return rate and latencies in ms."""
    loop = asyncio.get_running_loop()
    order, latencies, numbers = count(), [], set()
    end = loop.time() + seconds

    async def window() -> None:
        _, line = await loop.create_connection(MedicalLine, "127.0.0.1", port)
        while loop.time() < end:
            name = f"{prefix}{next(order)}"
            body = envelope(bill(name, place), "his", key, f"{name:0>32}")
            began = loop.time()
            answer = await line.call("invoiceEBillOutpatient", body)
            latencies.append((loop.time() - began) * 1000)
            numbers.add(judge(answer))
        line.close()

    began = loop.time()
    await asyncio.gather(*(window() for _ in range(CONNECTIONS)))
    spent = loop.time() - began
    if len(numbers) != len(latencies):
        raise Wrong("a number came twice")
    return len(latencies) / spent, latencies


class Doors:
    """One front-end with both doors, a province, a gate and a printer."""

    def __init__(self, place: Path, fleet: Fleet) -> None:
        self.town = town = Town(place, fleet)
        town.found()
        (self.http,) = free_ports(1)
        set_keys(town.config, "log", {"level": '"warning"'})
        set_keys(town.config, "http", {"listen": f'["tcp:{self.http}:interface=127.0.0.1"]'})
        self.far = [town.start_province(), town.start_gate()]
        town.start_printer()
        town.start_daemon()
        town.grant(BLOCK)
        wait_until(town.has_numbers, "numbers arrive from the province", timeout_s=30)
        self.key = (place / "keys" / "caller-his.key").read_text().strip()
        self._round = count()

    def kill_province(self) -> None:
        """Take the province and the gate away for good."""
        for child in self.far:
            child.kill()
            self.town.fleet.forget(child)

    def medical(self, seconds: float) -> tuple[float, list[float]]:
        """Load /medical-web."""
        prefix = f"M{next(self._round)}-"
        return asyncio.run(medical_load(self.http, self.key, self.town.point, prefix, seconds))

    def socket(self, seconds: float) -> tuple[float, list[float]]:
        """Load the socket API."""
        town = self.town
        plan = Plan(unit=town.unit, point=town.point, kind=town.kind)
        report = run_load(
            f"tcp:127.0.0.1:{town.port}", "his", self.key.encode(), seconds=seconds,
            concurrency=CONNECTIONS, seed=1000 + next(self._round), plan=plan,
        )  # fmt: skip
        if report.refused or not report.acked:
            raise Wrong(f"calls were refused: {dict(report.refused)}")
        return report.per_s, list(report.latencies_ms)


def measure(place: Path, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Interleave the doors; return all figures."""
    found: dict[str, list[tuple[float, list[float]]]] = {}
    with Fleet(place / "logs") as fleet:
        doors = Doors(place / "site", fleet)
        doors.medical(1.0)  # warm
        for _ in range(rounds):
            found.setdefault("medical_web", []).append(doors.medical(seconds))
            found.setdefault("socket", []).append(doors.socket(seconds))
        doors.kill_province()
        time.sleep(1.0)
        for _ in range(rounds):
            found.setdefault("medical_web_dead", []).append(doors.medical(seconds))
    figures: dict[str, Any] = {"connections": CONNECTIONS, "rounds": rounds, "round_s": seconds}
    for name, series in found.items():
        ordered = sorted(ms for _rate, latencies in series for ms in latencies)
        figures[f"{name}_per_s"] = round(statistics.mean(rate for rate, _ in series))
        figures[f"{name}_p50_ms"] = round(ordered[len(ordered) // 2], 1)
        figures[f"{name}_p99_ms"] = round(ordered[int(len(ordered) * 0.99)], 1)
    return figures


def show(figures: dict[str, Any]) -> None:
    """Print the figures for a person."""
    print(f"his: {figures['connections']} connections, {figures['rounds']} rounds of"
          f" {figures['round_s']} s each")  # fmt: skip
    titles = {"medical_web": "/medical-web with QR", "medical_web_dead": "the same, province dead",
              "socket": "socket API"}  # fmt: skip
    for name, title in titles.items():
        print(f"  {title:<24} {figures[f'{name}_per_s']}/s, p50 {figures[f'{name}_p50_ms']} ms,"
              f" p99 {figures[f'{name}_p99_ms']} ms")  # fmt: skip
