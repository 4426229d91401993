"""What patients of a made-up hospital are charged, the same for the same seed.

Two rules: details sum to their item, items and channels to the total, nothing is negative;
the n-th call of a seed has the same key and the same content at every run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fep.sim.dice import Dice

POOL = 256  # different bills; payer and key differ for every call

SURNAMES = ("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜"
            "叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚"
            "邵万钱严覃武戴莫孔向汤")  # fmt: skip
DOUBLE_SURNAMES = ("欧阳", "司马", "上官", "诸葛", "皇甫", "尉迟")
GIVEN = ("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志红梅春文辉鑫宇晨浩然子涵梓轩"
         "欣怡雨桐佳琪思远嘉怀瑾若曦景行知微清和望舒长安")  # fmt: skip
RARE = ("䶮", "𬭎", "㛃", "𣲘", "䬺", "𠅤")  # characters that GBK lacks
DEPARTMENTS = ("消化内科门诊", "心血管内科门诊", "骨科门诊", "儿科门诊", "眼科门诊", "口腔科门诊",
               "中医科门诊", "皮肤科门诊")  # fmt: skip

# item code, name, unit, lines of the detail list: (code, name, spec, unit, price in fen)
CATALOGUE: tuple[tuple[str, str, str, tuple[tuple[str, str, str, str, int], ...]], ...] = (
    ("060101", "诊察费", "次", (("110200001", "普通门诊诊察费", "", "次", 2000),
                              ("110200002", "专家门诊诊察费", "", "次", 4500))),
    ("060102", "检查费", "次", (("220301001", "彩色多普勒超声常规检查", "", "次", 18000),
                              ("210102015", "数字化摄影(DR)", "", "次", 8550),
                              ("310701001", "常规心电图检查", "", "次", 2200))),
    ("060103", "化验费", "项", (("250101015", "血细胞分析(五分类)", "", "项", 3550),
                              ("250301001", "血清总蛋白测定", "", "项", 680),
                              ("250307002", "血清肌酐测定", "", "项", 915),
                              ("250302001", "葡萄糖测定", "", "项", 535))),
    ("060104", "治疗费", "次", (("120400006", "静脉输液", "", "次", 1260),
                              ("430000001", "普通针刺", "", "次", 3800))),
    ("060105", "手术费", "次", (("331602004", "浅表肿物切除术", "", "次", 26500),)),
    ("060106", "卫生材料费", "件", (("C0214", "一次性使用无菌注射器", "5ml", "支", 65),
                                ("C0805", "医用无菌敷料", "10cm×10cm", "片", 1280))),
    ("060107", "西药费", "盒", (("XA02BCA012", "奥美拉唑肠溶胶囊", "20mg*14粒", "盒", 4637),
                             ("XJ01CAA040", "阿莫西林胶囊", "0.25g*24粒", "盒", 1390),
                             ("XC08CAA009", "苯磺酸氨氯地平片", "5mg*28片", "盒", 2716))),
    ("060108", "中药饮片", "剂", (("T000400178", "黄芪", "", "克", 23),
                               ("T000300156", "当归", "", "克", 31))),
    ("060109", "中成药费", "盒", (("ZA09BAH012", "养胃舒颗粒", "10g*6袋", "盒", 2890),
                               ("ZA01BAL001", "连花清瘟胶囊", "0.35g*36粒", "盒", 1475))),
    ("060110", "一般诊疗费", "次", (("111000001", "一般诊疗费", "", "次", 1100),)),
    ("060111", "挂号费", "次", (("110100001", "挂号费", "", "次", 100),)),
    ("060112", "其他", "项", (("QT0001", "病历工本费", "", "本", 150),)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One call to make: the parameters as JSON text, and what the answer must say."""

    key: str
    payer: str
    amount_fen: int
    params: bytes


@dataclass(frozen=True, slots=True)
class _Bill:
    """A bill as JSON text with holes for key, payer and what goes with them."""

    before_key: bytes
    before_payer: bytes
    after_payer: bytes
    amount_fen: int


