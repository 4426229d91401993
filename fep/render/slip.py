"""The face of a receipt on a thermal roll of 80 mm: 48 columns, one Han character is two.

Owns what stands where. Names are wrapped, never shortened; money is right-aligned; nothing
is printed that the view does not hold. A reprint says 补打 at its head. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from fep.domain.columns import clean, columns
from fep.domain.money import Fen, format_fen
from fep.domain.printing import FIRST_COPY, Columns, Feed, Part, Qr, Rule, Slip, Text
from fep.render.words import amount_in_words

WIDTH = 48
HALF = WIDTH // 2
_NAME, _COUNT, _MONEY = 22, 12, 14
HEAVY, LIGHT = "=", "-"
RED_MARK = "（红字）"
SPECIMEN = "【样票】仅供测试，不作收款凭证"


@dataclass(frozen=True, slots=True)
class ItemView:
    """One line of the face: 项目名称, 数量/单位, 金额."""

    name: str
    amount_fen: Fen
    quantity: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """The facts on the face, ready to be read: dates as text, numbers already masked.

    `other` is 其他信息 as (label, value) in the order of the rules; `money` is the same for
    amounts (医保统筹基金支付 …); `channels` is (way of paying, amount). `related`
    is code and number of the blue receipt of a red one.
    """

    title: str
    code: str
    number: str
    check_code: str
    unit: str
    payer: str
    total_fen: Fen
    items: tuple[ItemView, ...]
    payer_code: str = ""
    issued_on: str = ""
    other: tuple[tuple[str, str], ...] = ()
    money: tuple[tuple[str, Fen], ...] = ()
    channels: tuple[tuple[str, Fen], ...] = ()
    cashier: str = ""
    checker: str = ""
    remark: str = ""
    qr: str = ""
    hint: str = ""
    offline: bool = False
    copy: int = FIRST_COPY
    specimen: bool = False
    related: tuple[str, str] | None = None


def slip(view: ReceiptView) -> Slip:
    """Return the slip of a receipt."""
    parts: list[Part] = []
    parts += _head(view)
    parts += _parties(view)
    parts += _items(view)
    parts += _total(view)
    parts += _more(view)
    parts += _foot(view)
    return Slip(tuple(parts))


def trial_slip(device: str, at: str, proof: str) -> Slip:
    """Return the technician's test page: characters, columns, a rare one, QR, cut."""
    return Slip(
        (
            Text("打印测试", "center", bold=True, size=2),
            Text("此页不是票据", "center"),
            Rule(HEAVY),
            *_pair("设备", device),
            *_pair("时间", at),
            *_pair("回执", proof),
            Rule(LIGHT),
            Text("0123456789" * 4 + "01234567"),
            Text("票据打印测试壹贰叁肆伍陆柒捌玖拾佰仟万元整"),
            Text("欧阳䶮 𬭎 㛃"),
            Text("加粗 1,234.56", bold=True),
            Text("倍高 1,234.56", tall=True),
            *_amounts((("左列金额", 100), ("右列金额", 123456789))),
            Rule(LIGHT),
            Qr(f"fep-test:{device}"),
            Rule(HEAVY),
        )
    )


def _head(view: ReceiptView) -> list[Part]:
    parts: list[Part] = []
    if view.specimen:
        parts.append(Text(SPECIMEN, "center", bold=True))
    if view.copy > FIRST_COPY:
        parts.append(Text(f"【补打 第{view.copy - FIRST_COPY}次】", "center", bold=True))
    parts += [
        Text(_shown(view.title), "center", bold=True, tall=True),
        Text(_shown(view.unit), "center"),
        Rule(HEAVY),
    ]
    return parts


def _parties(view: ReceiptView) -> list[Part]:
    parts: list[Part] = [
        *_row(("票据代码", view.code), ("校验码", view.check_code)),
        *_row(("票据号码", view.number), ("开票日期", view.issued_on)),
        *_pair("交款人", view.payer),
    ]
    if view.related is not None:
        parts += _row(("原票据代码", view.related[0]), ("原票据号码", view.related[1]))
    if view.payer_code:
        parts += _pair("交款人统一社会信用代码", view.payer_code)
    return parts


def _items(view: ReceiptView) -> list[Part]:
    parts: list[Part] = [
        Rule(LIGHT),
        Columns(
            (
                ("项目名称", _NAME, "left"),
                ("数量/单位", _COUNT, "right"),
                ("金额(元)", _MONEY, "right"),
            ),
            bold=True,
        ),
    ]
    for item in view.items:
        count = "/".join(filter(None, (_quantity(_shown(item.quantity)), _shown(item.unit))))
        money = format_fen(item.amount_fen)
        name = _shown(item.name)
        if columns(count) > _COUNT - 1 or columns(money) > _MONEY - 1:
            parts += [Text(name), Columns(((count, HALF, "left"), (money, HALF, "right")))]
            continue
        parts.append(
            Columns(((name, _NAME, "left"), (count, _COUNT, "right"), (money, _MONEY, "right")))
        )
    return parts


