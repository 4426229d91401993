"""Wrong usage is told in the operator's language, and a bug of ours is one line, not a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fep.cli import common_reach
from fep.cli.common import Column, table, width
from fep.cli.common_lang import LANG
from fep.cli.fepctl import run


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    """Speak Chinese in these tests, whatever ran before."""
    before = LANG.get()
    LANG.set("zh")
    yield
    LANG.set(before)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["foo"], "没有命令 'foo'"),
        (["receipts", "reverse"], "缺少 票据编号"),
        (["link", "pause"], "缺少 --reason"),
        (["receipts", "list", "--limit", "0"], "--limit 的值不对：应为 1 到 1000 的整数"),
        (["receipts", "list", "--state", "x"], "--state 的值不对：只能是 frozen、sealed、burned"),
        (["receipts", "list", "--on", "2026-13-01"], "写作 YYYY-MM-DD"),
        (["receipts", "list", "--stat", "x"], "没有选项 --stat；是否应为"),
        (["resolve", "print", "x"], "编号 的值不对：应为整数"),
        (["status", "now"], "多余的参数 now"),
    ],
)
def test_wrong_usage_is_told_in_chinese(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2

    assert said in capsys.readouterr().err


def test_an_unknown_verb_is_json_where_json_was_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["foo", "--json"]) == 2

    assert json.loads(capsys.readouterr().out)["error"]["fault"] == "CTL_USAGE"


def test_the_usage_line_is_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    run(["receipts", "reverse", "--help"])

    assert capsys.readouterr().out.startswith("用法：fepctl receipts reverse [选项] 票据编号\n")


def test_a_site_may_be_named_by_its_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(["-c", str(tmp_path), "status"])

    assert str(tmp_path / "fep.toml") in capsys.readouterr().err


def test_a_bug_of_ours_is_one_line_with_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.delenv("FEP_DEBUG", raising=False)
    monkeypatch.setattr(common_reach, "find_config", broken)

    assert run(["status"]) == 70

    said = capsys.readouterr().err
    assert said.startswith("CTL_BUG  程序自身出错：ZeroDivisionError: planted")
    assert said.count("\n") == 1


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_narrow_terminal_loses_no_cell(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    names = ["票据", "开票时间", "金额", "交款人", "状态", "上报", "打印", "流水号"]
    row = ["42060126-0000000007", "2026-11-21 20:22:14", "12.34", "张**", "已签名", "已入库",
           "已打印", "OP202611210830150001"]  # fmt: skip

    table([Column(name, name, fold=name in ("交款人", "流水号")) for name in names], [row],
          empty="")  # fmt: skip

    shown = click.unstyle(capsys.readouterr().out)
    assert [cell for cell in row[:-1] if cell not in shown] == []
    assert max(width(line) for line in shown.splitlines()) <= columns
