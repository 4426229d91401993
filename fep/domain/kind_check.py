"""What must hold of a kind: in its file, beside other kinds of a unit, for one event, in December.

Pure rules that answer with values. Two rules: every problem says what to write instead; a kind
that cannot be issued as written is wrong, one that will look odd to the platform is weak.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import pairwise

from fep.domain.calendar import local
from fep.domain.event import BillingEvent
from fep.domain.faults import Refused, refuse
from fep.domain.kind import (
    EVENT_SOURCES,
    PAYER_SOURCES,
    RELATED_SOURCES,
    SLIP_TEMPLATES,
    Kind,
    Province,
    Unit,
    value,
)
from fep.domain.money import format_fen

CODE_DIGITS = 8
SPECIMEN_MAX = 20  # facts/standards 4.1: columns of Main
NAME_MAX = 100
PAY_MODE_MAX = 20
DECEMBER = 12

# facts/standards 4.2: the sender's order of all members; provincial ones stand anywhere.
MAIN_EXT_ORDER = (
    "BusinessNumber", "BusinessDate", "Gender", "Age", "Address", "School", "Faculty", "Major",
    "Classes", "StudentID", "MedicalType", "PatientNumber", "MedicalDate", "OrgType",
    "MedicalInsuranceType", "MedicalInsuranceID", "FundPayAmount", "OtherPayAmount",
    "AccountPayAmount", "OwnPayAmount", "SelfpaymentAmount", "SelfpaymentCost", "CaseNumber",
    "HospitalizationNumber", "DepartmentName", "InHospitalDate", "OutHospitalDate",
    "PrepayAmount", "RechargeAmount", "RefundAmount", "RelatedInvoiceCode",
    "RelatedInvoiceNumber", "PayCode",
)  # fmt: skip
_PLACES = {name: place for place, name in enumerate(MAIN_EXT_ORDER)}


@dataclass(frozen=True, slots=True)
class KindProblem:
    """One finding. `at` is the place in the file; `weak` ones do not stop issuing."""

    at: tuple[str | int, ...]
    zh: str
    en: str
    suggestion: str = ""
    weak: bool = False


# a kind by itself
def kind_problems(kind: Kind) -> Iterator[KindProblem]:
    """Yield what is wrong in the file of a kind."""
    code = kind.code("000000", 2026)
    if len(code) != CODE_DIGITS or not (code.isascii() and code.isdigit()):
        yield KindProblem(
            ("code_template",), f"票据代码应为 8 位，此处为 {len(code)} 位",
            f"a code has 8 digits, this one {len(code)}", "{area2}0601{yy}",
        )  # fmt: skip
    elif code[2:4] != kind.receipt_class:
        yield KindProblem(
            ("code_template",), f"第 3、4 位不是分类编码 {kind.receipt_class}",
            f"digits 3 and 4 are not the class {kind.receipt_class}", weak=True,
        )  # fmt: skip
    elif kind.code("000000", 2027) == code:
        yield KindProblem(
            ("code_template",), "代码没有年度 {yy}，每年一月须手工修改",
            "the code has no year {yy}: somebody must change it every January",
            "{area2}0601{yy}", weak=True,
        )  # fmt: skip
    if len(kind.specimen_template.format(code=code)) > SPECIMEN_MAX:
        yield KindProblem(
            ("specimen_template",), f"模板编码超过 {SPECIMEN_MAX} 个字符",
            f"more than {SPECIMEN_MAX} characters", "{code}01",
        )  # fmt: skip
    if kind.slip_template not in SLIP_TEMPLATES:
        yield KindProblem(
            ("slip_template",), f"没有小票版式 {kind.slip_template}",
            f"there is no slip {kind.slip_template}", " | ".join(SLIP_TEMPLATES),
        )  # fmt: skip
    yield from _member_problems(kind)
    labels = {member.label for member in kind.main_ext if member.label}
    for place, label in enumerate(kind.face_order):
        if label not in labels or label in kind.face_order[:place]:
            yield KindProblem(
                ("face_order", place), f"{label} 不是 main_ext 的标题，或写了两次",
                f"{label} is no label of main_ext, or stands twice",
            )  # fmt: skip


def _member_problems(kind: Kind) -> Iterator[KindProblem]:
    seen: set[str] = set()
    for place, member in enumerate(kind.main_ext):
        if member.element in seen:
            yield KindProblem(
                ("main_ext", place), f"{member.element} 重复", f"{member.element} is written twice"
            )
        seen.add(member.element)
        if not known_source(member.source):
            yield _source_problem(("main_ext", place), member.element, member.source)
    for place, source in enumerate(kind.required):
        if not source or source in RELATED_SOURCES or not known_source(source):
            yield _source_problem(("required", place), "required", source)
    places = [_PLACES[m.element] for m in kind.main_ext if m.element in _PLACES]
    if any(after < before for before, after in pairwise(places)):
        yield KindProblem(
            ("main_ext",), "元素不按规范顺序，平台可能拒收",
            "the elements are not in the official order; the platform may refuse them", weak=True,
        )  # fmt: skip
    if not {m.source for m in kind.main_ext} >= set(RELATED_SOURCES):
        yield KindProblem(
            ("main_ext",), "没有元素取自 related.code 与 related.number：红票不会写明原票",
            "no element takes related.code and related.number: a red receipt names no blue one",
            '{ element = "RelatedInvoiceCode", source = "related.code" }', weak=True,
        )  # fmt: skip


def _source_problem(at: tuple[str | int, ...], element: str, source: str) -> KindProblem:
    return KindProblem(
        at, f"{element} 的来源 {source or '（空）'} 不存在",
        f"{element} takes {source or '(nothing)'}, which no event has", "ext.<name>",
    )  # fmt: skip


def known_source(source: str) -> bool:
    """Say whether an event has the source; empty is known."""
    group, _, name = source.partition(".")
    if group == "ext":
        return bool(name) and name.isascii() and name.replace("_", "a").isalnum()
    if group == "payer":
        return name in PAYER_SOURCES
    return source in ("", *EVENT_SOURCES, *RELATED_SOURCES)


def page_problems(kind: Kind, pages: Set[str]) -> Iterator[KindProblem]:
    """Yield a page template that does not exist; no `pages` means that none are known."""
    if pages and kind.page_template not in pages:
        yield KindProblem(
            ("page_template",), f"没有票面模板 {kind.page_template}",
            f"there is no page template {kind.page_template}", " | ".join(sorted(pages)),
        )  # fmt: skip


def province_problems(province: Province) -> Iterator[KindProblem]:
    """Yield what a province asks for and we cannot do."""
    if province.check_code == "platform":
        yield KindProblem(
            ("check_code",), "校验码由平台生成尚不能用：票面要等平台结果",
            "check codes of the platform cannot be used yet: the face would wait for its result",
            "random",
        )  # fmt: skip


# a unit with its kinds
def unit_problems(
    unit: Unit, kinds: Mapping[str, Kind], province: Province | None, years: Iterable[int]
) -> Iterator[tuple[str, KindProblem]]:
    """Yield (kind, problem) of what only shows when a unit uses its kinds together."""
    known = [kinds[name] for name in unit.kinds if name in kinds]
    for name in unit.kinds:
        if name not in kinds:
            yield name, KindProblem(("kinds",), f"没有票据种类 {name}", f"there is no kind {name}")
    told: set[tuple[str, str]] = set()
    for year in years:
        first: dict[str, str] = {}
        for kind in known:
            code = kind.code(unit.area, year)
            other = first.setdefault(code, kind.id)
            if other != kind.id and (other, kind.id) not in told:
                told.add((other, kind.id))
                yield kind.id, KindProblem(
                    ("code_template",), f"票据代码 {code} 与 {other} 相同，号码会混用",
                    f"code {code} is that of {other}: their numbers would mix",
                )  # fmt: skip
    for kind in known:
        name = f"{province.name if province else ''}{kind.name}"
        if len(name) > NAME_MAX:
            yield kind.id, KindProblem(
                ("name",), f"票据名称超过 {NAME_MAX} 个字符：{name}",
                f"the name has more than {NAME_MAX} characters: {name}",
            )  # fmt: skip


# one event of a kind
def admit(kind: Kind, event: BillingEvent) -> None:
    """Refuse an event that its kind does not allow.

    Raises Refused: REQ_FIELD_MISSING, REQ_FIELD_LENGTH, KIND_NEGATIVE, KIND_FACE.
    """
    for source in kind.required_sources:
        if not value(event, source):
            raise refuse("REQ_FIELD_MISSING", field=source)
    if len(event.ext.get("pay_mode", "")) > PAY_MODE_MAX:
        raise refuse("REQ_FIELD_LENGTH", field="ext.pay_mode", limit=PAY_MODE_MAX)
    if not kind.negative_lines and event.related is None:
        for item in event.items:
            if item.amount_fen < 0:
                raise refuse("KIND_NEGATIVE", name=kind.name, item=item.name,
                             amount=format_fen(item.amount_fen))  # fmt: skip
    if kind.overflow == "refuse" and len(event.items) > kind.item_limit:
        raise refuse("KIND_FACE", name=kind.name, limit=kind.item_limit, count=len(event.items))


def offline_refusal(kind: Kind, offline: bool) -> Refused | None:
    """Return why a kind may not be issued while the platform is away, None when it may."""
    return refuse("KIND_OFFLINE", name=kind.name) if offline and not kind.offline else None


# the turn of the year
def year_of(at_ms: int) -> int:
    """Return the year of codes: that of IssueDate, at +08:00."""
    return local(at_ms).year


def year_ends(at_ms: int) -> bool:
    """Say whether next year's numbers must be in hand: from 1 December."""
    return local(at_ms).month == DECEMBER


