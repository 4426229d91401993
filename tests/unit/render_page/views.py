"""Receipt pages of every layout, and how a test draws them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from fep.render.page import PageProcess
from fep.render.page_view import Account, PageDetail, PageItem, PageView
from fep.render.slip import ItemView, ReceiptView

TEMPLATES = Path(__file__).parents[3] / "conf" / "templates"
LAYOUTS = ("medical", "unified", "voucher", "simple")
RARE = "欧阳䶮𬭎㛃"
QR = "https://pjcy.example.invalid/verify?code=42060126&number=0022739009&random=HJDsYN"

ITEMS = (
    PageItem("诊察费", 2000, "0801", "次", "1.00", "20.00", "自付10%"),
    PageItem("化验费", 10650, "0803", "项", "3.00", "35.50"),
    PageItem("西药费", 32684, "0807", "盒", "2.00", "163.42"),
)
FACE = ReceiptView(
    title="湖北省医疗门诊收费票据（电子）", code="42060126", number="0022739009",
    check_code="HJDsYN", unit="孝感市示范医院", payer=RARE, payer_code="420982********0059",
    issued_on="2026-11-21", total_fen=45334,
    items=tuple(ItemView(item.name, item.amount_fen) for item in ITEMS),
    other=(("业务流水号", "HIS20261121000123"), ("医疗机构类型", "三级甲等综合医院")),
    money=(("医保统筹基金支付", 19604), ("个人自费", 0)), channels=(("微信", 45334),),
    cashier="李收款", checker="王复核", remark="复诊", qr=QR, hint="请在财政票据查验平台查验",
)  # fmt: skip
VIEW = PageView(
    face=FACE, items=ITEMS, layout="medical", unit_code="414001",
    payer=Account(RARE, "6222021234567890123", "中国工商银行孝感分行"),
    receiver=Account("孝感市非税收入专户", "42050100000000000001", "示范银行孝感分行"),
    pay_code="42098226300000000036", seal="孝感市示范医院财务专用章",
    verify_url="https://pjcy.example.invalid/verify", issued_ms=1_795_219_200_000,
    details=(PageDetail("西药费", "阿莫西林胶囊 0.25g*24粒", "XJ01", "盒", "2.00", "12.5",
                        "25.00"),),
)  # fmt: skip


def with_face(**changes: Any) -> PageView:
    """Return the page with another face."""
    return replace(VIEW, face=replace(FACE, **changes))


def drawn(view: PageView, form: str = "pdf", templates: Path = TEMPLATES, **how: Any) -> Any:
    """Return the files of a page, drawn by a real page process."""
    with PageProcess() as process:
        return process.render(msgspec.to_builtins(view), form, templates, **how)


def text_of(pdf: bytes, path: Path) -> str:
    """Return what pdftotext finds, without white space."""
    path.write_bytes(pdf)
    told = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True)
    return "".join(told.stdout.decode().split())
