"""fepctl: the command line of technician and accountant.

Owns the list of verbs and how refusals leave. A verb's module is imported when it is called,
so that `fepctl --help` costs no more than click itself.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from fep.cli.common import CliFault, paint, print_json, refuse_with, say, steady
from fep.cli.common_lang import LANG, choose
from fep.cli.common_usage import sentences
from fep.cli.common_verbs import Lazy, Verbs

USAGE_EXIT = 2
BUG_EXIT = 70
_LAZY = {
    "status": Lazy("fep.cli.ctl_status", "command", "一屏看清现状",
                   "the state of everything on one screen"),
    "doctor": Lazy("fep.cli.ctl_doctor", "command", "逐项体检，每项给出下一步命令",
                   "check everything; each line names the next command"),
    "receipts": Lazy("fep.cli.ctl_receipts", "group", "票据：列出、查看、查找、导出",
                     "receipts: list, show, find, export"),
    "numbers": Lazy("fep.cli.ctl_stock", "numbers", "票据号码：库存与号段；导入",
                    "numbers: stock and blocks; import"),
    "paper": Lazy("fep.cli.ctl_paper_sheets", "group", "纸质票：号段、换开、作废",
                  "paper sheets: blocks, exchange, void"),
    "callers": Lazy("fep.cli.ctl_callers", "group", "业务系统：添加、列出、换密钥、停用",
                    "business systems: add, list, rotate, disable"),
    "his": Lazy("fep.cli.ctl_his", "group", "业务系统的收发：实时跟踪",
                "a business system's traffic, live"),
    "kinds": Lazy("fep.cli.ctl_kinds", "group", "票据种类：检查", "kinds of receipt: check"),
    "forms": Lazy("fep.cli.ctl_forms", "group", "套打格式：检查、查看", "forms: check, show"),
    "fence": Lazy("fep.cli.ctl_fence", "group", "停止开票状态：原因；两人解除",
                  "the fence: why nothing is issued; lift by two people"),
    "clock": Lazy("fep.cli.ctl_clock", "group", "时钟：本机与平台；确认",
                  "the clock: ours and the platform's; confirm"),
    "day": Lazy("fep.cli.ctl_day", "group", "日结、班结、月报、年报",
                "the day close: days, shifts, months, years"),
    "reconcile": Lazy("fep.cli.ctl_reconcile", "group", "与平台对账：差异与处理",
                      "the books beside the platform's: differences, repairs"),
    "evidence": Lazy("fep.cli.ctl_evidence", "command", "为检查人员导出一个目录的证据",
                     "write a folder of evidence for an inspector"),
    "queue": Lazy("fep.cli.ctl_stock", "queue", "等待开票和被拒绝的业务单",
                  "events that wait, and refused ones"),
    "link": Lazy("fep.cli.ctl_link", "group", "上报通道：状态、暂停、恢复",
                 "the link: state, pause, resume"),
    "devices": Lazy("fep.cli.ctl_devices", "devices", "设备：列出、检查、试打、占用、停用、添加",
                    "devices: list, check, test, claim, disable, add"),
    "printers": Lazy("fep.cli.ctl_devices_site", "printers", "开票点打到哪个设备组；等待打印的小票",
                     "which group a point prints to; slips that wait"),
    "payments": Lazy("fep.cli.ctl_payments", "group", "POS 支付：列出、查询、结算",
                     "payments at terminals: list, inquire, settle"),
    "bridges": Lazy("fep.cli.ctl_bridges", "group", "收银电脑上的桥：列出、密钥、安装目录",
                    "bridges on cashiers' PCs: list, key, kit"),
    "keys": Lazy("fep.cli.ctl_keys", "group", "签名密钥：列出；口令纠正后重新登录",
                 "signing keys: list; reset after a PIN was put right"),
    "verify": Lazy("fep.cli.ctl_verify", "command", "核对一张票据的签名",
                   "verify the signature of a receipt"),
    "journal": Lazy("fep.cli.ctl_journal", "group", "日志账：核对链、导出",
                    "the journal: verify, export"),
    "resolve": Lazy("fep.cli.ctl_paper", "resolve", "结果不明的事项", "unknown outcomes"),
    "init": Lazy("fep.cli.ctl_init", "command", "新建一个站点目录", "make a new site directory"),
    "config": Lazy("fep.cli.ctl_config", "group", "配置：检查", "configuration: check"),
    "help": Lazy("fep.cli.ctl_help", "command", "手册", "the manual"),
}  # fmt: skip


@click.group("fepctl", cls=Verbs, lazy=_LAZY,
             zh="财政电子票据前置机的命令行。先看 fepctl status，再看 fepctl doctor。",
             en="Command line of the fiscal e-receipt front-end."
                " Look at fepctl status first, then at fepctl doctor.")  # fmt: skip
@click.option("--version", is_flag=True, is_eager=True, expose_value=False,
              callback=lambda ctx, _param, asked: _version(ctx) if asked else None)  # fmt: skip
def cli() -> None:
    """Group the verbs."""


def _version(ctx: click.Context) -> None:
    from fep.cli.common_reach import version

    click.echo(f"fepctl {version()}")
    ctx.exit()


def main() -> NoReturn:
    """Run the command line; every refusal leaves with its code first."""
    LANG.set(choose(sys.argv[1:], os.environ, sys.stdout.encoding))
    steady()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; return the exit code."""
    try:
        answer = cli.main(arguments, prog_name="fepctl", standalone_mode=False)
    except click.UsageError as error:
        return _usage(error, arguments)
    except click.ClickException as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone; what it wanted it has.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as bug:
        if os.environ.get("FEP_DEBUG"):
            raise
        return _bug(bug, arguments)
    return answer if isinstance(answer, int) else 0


def _usage(error: click.UsageError, arguments: list[str]) -> int:
    zh, en = sentences(error)
    fault = CliFault("CTL_USAGE", f"命令用法不对：{zh}", f"Wrong usage: {en}")
    if "--json" in arguments:
        print_json({"error": {"fault": fault.code, "zh": fault.zh, "en": fault.en}})
        return USAGE_EXIT
    click.echo(f"{paint(fault.code, 'red')}  {say(fault.zh, fault.en)}", err=True)
    if error.ctx is not None:
        click.echo(f"  → {error.ctx.command_path} --help", err=True)
    return USAGE_EXIT


def _bug(bug: Exception, arguments: list[str]) -> int:
    """Say in one line that the program itself failed; the trace is for those who mend it."""
    why = f"{type(bug).__name__}: {bug}"
    fault = CliFault(
        "CTL_BUG",
        f"程序自身出错：{why}。请加 FEP_DEBUG=1 重新运行，把输出交给维护人员",
        f"The program itself failed: {why}. Run it again with FEP_DEBUG=1 and pass the output on",
    )
    if "--json" in arguments:
        print_json({"error": {"fault": fault.code, "zh": fault.zh, "en": fault.en}})
    else:
        click.echo(f"{paint(fault.code, 'red')}  {say(fault.zh, fault.en)}", err=True)
    return BUG_EXIT


__all__ = ["cli", "main", "refuse_with", "run"]

if __name__ == "__main__":
    main()
