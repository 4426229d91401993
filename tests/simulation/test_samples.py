"""Every sample of the integrator's manual that can run here issues its receipt on a daemon."""

from __future__ import annotations

import hmac
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fep.sim import sm
from tests.harness.counter_town import CounterTown, counter_town
from tests.harness.processes import Fleet, free_ports
from tests.harness.town import set_keys

SAMPLES = Path(__file__).resolve().parents[2] / "fep" / "docs" / "samples"
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module", params=["loopback", "network"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory,
         ) -> Iterator[CounterTown]:  # fmt: skip
    """A daemon as its own machine sees it, and as the network does: every call with a mac."""
    place: Path = tmp_path_factory.mktemp("samples")
    with Fleet(place / "world" / "logs") as fleet:
        town = counter_town(place, fleet)
        if request.param == "network":
            fleet.children[-1].stop()
            (town.port,) = free_ports(1)
            listen = f'["tcp:{town.port}:interface=127.0.0.1"]'
            set_keys(town.config, "api", {"frame_mac": '"always"', "listen": listen})
            town.start_daemon()
        yield town


def tool(name: str) -> str:
    """Return a program that scripts/test installs; a machine without it fails, never skips."""
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: scripts/test installs it"
    return found


def words(town: CounterTown, appid: str, key: str) -> list[str]:
    secret = str(town.place / "keys" / f"caller-{appid}.key")
    return ["127.0.0.1", str(town.port), appid, secret, town.unit, town.point, town.kind, key]


def java(classes: Path) -> list[str]:
    """Compile for Java 8 and return the command that runs it."""
    compiler = [tool("javac"), "-encoding", "UTF-8", "--release", "8", "-Xlint:-options"]
    source = str(SAMPLES / "FirstReceipt.java")
    subprocess.run([*compiler, "-d", str(classes), source], check=True, capture_output=True)
    return [tool("java"), "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", str(classes),
            "FirstReceipt"]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "appid"), [("python", "his"), ("node", "sha"), ("java", "sha")]
)
def test_a_sample_issues_the_first_receipt_and_the_same_one_again(
    town: CounterTown, tmp_path: Path, language: str, appid: str
):
    command = {
        "python": lambda: [sys.executable, str(SAMPLES / "first_receipt.py")],
        "node": lambda: [tool("node"), str(SAMPLES / "first_receipt.js")],
        "java": lambda: java(tmp_path),
    }[language]()

    said = [
        subprocess.run([*command, *words(town, appid, f"first-{language}")], check=True,
                       capture_output=True, text=True, timeout=60).stdout.strip()
        for _ in range(2)
    ]  # fmt: skip

    assert re.fullmatch(r"\d{8} \d{10} [0-9A-Za-z]{6}", said[0])
    assert said[0] == said[1]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_ten_lines_of_the_manual_issue_a_receipt(
    town: CounterTown, tmp_path: Path, language: str
):
    page = (SAMPLES.parent / language / "integrate.md").read_text("utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    shutil.copy(town.place / "keys" / "caller-his.key", tmp_path)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    assert {"H001", "001", "outpatient"} == {town.unit, town.point, town.kind}

    ended = subprocess.run(
        [sys.executable, "-c", code.replace("7500", str(town.port))], check=True, text=True,
        capture_output=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip

    assert re.fullmatch(r"\d{8} \d{10} [0-9A-Za-z]{6}", ended.stdout.strip())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_vectors_of_the_manual_are_right(language: str):
    """Worked out by the SM3 of the simulators and by hashlib, not by the daemon's code."""
    page = (SAMPLES.parent / language / "integrate.md").read_text("utf-8")
    key, login = b"5a" * 32, b"fep1|his|0123456789abcdef0123456789abcdef"
    frame = re.findall(r"`(\{\"jsonrpc.*?\})`", page)[0].encode()

    right = [proof(key, text) for text in (login, login + b"|" + frame)
             for proof in (_sm3, _sha256)]  # fmt: skip

    assert right == re.findall(r"`([0-9a-f]{64})`", page)


def _sm3(key: bytes, text: bytes) -> str:
    return sm.hmac_sm3(key, text).hex()


def _sha256(key: bytes, text: bytes) -> str:
    return hmac.new(key, text, "sha256").hexdigest()


@pytest.mark.parametrize("language", ["python", "node", "java"])
def test_a_sample_tells_a_refusal_by_its_code_and_ends_badly(
    town: CounterTown, tmp_path: Path, language: str
):
    command = {
        "python": lambda: [sys.executable, str(SAMPLES / "first_receipt.py")],
        "node": lambda: [tool("node"), str(SAMPLES / "first_receipt.js")],
        "java": lambda: java(tmp_path),
    }[language]()
    line = words(town, "his" if language == "python" else "sha", "bad")
    line[6] = "no-such-kind"

    ended = subprocess.run([*command, *line], check=False, capture_output=True, text=True,
                           timeout=60, env={**os.environ, "PYTHONIOENCODING": "utf-8"})  # fmt: skip

    assert ended.returncode != 0
    assert "CFG_KIND" in ended.stderr


def test_the_powerbuilder_sketch_sends_what_rpc_takes_from_a_token(town: CounterTown):
    """The body and the headers are taken out of the sketch and sent as they stand."""
    import http.client
    import json

    text = (SAMPLES / "powerbuilder.txt").read_text("utf-8").split("=== Delphi")[0]
    literals = re.findall(r"'([^']*)'", text[text.index("body = ") : text.index("http.send")])
    fillers = iter(["first-pb", "张三"])
    body = "".join(
        piece + (next(fillers) if piece.endswith(('"key":"', '"name":"')) and index < 3 else "")
        for index, piece in enumerate(literals)
    )
    names = re.findall(r'setRequestHeader\("(X-[^"]+)", ?("?)([^")]*)', text)
    headers = {name: value if quoted else town.key("kiosk").decode()
               for name, quoted, value in names}  # fmt: skip

    line = http.client.HTTPConnection("127.0.0.1", town.http_port, timeout=10)
    line.request("POST", "/rpc", body.encode(), {"Content-Type": "application/json", **headers})
    receipt = json.loads(line.getresponse().read())["result"]["receipt"]

    assert ("first-pb", "张三") == (receipt["key"], receipt["payer"])


def test_the_csharp_sample_says_what_the_java_one_says():
    """It cannot run here: its calls and its proof are the texts of the one that does."""
    java_text = (SAMPLES / "FirstReceipt.java").read_text("utf-8")
    sharp = (SAMPLES / "FirstReceipt.cs").read_text("utf-8")

    def texts(code: str) -> list[str]:
        found = re.findall(r'"((?:[^"\\]|\\.)*)"', code)
        return [one for one in found if "{" in one or "jsonrpc" in one or "fep1" in one]

    assert texts(java_text) == texts(sharp)
