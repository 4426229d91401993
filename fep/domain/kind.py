"""Kinds, units and provinces: what configuration says a receipt must look like.

Values only. Nothing is derived from the digits of a code except where the configured
template says so: the same four digits mean different kinds in different provinces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fep.domain.event import BillingEvent, Item

EVENT_SOURCES = ("key", "occurred_at", "occurred_on", "cashier", "author", "checker", "remark")
PAYER_SOURCES = ("name", "type", "code", "account", "bank", "tel", "email")
RELATED_SOURCES = ("related.code", "related.number")
SLIP_TEMPLATES = ("medical", "general")


@dataclass(frozen=True, slots=True)
class Mapped:
    """One member of MainExt: element name and where its text comes from.

    `source` is one of EVENT_SOURCES, `payer.<field>`, `ext.<name>`, `related.code` and
    `related.number` (the blue receipt of a red one) or empty (the element is written empty).
    `label` is its caption on the face (none: not shown); `money` members are amounts in yuan.
    """

    element: str
    source: str
    label: str = ""
    money: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """票据种类: one kind of receipt as configured in conf/kinds."""

    id: str
    name: str
    receipt_class: str
    code_template: str  # placeholders {area2} {yy}; e.g. "{area2}0601{yy}"
    specimen_template: str  # placeholders {code}
    main_ext: tuple[Mapped, ...]
    required_ext: tuple[str, ...] = ()
    item_limit: int = 12  # face capacity; more go to the detail list
    item_order: tuple[str, ...] = ()  # item names in the official order; others follow
    negative_lines: bool = True
    numbering: str = "block"  # block | platform
    offline: bool = True  # may be issued while the platform cannot be reached
    slip_template: str = "medical"
    required: tuple[str, ...] = ()  # sources of the event that must not be empty
    optional_ext: tuple[str, ...] = ()  # names in ext that may come beside those of main_ext
    overflow: str = "details"  # items beyond the face: details | refuse
    page_template: str = "medical"
    face_order: tuple[str, ...] = ()  # labels as the face orders them; others follow

    def code(self, area: str, year: int) -> str:
        """Return the 8-digit 票据代码 of the issue year."""
        return self.code_template.format(area2=area[:2], yy=f"{year % 100:02d}")

    def ordered(self, items: Iterable[Item]) -> list[Item]:
        """Return items in the official order; those it does not name follow as given."""
        order = {name: place for place, name in enumerate(self.item_order)}
        return sorted(items, key=lambda item: order.get(item.name, len(order)))

    @property
    def faced(self) -> tuple[Mapped, ...]:
        """Return the members that the face shows, in its order: not that of the document."""
        order = {label: place for place, label in enumerate(self.face_order)}
        shown = (member for member in self.main_ext if member.label)
        return tuple(sorted(shown, key=lambda member: order.get(member.label, len(order))))

    @property
    def required_sources(self) -> tuple[str, ...]:
        """Return every source that an event of this kind must fill."""
        return (*self.required, *(f"ext.{name}" for name in self.required_ext))

    @property
    def optional_sources(self) -> tuple[str, ...]:
        """Return the sources that an event may fill and that the document then carries."""
        found = [m.source for m in self.main_ext if m.source not in ("", *RELATED_SOURCES)]
        found += [f"ext.{name}" for name in self.optional_ext]
        taken = set(self.required_sources)
        return tuple(dict.fromkeys(source for source in found if source not in taken))


def value(event: BillingEvent, source: str) -> str:
    """Return the text of a source, empty when the event does not have it."""
    group, _, name = source.partition(".")
    if group == "ext":
        return event.ext.get(name, "")
    if group == "payer":
        return str(getattr(event.payer, name))
    if group == "related":
        return "" if event.related is None else event.related[name == "number"]
    if source == "occurred_on":
        return event.occurred_at[:8]
    return str(getattr(event, source)) if source else ""


@dataclass(frozen=True, slots=True)
class Province:
    """How one province wants the document: texts and codecs, never rules of money."""

    id: str
    name: str  # prefix of EInvoiceName, e.g. 湖北省
    tag: str  # EInvoiceTag, e.g. CZ-EI-42
    version: str = "1.1.0"
    check_code: str = "random"  # random | digest | platform
    signature_algorithm: str = "1.2.156.10197.1.501"
    signature_codec: str = "der"  # der | raw | cms
    signature_reference: str = ""
    pay_mode: str = ""
    qr_template: str = (
        "{verify_url}?code={code}&number={number}&random={check}&date={date}&amount={amount}"
    )
    verify_url: str = "https://pjcy.example.invalid/verify"
    verify_hint: str = ""  # sentence in the footer of the slip
    red_sign: str = "negative"  # negative | positive: amounts in the document of a red receipt
    red_code: str = "same"  # same (that of its kind), or a code template of its own
    page_size: str = "a5"  # a5 (landscape) | a4 (upright, the face at its top)
    reverse_imported: bool = False  # may a red receipt of ours reverse one of a former system


@dataclass(frozen=True, slots=True)
class Seal:
    """InvoicingPartySeal."""

    id: str
    name: str
    hash: str


@dataclass(frozen=True, slots=True)
class Point:
    """开票点: a window; belongs to a device group, prints by policy. `form_policy`: whether what
    a HIS exchanges for a sheet is printed on it here, or by the HIS itself.
    """

    code: str
    device_group: str = ""
    print_policy: str = "on_request"  # never | on_request | auto
    form_policy: str = "on_request"  # on_request | auto


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where one signer of a unit keeps its key: a file, or a UKEY behind a vendor's library.

    `passphrase` refers to the file's passphrase or the UKEY's PIN; an empty name of device,
    application or container stands for the only one there is.
    """

    kind: str = "file"  # file | skf
    key: str = ""
    cert: str = ""
    passphrase: str = ""
    library: str = ""
    device: str = ""
    application: str = ""
    container: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """开票单位 as configured in conf/units."""

    code: str  # our short code, used by callers
    name: str
    party_code: str  # InvoicingPartyCode (统一社会信用代码)
    area: str  # SupervisorAreaCode, 6 digits
    province: str
    rec_name: str
    rec_account: str
    rec_bank: str
    seal: Seal
    kinds: tuple[str, ...]
    points: tuple[Point, ...]
    signer_key: str  # path, or credential reference
    signer_cert: str
    signer_passphrase: str = ""  # "file:PATH" or "credential:NAME"
    default_checker: str = ""
    dest: str = "province"  # filled from [link] at start; empty: nothing is delivered
    test: bool = False  # 样票: never delivered, never in the offline budget, marked everywhere
    signers: tuple[KeyPlace, ...] = ()  # the main one first; none: the three fields above

    def key_places(self) -> tuple[KeyPlace, ...]:
        """Return where the unit's signing keys are, the main one first."""
        main = KeyPlace("file", self.signer_key, self.signer_cert, self.signer_passphrase)
        return self.signers or (main,)
