"""The captions of the receipt page, Chinese first, and its sentences for those who err.

What stands on the receipt itself is never translated: it was signed as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("zh", "en")

ZH: Mapping[str, str] = {
    "html_lang": "zh-CN", "title": "财政电子票据", "code": "票据代码", "number": "票据号码",
    "check_code": "校验码", "issued_on": "开票日期", "payer": "交款人",
    "payer_code": "交款人统一社会信用代码", "items": "项目", "item": "项目名称",
    "count": "数量/单位", "amount": "金额（元）", "total": "金额合计", "words": "大写",
    "figures": "小写", "other": "其他信息", "channels": "收款方式", "remark": "备注",
    "unit": "收款单位", "cashier": "收款人", "checker": "复核人", "details": "明细",
    "lines": "行", "detail_name": "名称", "price": "单价", "pdf": "下载 PDF",
    "png": "保存图片", "verify": "扫描二维码查验票据真伪", "site": "查验网站",
    "more": "明细共 {count} 行，请下载 PDF 查看", "toggle": "English", "related_red": "红字票据",
    "related_blue": "被冲红票据", "paper": "已换开纸质票据", "pay_code": "缴款码",
    "valid": "有效", "reversed": "已冲红", "reversing": "正在冲红", "red": "红字票据",
    "specimen": "样票", "specimen_hint": "测试单位开具，不作为收款凭证",
    "pending": "未上报", "pending_hint": "开具不久或离线开具，上报后可在查验网站查到",
    "applied": "已上报", "supervised": "已监制", "offline_mark": "离线开具，联网后可查验",
    "none": "没有这张票据", "none_hint": "请核对网址是否完整，或向开票单位询问",
    "busy": "现在打开的人较多", "busy_hint": "请过几秒再试", "many": "尝试次数过多",
    "many_hint": "请一分钟后再试", "broken": "暂时无法显示",
    "broken_hint": "请稍后再试，或到窗口打印",
    "method": "不支持的请求", "method_hint": "请用浏览器打开票据网址",
}  # fmt: skip

EN: Mapping[str, str] = {
    "html_lang": "en", "title": "Fiscal e-receipt", "code": "Code", "number": "Number",
    "check_code": "Check code", "issued_on": "Date of issue", "payer": "Payer",
    "payer_code": "Payer's identity number", "items": "Items", "item": "Item",
    "count": "Quantity", "amount": "Amount (CNY)", "total": "Total", "words": "In words",
    "figures": "In figures", "other": "Further information", "channels": "Paid by",
    "remark": "Remark", "unit": "Collecting unit", "cashier": "Cashier", "checker": "Checker",
    "details": "Detail list", "lines": "lines", "detail_name": "Name", "price": "Unit price",
    "pdf": "Download PDF", "png": "Save picture", "verify": "Scan to verify this receipt",
    "site": "Verification site", "more": "The list has {count} lines: download the PDF",
    "toggle": "中文", "related_red": "Reversed by", "related_blue": "Reverses",
    "paper": "Exchanged for paper", "pay_code": "Payment code", "valid": "Valid",
    "reversed": "Reversed", "reversing": "Being reversed", "red": "Reversing receipt",
    "specimen": "Specimen", "specimen_hint": "Of a test unit: no proof of any payment",
    "pending": "Not reported yet",
    "pending_hint": "Issued lately or offline: the verification site knows it once reported",
    "applied": "Reported", "supervised": "Supervised by finance",
    "offline_mark": "Issued offline, can be verified once reported",
    "none": "There is no such receipt",
    "none_hint": "See whether the address is complete, or ask the issuing unit",
    "busy": "Many people are here right now", "busy_hint": "Try again in some seconds",
    "many": "Too many tries", "many_hint": "Try again in a minute",
    "broken": "Cannot be shown right now", "broken_hint": "Try later, or print at the window",
    "method": "Not a request we take", "method_hint": "Open the receipt's address in a browser",
}  # fmt: skip


def words(language: str) -> Mapping[str, str]:
    """Return the captions of a language; Chinese for any that is not known."""
    return EN if language == "en" else ZH


def other_language(language: str) -> str:
    """Return the language the toggle leads to."""
    return "zh" if language == "en" else "en"
