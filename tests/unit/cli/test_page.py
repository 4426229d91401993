"""Pages and long lines on a terminal: nothing is cut, Chinese counts two columns."""

from __future__ import annotations

import sys

import pytest

from fep.cli import common, common_page

PAGE = """# 排障

先运行 `fepctl status`，**再**运行 [doctor](x.md)。

| 代码 | 做什么 |
|---|---|
| `NUM_NONE` | 平台下发，或由人工凭批准文件导入一个号段，然后让业务系统用同一流水号再试一次 |

```
fepctl numbers import
```
"""


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what goes to the pager."""
    papers: list[str] = []
    monkeypatch.setattr(common_page.click, "echo_via_pager", papers.append)
    return papers


def test_a_page_loses_no_word_on_a_narrow_terminal(shown: list[str]) -> None:
    common_page.show(PAGE, 40)

    import click

    text = click.unstyle(shown[0])
    assert max(common.width(line.rstrip()) for line in text.splitlines()) <= 40
    bare = "".join(text.split())
    for words in ("先运行fepctlstatus，再运行doctor。", "fepctlnumbersimport", "NUM_NONE"):
        assert words in bare
    assert "…" not in bare
    assert "再试一次" in bare.replace("─", "")


@pytest.mark.parametrize("columns", [30, 41, 80])
def test_a_long_line_goes_on_below_itself(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    text = "打印机 window-1 已断开 tcp:127.0.0.1:9111，DEV_BUSY 打印机正被其他终端占用，请稍候"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = common.hang(text, 8).split("\n")

    assert all(line.startswith(" " * 8) for line in lines[1:])
    assert max(common.width(line.strip()) for line in lines) <= columns - 8
    assert "".join(line[8:] if place else line for place, line in enumerate(lines)) == text


def test_piped_output_is_one_line_a_fact() -> None:
    assert common.hang("长" * 200, 8) == "长" * 200
