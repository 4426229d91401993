"""The command line: languages, shared options, JSON, refusals, and what it costs to start."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fep.cli.common import lasting, width
from fep.cli.common_lang import LANG, choose
from fep.cli.fepctl import run
from tests.unit.client.front_end import FrontEnd, refusal

UTF8 = {"LANG": "zh_CN.UTF-8", "TERM": "xterm"}
LISTED = {
    "receipts": [{
        "code": "42060126", "number": "0000000001", "issued_at": "2026-11-21T09:30:00+08:00",
        "amount": "12.34", "payer": "欧**", "state": "sealed", "upload": "due",
        "prints": "printed", "key": "OP1", "life": "reversed", "sheet": None,
    }],
    "next": 0,
}  # fmt: skip


class Town:
    """A site directory with a front-end that answers from a table."""

    def __init__(self, path: Path) -> None:
        self.config = path / "fep.toml"
        self.config.write_text("[node]\ndata = 'd'\n", "utf-8")
        (path / "d").mkdir()
        self.answers: dict[str, dict[str, Any]] = {}
        self.front_end = FrontEnd.unix(path / "d" / "control.sock", self._answer)

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.answers.get(request["method"], refusal("REQ_METHOD", "没有此方法", "None"))

    def asked(self) -> list[tuple[str, dict[str, Any]]]:
        return [(sent["method"], sent["params"]) for sent in self.front_end.requests()]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Return a site whose daemon answers."""
    built = Town(tmp_path)
    yield built
    built.front_end.close()


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """Speak English in these tests, whatever ran before."""
    before = LANG.get()
    LANG.set("en")
    yield
    LANG.set(before)