@dataclass(frozen=True, slots=True)
class Stocked:
    """A kind of a unit with its two codes and the numbers left.

    `used`: it has ever had a block for last year, this year or the next.
    """

    unit: str
    kind: str
    code: str
    next_code: str
    left: int
    next_left: int
    used: bool


def stocked(
    units: Iterable[Unit], kinds: Mapping[str, Kind], left: Mapping[tuple[str, str], int],
    at_ms: int,
) -> list[Stocked]:  # fmt: skip
    """Return every kind of every unit; `left` is the stock by (unit, code)."""
    year = year_of(at_ms)
    found: list[Stocked] = []
    for unit in units:
        for name in unit.kinds:
            if name not in kinds:
                continue
            before, now, then = (
                kinds[name].code(unit.area, when) for when in (year - 1, year, year + 1)
            )
            used = any((unit.code, code) in left for code in (before, now, then))
            found.append(
                Stocked(unit.code, name, now, then, left.get((unit.code, now), 0),
                        left.get((unit.code, then), 0), used)
            )  # fmt: skip
    return found


def unprepared(rows: Iterable[Stocked], at_ms: int) -> list[Stocked]:
    """Return the kinds in use that have no numbers for next year although it is December."""
    if not year_ends(at_ms):
        return []
    return [row for row in rows if row.used and not row.next_left and row.code != row.next_code]
