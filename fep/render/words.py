"""Amounts in words, as Chinese accounting writes them (大写金额).

Rules: a run of zeros inside is one 零, zeros at the end of the yuan are read before 角 or
分; 整 closes every amount that does not end in 分; negative amounts begin with 负. Pure.
"""

from __future__ import annotations

from fep.domain.money import Fen

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "兆")


def amount_in_words(fen: Fen) -> str:
    """Return `fen` in words: 3405 -> 叁拾肆元零伍分, 60000 -> 陆佰元整.

    Raises:
        ValueError: The amount has more than 16 digits of yuan.
    """
    if fen < 0:
        return "负" + amount_in_words(-fen)
    yuan, rest = divmod(fen, 100)
    jiao, cents = divmod(rest, 10)
    whole = _whole(yuan) + "元" if yuan else ""
    if not rest:
        return (whole or "零元") + "整"
    tail = f"{_DIGITS[jiao]}角" if jiao else ("零" if whole else "")
    # 壹仟陆佰捌拾元零叁角贰分: the rules allow this 零 or its absence; banks write it.
    if whole and jiao and yuan % 10 == 0:
        tail = "零" + tail
    return whole + tail + (f"{_DIGITS[cents]}分" if cents else "整")


def _whole(yuan: int) -> str:
    if yuan >= 10**16:
        raise ValueError(f"amount beyond words: {yuan}")
    text = ""
    gap = False
    for index in range(len(_GROUPS) - 1, -1, -1):
        group = yuan // 10 ** (4 * index) % 10_000
        if not group:
            gap = bool(text)
            continue
        if text and (gap or group < 1000):
            text += "零"
        text += _group(group) + _GROUPS[index]
        gap = False
    return text


def _group(value: int) -> str:
    text = ""
    gap = False
    for place in range(3, -1, -1):
        digit = value // 10**place % 10
        if not digit:
            gap = bool(text)
            continue
        text += ("零" if gap else "") + _DIGITS[digit] + _PLACES[place]
        gap = False
    return text