@pytest.mark.parametrize(
    ("argv", "environ", "encoding", "expected"),
    [
        ([], UTF8, "utf-8", "zh"),
        ([], {"LANG": "en_US.UTF-8"}, "utf-8", "zh"),
        ([], {"LANG": "C.UTF-8"}, "utf-8", "zh"),
        ([], {"LANG": "zh_CN.GBK"}, "gbk", "zh"),
        ([], {**UTF8, "TERM": "linux"}, "utf-8", "en"),
        ([], {"LANG": "C"}, "utf-8", "en"),
        ([], {**UTF8, "LC_ALL": "POSIX"}, "utf-8", "en"),
        ([], {}, "utf-8", "en"),
        ([], {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", "en"),
        ([], {"LC_CTYPE": "zh_CN.UTF-8"}, "utf-8", "zh"),
        ([], UTF8, "ascii", "en"),
        ([], UTF8, None, "en"),
        ([], {**UTF8, "FEP_LANG": "en"}, "utf-8", "en"),
        (["status", "--lang", "en"], UTF8, "utf-8", "en"),
        (["--lang=zh", "status"], {"LANG": "C"}, "ascii", "zh"),
    ],
)
def test_chinese_unless_the_console_cannot_show_it(
    argv: list[str], environ: dict[str, str], encoding: str | None, expected: str
) -> None:
    assert choose(argv, environ, encoding) == expected


@pytest.mark.parametrize("before", [True, False])
def test_shared_options_stand_before_or_after_the_verb(
    town: Town, capsys: pytest.CaptureFixture[str], before: bool
) -> None:
    town.answers["receipts.list"] = {"result": LISTED}
    shared = ["-c", str(town.config), "--json"]
    verb = ["receipts", "list", "--limit", "5"]

    code = run([*shared, *verb] if before else [*verb, *shared])

    assert code == 0
    assert json.loads(capsys.readouterr().out) == LISTED
    assert town.asked()[0][1]["limit"] == 5


def test_a_table_shows_the_masked_row(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    town.answers["receipts.list"] = {"result": LISTED}

    run(["-c", str(town.config), "receipts", "list"])

    out = capsys.readouterr().out
    assert "42060126-0000000001" in out
    assert "2026-11-21 09:30:00" in out
    assert "欧**" in out
    assert "reversed" in out


def test_unmask_asks_for_a_grant_first(town: Town) -> None:
    town.answers["system.unmask"] = {"result": {"grant": 41}}
    town.answers["receipts.list"] = {"result": LISTED}

    run(["-c", str(town.config), "receipts", "list", "--unmask", "患者来电", "--json"])

    assert town.asked() == [
        ("system.unmask", {"reason": "患者来电", "verb": "receipts list"}),
        ("receipts.list", {"unit": "", "from_on": "", "to_on": "", "state": "", "limit": 20,
                           "before": 0, "unmask": 41}),
    ]  # fmt: skip


def test_a_refusal_shows_its_code_first(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    town.answers["receipts.show"] = refusal("RCP_UNKNOWN", "没有此票据", "There is no such receipt")

    with pytest.raises(SystemExit) as left:
        run(["-c", str(town.config), "receipts", "show", "42060126-0000000009"])

    assert left.value.code == 1
    assert capsys.readouterr().err.startswith("RCP_UNKNOWN  There is no such receipt")


def test_a_refusal_in_json_is_one_document(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    town.answers["receipts.show"] = refusal("RCP_UNKNOWN", "没有此票据", "There is no such receipt")

    with pytest.raises(SystemExit):
        run(["-c", str(town.config), "receipts", "show", "42060126-0000000009", "--json"])

    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["fault"], error["zh"]) == ("RCP_UNKNOWN", "没有此票据")


@pytest.mark.parametrize(
    "arguments",
    [
        ["link", "pause"],
        ["link", "resume"],
        ["devices", "test", "window-1"],
        ["resolve", "print", "1", "--printed"],
        ["numbers", "import", "--unit", "u", "--code", "42060126", "--first", "0000000001",
         "--last", "0000000002", "--approval", "x"],
    ],
)  # fmt: skip
def test_every_changing_verb_asks_for_a_reason(
    town: Town, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["-c", str(town.config), *arguments])

    assert code == 2
    assert "--reason" in capsys.readouterr().err
    assert town.asked() == []


def test_a_changing_verb_on_a_stopped_site_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fep.toml").write_text("", "utf-8")

    with pytest.raises(SystemExit):
        run(["-c", str(tmp_path / "fep.toml"), "link", "pause", "--reason", "x"])

    assert capsys.readouterr().err.startswith("CTL_STOPPED")


def test_no_configuration_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(["-c", str(tmp_path / "none.toml"), "status"])

    err = capsys.readouterr().err
    assert err.startswith("CTL_CONFIG_NONE")
    assert str(tmp_path / "none.toml") in err


def test_export_writes_where_it_was_told(town: Town, tmp_path: Path) -> None:
    told = {"name": "42060126-0000000001", "amount": "12.34", "issued_at": "x",
            "cert_serial": "0a", "files": {"original.bin": "YWJj"}}  # fmt: skip
    town.answers["receipts.export"] = {"result": told}
    out = tmp_path / "a" / "b"

    code = run(["-c", str(town.config), "receipts", "export", told["name"], "--dir", str(out)])

    assert code == 0
    assert (out / "original.bin").read_bytes() == b"abc"
    assert "distid:1234567812345678" in (out / "VERIFY.txt").read_text("utf-8")


def test_journal_export_writes_hash_and_line(town: Town, tmp_path: Path) -> None:
    slices = [
        {"records": [{"seq": 1, "hash": "aa", "line": '{"名":1}'}], "done": False},
        {"records": [{"seq": 2, "hash": "bb", "line": "{}"}], "done": True},
    ]
    town.front_end._answer = lambda _request: {"result": slices.pop(0)}
    out = tmp_path / "journal.txt"

    run(["-c", str(town.config), "journal", "export", "--out", str(out), "--json"])

    assert out.read_text("utf-8") == 'aa {"名":1}\nbb {}\n'


def test_a_broken_journal_exits_1_and_names_the_record(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    walk = {"last": 4, "hash": "aa", "count": 4, "broken_at": 5, "why": "hash", "done": True}
    town.answers["journal.verify"] = {"result": walk}

    with pytest.raises(SystemExit) as left:
        run(["-c", str(town.config), "journal", "verify", "--json"])

    assert left.value.code == 1
    assert json.loads(capsys.readouterr().out)["broken_at"] == 5


def test_help_lists_topics_and_shows_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    run(["help", "--json"])
    topics = json.loads(capsys.readouterr().out)["topics"]
    run(["help", "journal"])

    assert {"fpb1", "journal"} <= topics.keys()
    assert capsys.readouterr().out.startswith("# ")


def test_an_unknown_topic_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["help", "nonsense"])

    assert capsys.readouterr().err.startswith("CTL_TOPIC")


def test_starting_imports_nothing_heavy() -> None:
    heavy = ["sqlalchemy", "twisted", "msgspec", "rich", "gmssl", "cryptography", "fep.crypto"]
    program = (
        "import sys, fep.cli.fepctl, fep.cli.ctl_status, fep.cli.ctl_receipts;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("ms", "text"),
    [(5_000, "5 s"), (65_000, "1 min 5 s"), (3_660_000, "1 h 1 min"), (90_000_000, "1 d 1 h")],
)
def test_a_duration_reads_in_its_two_largest_units(ms: int, text: str) -> None:
    assert lasting(ms) == text


def test_chinese_is_two_columns_wide() -> None:
    assert width("票据ab") == 6