def _total(view: ReceiptView) -> list[Part]:
    words = amount_in_words(view.total_fen)
    figures = format_fen(view.total_fen)
    return [
        Rule(LIGHT),
        *_pair("金额合计（大写）", words, bold=True),
        Columns((("金额合计（小写）", HALF, "left"), (f"￥{figures}", HALF, "right")), bold=True),
        Rule(HEAVY),
    ]


def _more(view: ReceiptView) -> list[Part]:
    parts: list[Part] = []
    shown = tuple((label, value) for label, value in view.other if _shown(value))
    if shown or view.money:
        parts.append(Text("其他信息", bold=True))
        parts += _packed(shown)
        parts += _amounts(view.money)
        parts.append(Rule(LIGHT))
    if view.channels:
        parts.append(Text("收款方式", bold=True))
        parts += _amounts(view.channels)
        parts.append(Rule(LIGHT))
    if view.remark:
        parts += _pair("备注", view.remark)
    return parts


def _foot(view: ReceiptView) -> list[Part]:
    parts: list[Part] = [
        *_pair("收款单位（章）", view.unit),
        *_row(("复核人", view.checker), ("收款人", view.cashier)),
    ]
    if view.qr:
        parts += [Feed(1), Qr(clean(view.qr)), Text("扫描二维码查验票据真伪", "center")]
    if view.hint:
        parts.append(Text(_shown(view.hint), "center"))
    if view.offline:
        parts.append(Text("离线开具，联网后可查验", "center", bold=True))
    if view.specimen:
        parts.append(Text(SPECIMEN, "center", bold=True))
    return parts


def _pair(label: str, value: str, *, bold: bool = False) -> tuple[Part, ...]:
    """Put `label：value` on a line; a long value goes on below itself, not below the label."""
    head = f"{_shown(label)}："
    wide = columns(head)
    shown = _shown(value)
    if wide >= HALF:
        return (
            (Text(head + shown, bold=bold),)
            if wide + columns(shown) <= WIDTH
            else (Text(head, bold=bold), Text("  " + shown, bold=bold))
        )
    return (Columns(((head, wide, "left"), (shown, WIDTH - wide, "left")), bold=bold),)


def _row(left: tuple[str, str], right: tuple[str, str]) -> tuple[Part, ...]:
    """Put two pairs side by side where both fit in half a line."""
    texts = [f"{_shown(label)}：{_shown(value)}" for label, value in (left, right) if value]
    if len(texts) == 2 and all(columns(text) < HALF for text in texts):
        return (Columns(tuple((text, HALF, "left") for text in texts)),)
    return tuple(part for label, value in (left, right) if value for part in _pair(label, value))


def _packed(pairs: tuple[tuple[str, str], ...]) -> tuple[Part, ...]:
    """Put neighbours that are both short on one line."""
    parts: list[Part] = []
    at = 0
    while at < len(pairs):
        two = pairs[at : at + 2]
        if len(two) == 2 and all(_narrow(pair) for pair in two):
            parts += _row(two[0], two[1])
            at += 2
        else:
            parts += _pair(*two[0])
            at += 1
    return tuple(parts)


def _narrow(pair: tuple[str, str]) -> bool:
    return columns(_shown(pair[0])) + 2 + columns(_shown(pair[1])) <= HALF


def _amounts(entries: tuple[tuple[str, Fen], ...]) -> tuple[Part, ...]:
    """Put amounts in two columns, each label left and its money right."""
    gap = 2
    parts: list[Part] = []
    waiting: list[tuple[str, int, str]] = []
    for label, fen in entries:
        name, money = _shown(label), format_fen(fen)
        # The right half begins where the right half of pairs does.
        half = HALF if waiting else HALF - gap
        if columns(name) + 1 + columns(money) > half:
            if waiting:
                parts.append(Columns(tuple(waiting)))
                waiting = []
            parts.append(Columns(((name, WIDTH - 14, "left"), (money, 14, "right"))))
            continue
        if waiting:
            waiting.append(("", gap, "left"))
        waiting += [(name, half - columns(money), "left"), (money, columns(money), "right")]
        if len(waiting) > 2:
            parts.append(Columns(tuple(waiting)))
            waiting = []
    if waiting:
        parts.append(Columns(tuple(waiting)))
    return tuple(parts)


def _quantity(text: str) -> str:
    """Drop decimals that say nothing: 3.00 -> 3."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shown(text: str) -> str:
    return clean(text).strip()