class Content:
    """Makes calls; the n-th one depends on seed, unit and n alone, but for its times."""

    def __init__(
        self, *, seed: int, unit: str, point: str, kind: str, at: str, wants_print: bool = False
    ) -> None:
        """Take the business time `at` (YYYYMMDDHHMMSSmmm), which no digest looks at."""
        self._seed = seed
        self._fixed = {"unit": unit, "point": point, "kind": kind, "occurred_at": at}
        self._print = wants_print
        self._bills: dict[int, _Bill] = {}

    def call(self, number: int) -> Call:
        """Return the call with that number (0, 1, 2 …)."""
        bill = self._bills.get(number % POOL)
        if bill is None:
            bill = self._bills[number % POOL] = self._bill(number % POOL)
        dice = Dice(self._seed, "payer", number)
        key, name = f"OP{self._seed:06d}{number:09d}", payer_name(dice)
        payer = json.dumps(_payer(dice, name), ensure_ascii=False, separators=(",", ":"))
        params = b"".join(
            (bill.before_key, key.encode(), bill.before_payer, payer.encode(), bill.after_payer)
        )
        return Call(key, name, bill.amount_fen, params)

    def _bill(self, number: int) -> _Bill:
        dice = Dice(self._seed, "bill", number)
        items, details, total = _lines(dice)
        insured = dice.between(0, total * 9 // 10) if dice.chance(0.7) else 0
        account = dice.between(0, (total - insured) // 2) if insured else 0
        cash = total - insured - account
        bill: dict[str, Any] = {
            "key": "\0",
            "payer": "\0",
            **self._fixed,
            "total": yuan(total),
            "items": items,
            "details": details,
            "channels": _channels(dice, insured + account, cash),
            "cashier": dice.pick(("王芳", "张敏", "陈静")),
            "author": "王芳",
            "checker": "刘敏",
            "remark": "",
            "ext": _extras(dice, number, self._fixed["occurred_at"], insured, account, cash),
        }
        if self._print:
            bill["print"] = True
        text = json.dumps(bill, ensure_ascii=False, separators=(",", ":"))
        before_key, before_payer, after_payer = text.split("\\u0000")
        # The payer is an object: its quotes as a string go away.
        return _Bill(
            before_key.encode(),
            before_payer.encode().removesuffix(b'"'),
            after_payer.encode().removeprefix(b'"'),
            total,
        )


def payer_name(dice: Dice) -> str:
    """Return a Chinese name; one in twelve holds a character that GBK lacks."""
    surname = dice.pick(DOUBLE_SURNAMES) if dice.chance(0.04) else dice.pick(SURNAMES)
    if dice.chance(1 / 12):
        return surname + dice.pick(RARE)
    given = dice.pick(GIVEN) + (dice.pick(GIVEN) if dice.chance(0.75) else "")
    return surname + given


def yuan(fen: int) -> str:
    """Return an amount as the interface writes it: 45334 is "453.34"."""
    return f"{fen // 100}.{fen % 100:02d}"


def _payer(dice: Dice, name: str) -> dict[str, str]:
    born = f"{dice.between(1935, 2024)}{dice.between(1, 12):02d}{dice.between(1, 28):02d}"
    code = f"000000{born}{dice.between(0, 999):03d}X" if dice.chance(0.6) else ""
    return {"name": name, "type": "1", "code": code}


def _lines(dice: Dice) -> tuple[list[dict[str, str]], list[dict[str, str]], int]:
    """Return 1 to 12 items, their details, and the total in fen."""
    count = min(dice.between(1, 12), dice.between(1, 12))
    chosen = sorted(dice.shuffled(range(len(CATALOGUE)))[:count])
    items, details, total = [], [], 0
    for index in chosen:
        code, name, unit, goods = CATALOGUE[index]
        amount = 0
        for good in dice.shuffled(goods)[: dice.between(1, len(goods))]:
            number = dice.between(1, 4) if good[3] != "克" else dice.between(10, 60)
            amount += number * good[4]
            details.append(_detail(code, good, number))
        items.append({"code": code, "name": name, "unit": unit, "std": yuan(amount),
                      "number": "1.00", "amount": yuan(amount), "remark": ""})  # fmt: skip
        total += amount
    return items, details, total


def _detail(item: str, good: tuple[str, str, str, str, int], number: int) -> dict[str, str]:
    code, name, spec, unit, price = good
    return {"item": item, "code": code, "name": name, "spec": spec, "unit": unit,
            "std": yuan(price) + "00", "number": f"{number}.00",
            "amount": yuan(price * number) + "00", "remark": ""}  # fmt: skip


def _channels(dice: Dice, insurance: int, rest: int) -> list[dict[str, str]]:
    channels = [("11", insurance)] if insurance else []
    if rest > 5000 and dice.chance(0.15):
        by_cash = dice.between(1, rest // 100 - 1) * 100
        channels += [("02", by_cash), (dice.pick(("04", "05")), rest - by_cash)]
    elif rest:
        channels.append((dice.pick(("02", "04", "05", "05", "07")), rest))
    return [{"code": code, "amount": yuan(amount)} for code, amount in channels]


def _extras(dice: Dice, number: int, at: str, fund: int, account: int, cash: int) -> dict[str, str]:
    return {
        "gender": dice.pick(("男", "女")),
        "age": f"{dice.between(1, 92)}岁",
        "patient_no": f"MZ{at[:8]}{number:05d}",
        "visit_date": at[:8],
        "org_type": "综合医院",
        "insurance_type": "职工基本医疗保险" if fund else "自费",
        "insurance_no": "",
        "department": dice.pick(DEPARTMENTS),
        "case_no": f"BL{dice.between(0, 9999999):07d}",
        "fund_pay": yuan(fund),
        "other_pay": "0.00",
        "account_pay": yuan(account),
        "cash_pay": yuan(cash),
        "self_pay": yuan(cash + account),
        "self_cost": "0.00",
    }
